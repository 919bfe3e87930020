//! Header blocks, and the table of header names that travel as numbers.
//!
//! A block is a `u32` length and that many bytes of entries, each
//! `{u16 name length, u16 name id, u32 value length}`, the name (absent when the id is not 0), the value.
//! Entries stand beside their bytes, so that a sender writes a block in one pass without knowing the count.

use crate::error::ProtocolError;

const ENTRY_LEN: usize = 8;

/// One header of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Index into [`KNOWN`], or 0.
    pub id: u16,
    /// The name, when `id` is 0: CGI style in requests (`HTTP_X_FOO`), as the application wrote it in responses.
    pub name: &'a [u8],
    /// The value, without surrounding white space.
    pub value: &'a [u8],
}

/// A validated block, borrowed from its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderBlock<'a> {
    entries: &'a [u8],
}

impl<'a> HeaderBlock<'a> {
    /// Takes a block off the front of `payload` and returns it with what follows.
    ///
    /// # Errors
    /// When a length points outside the payload, an id is not in [`KNOWN`], or an entry has both or neither of id and
    /// name.
    pub fn split_from(payload: &'a [u8]) -> Result<(Self, &'a [u8]), ProtocolError> {
        let truncated = ProtocolError::Truncated("the header block");
        let Some((length, rest)) = payload.split_first_chunk::<4>() else { return Err(truncated) };
        let Some((entries, rest)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize) else {
            return Err(truncated);
        };
        let mut left = entries;
        while !left.is_empty() {
            let (header, next) = split_entry(left).ok_or(ProtocolError::Truncated("a header"))?;
            if usize::from(header.id) >= KNOWN.len() || (header.id == 0) == header.name.is_empty() {
                return Err(ProtocolError::Invalid("header name"));
            }
            left = next;
        }
        Ok((Self { entries }, rest))
    }

    /// The headers in the order in which they were sent.
    pub fn iter(&self) -> impl Iterator<Item = Header<'a>> + use<'a> {
        let mut left = self.entries;
        std::iter::from_fn(move || {
            let (header, next) = split_entry(left)?;
            left = next;
            Some(header)
        })
    }
}

fn split_entry(bytes: &[u8]) -> Option<(Header<'_>, &[u8])> {
    let (&[n0, n1, i0, i1, v0, v1, v2, v3], rest) = bytes.split_first_chunk::<ENTRY_LEN>()?;
    let (name, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes([n0, n1])))?;
    let (value, rest) = rest.split_at_checked(u32::from_le_bytes([v0, v1, v2, v3]) as usize)?;
    Some((Header { id: u16::from_le_bytes([i0, i1]), name, value }, rest))
}

/// Writes a block entry by entry at the end of a buffer.
pub struct BlockWriter<'a> {
    out: &'a mut Vec<u8>,
    at: usize,
    /// Whether every name so far fits its length field.
    fits: bool,
}

impl<'a> BlockWriter<'a> {
    /// Starts a block at the end of `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        let at = out.len();
        out.extend_from_slice(&[0; 4]);
        Self { out, at, fits: true }
    }

    /// Goes on with the block that was started at `at`.
    pub(crate) fn resume(out: &'a mut Vec<u8>, at: usize) -> Self {
        Self { out, at, fits: true }
    }

    /// Adds a header whose name travels as its number in [`KNOWN`].
    pub fn known(&mut self, id: u16, value: &[u8]) {
        self.entry(0, id, value.len());
        self.out.extend_from_slice(value);
    }

    /// Adds a header with its name as it is.
    pub fn named(&mut self, name: &[u8], value: &[u8]) {
        self.entry(name.len(), 0, value.len());
        self.out.extend_from_slice(name);
        self.out.extend_from_slice(value);
    }

    /// Adds a request header under its CGI name (RFC 3875, 4.1.18): `X-Foo` becomes `HTTP_X_FOO`.
    pub fn cgi(&mut self, name: &[u8], value: &[u8]) {
        self.entry(5 + name.len(), 0, value.len());
        self.out.extend_from_slice(b"HTTP_");
        self.out.extend(name.iter().map(|&byte| if byte == b'-' { b'_' } else { byte.to_ascii_uppercase() }));
        self.out.extend_from_slice(value);
    }

    /// Ends the block: its length is known now.
    ///
    /// # Errors
    /// When a name is longer than 65,535 bytes; the block is useless then.
    pub fn finish(self) -> Result<(), ProtocolError> {
        if !self.fits {
            return Err(ProtocolError::Invalid("header name length"));
        }
        let length = (self.out.len() - self.at - 4) as u32;
        self.out[self.at..self.at + 4].copy_from_slice(&length.to_le_bytes());
        Ok(())
    }

    // A value too long for its field makes the frame too long, which `frame::finish` sees.
    fn entry(&mut self, name: usize, id: u16, value: usize) {
        self.fits &= name <= usize::from(u16::MAX);
        self.out.extend_from_slice(&(name as u16).to_le_bytes());
        self.out.extend_from_slice(&id.to_le_bytes());
        self.out.extend_from_slice(&(value as u32).to_le_bytes());
    }
}

