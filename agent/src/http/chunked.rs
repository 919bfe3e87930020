//! The chunked transfer coding (RFC 9112, 7.1), decoded strictly, byte by byte where it matters. Extensions and trailers
//! are dropped.

use super::head::Rejection;

/// The most bytes of extensions after one size, and of trailers in all.
const MAX_OVERHEAD: usize = 8 * 1024;

/// Where in the coding the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Size { digits: u8 },
    Extension,
    SizeLineFeed,
    Data,
    DataCarriageReturn,
    DataLineFeed,
    TrailerStart,
    Trailer,
    TrailerLineFeed,
    LastLineFeed,
    Done,
}

/// Decodes one body.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    left: u64,
    overhead: usize,
}

impl Default for Decoder {
    /// Starts before the first chunk size.
    fn default() -> Self {
        Self { state: State::Size { digits: 0 }, left: 0, overhead: 0 }
    }
}

impl Decoder {
    /// Whether the last chunk and the trailers have been seen.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Takes coded bytes from `input`, gives decoded ones to `sink`, and returns how many it took: all, or up to the
    /// end of the body.
    ///
    /// # Errors
    /// 400 for anything but the coding as RFC 9112 has it, line ends without CR included.
    pub fn decode(&mut self, input: &[u8], sink: &mut Vec<u8>) -> Result<usize, Rejection> {
        let mut at = 0;
        while at < input.len() && self.state != State::Done {
            if self.state == State::Data {
                let take = usize::try_from(self.left).unwrap_or(usize::MAX).min(input.len() - at);
                sink.extend_from_slice(&input[at..at + take]);
                at += take;
                self.left -= take as u64;
                if self.left == 0 {
                    self.state = State::DataCarriageReturn;
                }
            } else {
                self.step(input[at])?;
                at += 1;
            }
        }
        Ok(at)
    }

    fn step(&mut self, byte: u8) -> Result<(), Rejection> {
        self.state = match (self.state, byte) {
            (State::Size { digits }, _) if byte.is_ascii_hexdigit() => {
                // 15 digits keep the size inside what a file offset can be.
                if digits == 15 {
                    return Err(bad("a chunk size is too large"));
                }
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                self.left = self.left << 4 | u64::from(digit);
                State::Size { digits: digits + 1 }
            }
            (State::Size { digits: 1.. }, b'\r') => State::SizeLineFeed,
            (State::Size { digits: 1.. }, b';' | b' ' | b'\t') => State::Extension,
            (State::Extension, b'\r') => State::SizeLineFeed,
            (State::Extension, _) if byte == b'\t' || !byte.is_ascii_control() => self.skip(State::Extension)?,
            (State::SizeLineFeed, b'\n') if self.left == 0 => State::TrailerStart,
            (State::SizeLineFeed, b'\n') => State::Data,
            (State::DataCarriageReturn, b'\r') => State::DataLineFeed,
            (State::DataLineFeed, b'\n') => State::Size { digits: 0 },
            (State::TrailerStart, b'\r') => State::LastLineFeed,
            (State::Trailer, b'\r') => State::TrailerLineFeed,
            (State::TrailerStart | State::Trailer, _) if byte == b'\t' || !byte.is_ascii_control() => {
                self.skip(State::Trailer)?
            }
            (State::TrailerLineFeed, b'\n') => State::TrailerStart,
            (State::LastLineFeed, b'\n') => State::Done,
            _ => return Err(bad("the chunked coding of the body is malformed")),
        };
        Ok(())
    }

    fn skip(&mut self, next: State) -> Result<State, Rejection> {
        self.overhead += 1;
        if self.overhead > MAX_OVERHEAD {
            return Err(bad("the extensions or trailers of the chunked body are too long"));
        }
        Ok(next)
    }
}

fn bad(reason: &'static str) -> Rejection {
    Rejection { status: 400, reason }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn decode(input: &str, step: usize) -> Result<(String, bool, usize), Rejection> {
        let (mut decoder, mut body, mut taken) = (Decoder::default(), Vec::new(), 0);
        for piece in input.as_bytes().chunks(step) {
            taken += decoder.decode(piece, &mut body)?;
        }
        Ok((String::from_utf8(body).unwrap(), decoder.is_done(), taken))
    }

    #[rstest]
    #[case("0\r\n\r\n", "")]
    #[case("5\r\nhello\r\n0\r\n\r\n", "hello")]
    #[case("5;a=b\r\nhello\r\n1 \r\n!\r\n000\r\n\r\n", "hello!")]
    #[case("a\r\n0123456789\r\n0\r\nX: y\r\nZ: w\r\n\r\n", "0123456789")]
    fn bodies_are_decoded_wherever_they_are_cut(#[case] input: &str, #[case] body: &str) {
        for step in 1..=input.len() {
            assert_eq!(decode(input, step), Ok((body.to_owned(), true, input.len())), "in steps of {step}");
        }
    }

    #[test]
    fn what_follows_the_body_is_left_alone() {
        assert_eq!(decode("0\r\n\r\nGET /", 100), Ok((String::new(), true, 5)));
    }

    #[rstest]
    #[case("\r\n")]
    #[case("x\r\n")]
    #[case("-5\r\nhello\r\n")]
    #[case("0x5\r\nhello\r\n")]
    #[case("5\nhello\r\n")]
    #[case("5\r\nhello!\r\n")]
    #[case("5\r\nhello\n0\r\n\r\n")]
    #[case("0\r\n\n")]
    #[case("fffffffffffffffff\r\n")]
    #[case("5;\u{0}\r\nhello\r\n")]
    fn anything_else_is_refused(#[case] input: &str) {
        assert_eq!(decode(input, 1).unwrap_err().status, 400);
    }

    #[test]
    fn endless_extensions_are_refused() {
        assert!(decode(&format!("5;{}", "a".repeat(MAX_OVERHEAD + 1)), 1000).is_err());
    }
}
