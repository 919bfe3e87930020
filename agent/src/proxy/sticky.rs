//! Sticky sessions: a cookie tells which worker has answered a client, so that this answers its next requests, too.
//!
//! The cookie holds the worker's number, which is random, says nothing about anything, and ends with the worker. Whoever makes
//! one up gets an answer from that worker if there is one, as by chance.

use std::io::Write;

use crate::http::head::Head;

/// How the cookie is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StickySessions {
    /// Its name.
    name: String,
    /// What follows its value.
    attributes: String,
}

impl StickySessions {
    /// For an application at `base_uri`; `attributes` as in `SameSite=Lax; Secure`.
    #[must_use]
    pub fn new(name: &str, base_uri: &str, attributes: &str) -> Self {
        let path = if base_uri.is_empty() { "/" } else { base_uri };
        let others = attributes.trim_matches(|character: char| character == ';' || character.is_whitespace());
        let separator = if others.is_empty() { "" } else { "; " };
        Self { name: name.to_owned(), attributes: format!("; Path={path}; HttpOnly{separator}{others}") }
    }

    /// The number that a request brings; 0 for none.
    pub fn number(&self, head: &Head<'_>) -> u32 {
        let cookies = head.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("cookie"));
        let numbers = cookies.flat_map(|header| header.value.split(|byte| *byte == b';')).filter_map(|pair| {
            let value = pair.trim_ascii().strip_prefix(self.name.as_bytes())?.strip_prefix(b"=")?;
            std::str::from_utf8(value).ok()?.parse().ok()
        });
        numbers.into_iter().next().unwrap_or_default()
    }

    /// Writes the header line that has the client remember a worker.
    pub fn write(&self, out: &mut Vec<u8>, number: u32) {
        let Self { name, attributes } = self;
        // Writing to a vector cannot fail.
        let _ = write!(out, "Set-Cookie: {name}={number}{attributes}\r\n");
    }
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use rstest::rstest;

    use super::*;
    use crate::http::head::{self, MAX_HEADERS};

    #[rstest]
    #[case("", 0)]
    #[case("Cookie: route=7\r\n", 7)]
    #[case("Cookie: a=b; route=7;c=d\r\n", 7)]
    #[case("Cookie: a=b\r\ncookie: my_route=1;route=7\r\n", 7)]
    #[case("Cookie: route=x; route=-1; route=99999999999\r\n", 0)]
    #[case("Cookie: routes=7; route\r\n", 0)]
    fn finds_the_number_among_cookies(#[case] lines: &str, #[case] number: u32) {
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
        let mut scratch = [const { MaybeUninit::uninit() }; MAX_HEADERS];
        let (head, _) = head::parse(request.as_bytes(), &mut scratch).unwrap().unwrap();
        assert_eq!(StickySessions::new("route", "", "").number(&head), number);
    }

    #[rstest]
    #[case("", "SameSite=Lax", "Set-Cookie: route=7; Path=/; HttpOnly; SameSite=Lax\r\n")]
    #[case("/shop", " SameSite=None; Secure; ", "Set-Cookie: route=7; Path=/shop; HttpOnly; SameSite=None; Secure\r\n")]
    #[case("", ";", "Set-Cookie: route=7; Path=/; HttpOnly\r\n")]
    fn writes_the_cookie(#[case] base_uri: &str, #[case] attributes: &str, #[case] line: &str) {
        let mut out = Vec::new();
        StickySessions::new("route", base_uri, attributes).write(&mut out, 7);
        assert_eq!(String::from_utf8(out).unwrap(), line);
    }
}