/// The request header names that travel as numbers, in lower case. Index 0 is no name. Appending is compatible only
/// between an agent and workers of one version, which is what the control protocol's version asserts.
pub const KNOWN: [&str; 56] = [
    "",
    "host",
    "user-agent",
    "accept",
    "accept-encoding",
    "accept-language",
    "connection",
    "cookie",
    "content-length",
    "content-type",
    "referer",
    "cache-control",
    "upgrade-insecure-requests",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-real-ip",
    "x-request-id",
    "x-request-start",
    "authorization",
    "origin",
    "if-none-match",
    "if-modified-since",
    "if-match",
    "if-range",
    "if-unmodified-since",
    "range",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-user",
    "sec-fetch-dest",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "dnt",
    "pragma",
    "upgrade",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-extensions",
    "sec-websocket-protocol",
    "x-requested-with",
    "x-csrf-token",
    "x-forwarded-scheme",
    "forwarded",
    "via",
    "te",
    "date",
    "from",
    "priority",
    "accept-charset",
    "expect",
    "traceparent",
    "tracestate",
    "keep-alive",
];

/// The id of `host` in [`KNOWN`].
pub const HOST: u16 = 1;
/// The id of `cookie` in [`KNOWN`].
pub const COOKIE: u16 = 7;
/// The id of `content-length` in [`KNOWN`].
pub const CONTENT_LENGTH: u16 = 8;

const BUCKETS: usize = 256;

const fn bucket(len: usize, first: u8, last: u8, middle: u8) -> usize {
    // Setting bit 5 folds letters to lower case; that it also folds a few other bytes does no harm in a hash.
    (len.wrapping_mul(29)
        .wrapping_add(((first | 0x20) as usize).wrapping_mul(7))
        .wrapping_add(((last | 0x20) as usize).wrapping_mul(37))
        .wrapping_add(((middle | 0x20) as usize).wrapping_mul(53)))
        % BUCKETS
}

const TABLE: [u8; BUCKETS] = {
    let mut table = [0; BUCKETS];
    let mut id = 1;
    while id < KNOWN.len() {
        let name = KNOWN[id].as_bytes();
        let mut at = bucket(name.len(), name[0], name[name.len() - 1], name[name.len() / 2]);
        while table[at] != 0 {
            at = (at + 1) % BUCKETS;
        }
        table[at] = id as u8;
        id += 1;
    }
    table
};

/// The number of a header name, whatever its case; 0 when it has none.
#[must_use]
pub fn id_of(name: &[u8]) -> u16 {
    let (Some(&first), Some(&last)) = (name.first(), name.last()) else { return 0 };
    let mut at = bucket(name.len(), first, last, name[name.len() / 2]);
    loop {
        let id = TABLE[at];
        if id == 0 || KNOWN[usize::from(id)].as_bytes().eq_ignore_ascii_case(name) {
            return u16::from(id);
        }
        at = (at + 1) % BUCKETS;
    }
}

/// The CGI name (RFC 3875) of a known header: `HTTP_ACCEPT`, but `CONTENT_TYPE` and `CONTENT_LENGTH`.
#[must_use]
pub fn cgi_name(id: u16) -> String {
    let name = KNOWN.get(usize::from(id)).copied().unwrap_or_default().to_ascii_uppercase().replace('-', "_");
    if name.starts_with("CONTENT_") { name } else { format!("HTTP_{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case_and_no_other() {
        for (id, name) in KNOWN.iter().enumerate().skip(1) {
            assert_eq!(id_of(name.as_bytes()), id as u16, "{name}");
            assert_eq!(id_of(name.to_ascii_uppercase().as_bytes()), id as u16, "{name}");
        }
        for name in ["", "x", "hosts", "accep", "x-foo", "content-lengti"] {
            assert_eq!(id_of(name.as_bytes()), 0, "{name}");
        }
        assert_eq!(
            [HOST, COOKIE, CONTENT_LENGTH].map(|id| KNOWN[usize::from(id)]),
            ["host", "cookie", "content-length"]
        );
    }

    #[test]
    fn cgi_names_follow_rfc_3875() {
        assert_eq!(cgi_name(id_of(b"accept")), "HTTP_ACCEPT");
        assert_eq!(cgi_name(id_of(b"content-type")), "CONTENT_TYPE");
    }
}
