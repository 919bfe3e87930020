//! An application's response head as the client gets it.

use passenger_native::headers::HeaderBlock;

use crate::http::head::parse_length;
use crate::http::response::{self, Context, Framing, allows_body};

/// What the application's headers said about the message; the lines themselves are in the output buffer.
#[derive(Default)]
pub struct Announced {
    /// `Content-Length`.
    pub length: Option<u64>,
    /// `X-Sendfile`: the body is this file.
    pub file: Option<Vec<u8>>,
    /// `X-Passenger-Request-OOB-Work`: the worker has something to do when nobody waits.
    pub oob_work: bool,
    coded: bool,
    close: bool,
    malformed: bool,
}

impl Announced {
    /// Whether the head can't be sent: two different lengths, one that is no number, or a coding for a file that the
    /// server sends.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        self.malformed || (self.coded && self.file.is_some())
    }

    /// How the client will find the end of the body. `complete` is the length of the whole body when it is at hand.
    #[must_use]
    pub fn framing(&self, status: u16, context: &Context, complete: Option<u64>) -> Framing {
        if status == 101 || status == 204 {
            Framing::Empty(None)
        } else if context.is_head || !allows_body(status) {
            Framing::Empty(self.length)
        } else if self.coded {
            Framing::Coded
        } else if let Some(length) = self.length.or(complete) {
            Framing::Length(length)
        } else if context.protocol == passenger_native::request::Protocol::Http11 {
            Framing::Chunked
        } else {
            Framing::Close
        }
    }

    /// Whether the connection can go on after the response.
    #[must_use]
    pub fn keep_alive(&self, framing: Framing, context: &Context) -> bool {
        context.keep_alive && !self.close && !matches!(framing, Framing::Coded | Framing::Close)
    }
}

/// Writes the status line and the application's headers, except those that are the server's to say.
pub fn write(out: &mut Vec<u8>, status: u16, headers: &HeaderBlock<'_>) -> Announced {
    let mut announced = Announced::default();
    let mut has_date = false;
    response::status_line(out, status);
    for header in headers.iter() {
        let (name, value) = (header.name, header.value);
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        match name.len() {
            4 if is("date") => has_date = true,
            7 if is("upgrade") && status != 101 => continue,
            10 if is("connection") => {
                announced.close |= value.eq_ignore_ascii_case(b"close");
                // Only a switch of protocols names other headers here that matter to the client.
                if status != 101 {
                    continue;
                }
            }
            10 if is("keep-alive") => continue,
            10 if is("x-sendfile") => {
                announced.file = Some(value.to_vec());
                continue;
            }
            14 if is("content-length") => {
                let length = parse_length(value.trim_ascii());
                announced.malformed |= length.is_none() || announced.length.is_some_and(|other| Some(other) != length);
                announced.length = length;
                continue;
            }
            17 if is("transfer-encoding") => {
                announced.coded = true;
            }
            28 if is("x-passenger-request-oob-work") => {
                announced.oob_work = true;
                continue;
            }
            _ => {}
        }
        response::header(out, name, value);
    }
    if !has_date && status >= 200 {
        response::date(out);
    }
    announced
}
