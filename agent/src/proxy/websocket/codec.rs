//! RFC 6455 between bytes and messages, without I/O: [`Wire`] is where the bytes are.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes, BytesMut};
use passenger_native::frame::{BINARY, TEXT};
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::protocol::frame::{CloseFrame, Frame, Utf8Bytes};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message, error::ProtocolError};

/// The longest message that a client may send, in bytes.
pub const MAX_MESSAGE: usize = 16 << 20;
/// What the codec takes off the input at once. It zeroes as much for every read, so this is small.
const READ: usize = 4 * 1024;

/// Bytes from the client that have not been decoded, and bytes for it.
pub struct Wire<'a> {
    /// From the client.
    pub input: &'a mut BytesMut,
    /// For the client.
    pub output: &'a mut Vec<u8>,
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let length = buffer.len().min(self.input.len());
        self.input.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What the client said.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// A message, and whether it is text or binary, in the words of a Message frame.
    Message(u16, Bytes),
    /// A ping; it is answered with the next call.
    Ping,
    /// A pong.
    Pong,
    /// That it closes, or agrees to; code and reason as in RFC 6455, 5.5.1.
    Close(Vec<u8>),
    /// Everything: both sides have closed, and the connection is to be ended.
    Everything,
    /// What must not be said; it has been told so. Code and reason as in RFC 6455, 5.5.1.
    Nonsense(Vec<u8>),
}

/// The server's side of one conversation.
pub struct Codec {
    context: WebSocketContext,
    /// The last frame that was written had not the end of its message.
    in_message: bool,
}

impl Codec {
    /// For a conversation that begins.
    #[must_use]
    pub fn new() -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(READ)
            .write_buffer_size(0)
            .max_message_size(Some(MAX_MESSAGE))
            .max_frame_size(Some(MAX_MESSAGE));
        Self { context: WebSocketContext::new(Role::Server, Some(config)), in_message: false }
    }

    /// What the client said next; `None` when more must arrive first.
    pub fn next(&mut self, mut wire: Wire<'_>) -> Option<Said> {
        let error = match self.context.read(&mut wire) {
            Ok(Message::Text(text)) => return Some(Said::Message(TEXT, text.into())),
            Ok(Message::Binary(bytes)) => return Some(Said::Message(BINARY, bytes)),
            Ok(Message::Close(frame)) => return Some(Said::Close(frame.map(close_payload).unwrap_or_default())),
            Ok(Message::Ping(_)) => return Some(Said::Ping),
            Ok(Message::Pong(_) | Message::Frame(_)) => return Some(Said::Pong),
            Err(error) => error,
        };
        let (code, reason) = match error {
            Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
            Error::ConnectionClosed | Error::AlreadyClosed => return Some(Said::Everything),
            Error::Capacity(_) => (CloseCode::Size, "the message is too long".to_owned()),
            Error::Utf8(_) => (CloseCode::Invalid, "the text is not UTF-8".to_owned()),
            Error::Protocol(ProtocolError::InvalidCloseSequence) => (CloseCode::Protocol, String::new()),
            error => (CloseCode::Protocol, error.to_string()),
        };
        let frame = close_frame(code, &reason);
        let payload = close_payload(frame.clone());
        self.end(wire, Some(frame));
        Some(Said::Nonsense(payload))
    }

    /// Appends a message or a part of one; after a close nothing.
    pub fn write(&mut self, mut wire: Wire<'_>, kind: u16, payload: Bytes, more: bool) {
        let data = match (self.in_message, kind) {
            (true, _) => Data::Continue,
            (false, TEXT) => Data::Text,
            (false, _) => Data::Binary,
        };
        self.in_message = more;
        let frame = Frame::message(payload, OpCode::Data(data), !more);
        if let Err(error) = self.context.write(&mut wire, Message::Frame(frame)) {
            // The client has closed meanwhile, so it would not look at this.
            tracing::trace!("a WebSocket message was dropped: {error}");
        }
    }

    /// Appends a ping.
    pub fn ping(&mut self, mut wire: Wire<'_>) {
        // Fails only when the client has closed, and is not waited for any more.
        let _ = self.context.write(&mut wire, Message::Ping(Bytes::new()));
    }

    /// Appends a close with this code and reason, as in RFC 6455, 5.5.1.
    ///
    /// # Errors
    /// When the payload is no such thing; another close has been written then.
    pub fn close(&mut self, wire: Wire<'_>, payload: &[u8]) -> Result<(), &'static str> {
        let (frame, result) = match parse_close(payload) {
            Ok(frame) => (frame, Ok(())),
            Err(mistake) => (Some(close_frame(CloseCode::Error, "")), Err(mistake)),
        };
        self.end(wire, frame);
        result
    }

    fn end(&mut self, mut wire: Wire<'_>, frame: Option<CloseFrame>) {
        // Fails only when both sides have closed already.
        let _ = self.context.close(&mut wire, frame);
    }
}

fn close_frame(code: CloseCode, reason: &str) -> CloseFrame {
    CloseFrame { code, reason: Utf8Bytes::from(reason) }
}

fn close_payload(frame: CloseFrame) -> Vec<u8> {
    let code: u16 = frame.code.into();
    [&code.to_be_bytes(), frame.reason.as_bytes()].concat()
}

fn parse_close(payload: &[u8]) -> Result<Option<CloseFrame>, &'static str> {
    if payload.is_empty() {
        return Ok(None);
    }
    let Some((code, reason)) = payload.split_first_chunk::<2>() else { return Err("a code has two bytes") };
    let code = CloseCode::from(u16::from_be_bytes(*code));
    let reason = std::str::from_utf8(reason).map_err(|_| "the reason is not UTF-8")?;
    if !code.is_allowed() {
        return Err("the code is none that can be sent");
    }
    if reason.len() > 123 {
        return Err("the reason is longer than 123 bytes");
    }
    Ok(Some(close_frame(code, reason)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// A frame as a client sends it, with the mask 1, 2, 3, 4.
    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | length as u8),
            length @ 126..0x1_0000 => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend([1, 2, 3, 4]);
        frame.extend(payload.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    /// What was understood of these bytes, and what goes back.
    fn hear(codec: &mut Codec, bytes: &[u8]) -> (Vec<Said>, Vec<u8>) {
        let (mut input, mut output, mut said) = (BytesMut::from(bytes), Vec::new(), Vec::new());
        while let Some(next) = codec.next(Wire { input: &mut input, output: &mut output }) {
            let ends = matches!(next, Said::Everything | Said::Nonsense(_));
            said.push(next);
            if ends {
                break;
            }
        }
        (said, output)
    }

    #[test]
    fn several_messages_and_fragments_are_understood_however_they_are_cut() {
        let long = vec![b'x'; 70_000];
        let bytes = [
            masked(0x81, "h\u{e9}".as_bytes()),
            masked(0x01, &"\u{e9}".as_bytes()[..1]),
            masked(0x89, b"ping"),
            masked(0x80, &"\u{e9}".as_bytes()[1..]),
            masked(0x82, &long),
            masked(0x81, b""),
        ]
        .concat();
        for step in [1, 7, 4096, 100_000] {
            let (mut codec, mut said, mut answer) = (Codec::new(), Vec::new(), Vec::new());
            for piece in bytes.chunks(step) {
                let (more, output) = hear(&mut codec, piece);
                said.extend(more);
                answer.extend(output);
            }
            let expected = [
                Said::Message(TEXT, Bytes::from("h\u{e9}")),
                Said::Ping,
                Said::Message(TEXT, Bytes::from("\u{e9}")),
                Said::Message(BINARY, Bytes::from(long.clone())),
                Said::Message(TEXT, Bytes::new()),
            ];
            assert_eq!(said, expected, "in steps of {step}");
            assert_eq!(answer, b"\x8a\x04ping", "in steps of {step}");
        }
    }

    #[test]
    fn a_close_is_answered_with_the_same_code() {
        let (said, answer) = hear(&mut Codec::new(), &masked(0x88, b"\x0f\xa1bye"));
        assert_eq!(said, [Said::Close(b"\x0f\xa1bye".to_vec()), Said::Everything]);
        assert_eq!(answer, b"\x88\x05\x0f\xa1bye");
        let (said, answer) = hear(&mut Codec::new(), &masked(0x88, b""));
        assert_eq!(said, [Said::Close(Vec::new()), Said::Everything]);
        assert_eq!(answer, b"\x88\x00");
    }

    #[rstest]
    #[case::not_utf8(masked(0x81, b"\xff"), 1007)]
    #[case::unmasked(vec![0x81, 0x01, b'x'], 1002)]
    #[case::reserved_bit(masked(0xc1, b"x"), 1002)]
    #[case::continuation_of_nothing(masked(0x80, b"x"), 1002)]
    #[case::long_ping(masked(0x89, &[0; 126]), 1002)]
    #[case::cut_close(masked(0x88, b"\x03"), 1002)]
    #[case::too_long(masked(0x82, &vec![0; MAX_MESSAGE + 1]), 1009)]
    #[case::too_long_in_pieces([masked(0x02, &vec![0; MAX_MESSAGE]), masked(0x80, b"x")].concat(), 1009)]
    fn what_must_not_be_sent_closes_the_conversation(#[case] bytes: Vec<u8>, #[case] code: u16) {
        let (said, answer) = hear(&mut Codec::new(), &bytes);
        let [Said::Nonsense(payload)] = &said[..] else { panic!("{said:?}") };
        assert_eq!(payload[..2], code.to_be_bytes());
        assert_eq!((answer[0], &answer[2..]), (0x88, &payload[..]));
    }

    #[test]
    fn a_message_in_parts_becomes_fragments() {
        let (mut input, mut output, mut codec) = (BytesMut::new(), Vec::new(), Codec::new());
        for (payload, more) in [("a", true), ("b", true), ("c", false), ("d", false)] {
            let wire = Wire { input: &mut input, output: &mut output };
            codec.write(wire, TEXT, Bytes::from_static(payload.as_bytes()), more);
        }
        assert_eq!(output, b"\x01\x01a\x00\x01b\x80\x01c\x81\x01d");
    }

    #[rstest]
    #[case(b"", b"\x88\x00", true)]
    #[case(b"\x03\xe8", b"\x88\x02\x03\xe8", true)]
    #[case(b"\x0f\xa0why", b"\x88\x05\x0f\xa0why", true)]
    #[case::half_a_code(b"\x03", b"\x88\x02\x03\xf3", false)]
    #[case::not_to_be_sent(b"\x03\xee", b"\x88\x02\x03\xf3", false)]
    #[case::not_utf8(b"\x03\xe8\xff", b"\x88\x02\x03\xf3", false)]
    fn the_applications_close_is_checked(#[case] payload: &[u8], #[case] sent: &[u8], #[case] is_fine: bool) {
        let (mut input, mut output) = (BytesMut::new(), Vec::new());
        let result = Codec::new().close(Wire { input: &mut input, output: &mut output }, payload);
        assert_eq!((&output[..], result.is_ok()), (sent, is_fine));
    }
}
