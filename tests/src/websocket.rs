//! A WebSocket client that checks what the server does, and can send what no well-behaved one would.

use crate::{PATIENCE, Server};
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;
use tungstenite::client::ClientRequestBuilder;
use tungstenite::error::Error;
use tungstenite::handshake::HandshakeError;
use tungstenite::http::Uri;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::protocol::frame::CloseFrame;
use tungstenite::protocol::frame::Frame;
use tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tungstenite::{Message, client};

/// An open WebSocket. Whatever takes longer than [`PATIENCE`] fails.
pub struct WebSocket {
    inner: tungstenite::WebSocket<TcpStream>,
    headers: Vec<(String, String)>,
}

/// How a server has refused a handshake.
#[derive(Debug)]
pub struct Refusal {
    /// The response's status.
    pub status: u16,
    /// As much of its body as came with the head.
    pub body: String,
}

impl WebSocket {
    /// Opens one.
    pub fn open(server: &Server, path: &str) -> Self {
        Self::try_open(server, path, &[]).unwrap_or_else(|refusal| panic!("{path} was refused: {refusal:?}"))
    }

    /// Opens one and offers these subprotocols, or says how that was refused.
    pub fn try_open(server: &Server, path: &str, subprotocols: &[&str]) -> Result<Self, Refusal> {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        stream.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a write timeout");
        let uri: Uri = format!("ws://127.0.0.1:{}{path}", server.port()).parse().expect("a path");
        let request =
            subprotocols.iter().fold(ClientRequestBuilder::new(uri), |request, name| request.with_sub_protocol(*name));
        let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        match client::client_with_config(request, stream, Some(config)) {
            Ok((inner, response)) => {
                let headers = response.headers().iter();
                let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                let headers = headers.map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
                Ok(Self { inner, headers })
            }
            Err(HandshakeError::Failure(Error::Http(response))) => {
                let body = response.body().as_deref().unwrap_or_default();
                Err(Refusal { status: response.status().as_u16(), body: String::from_utf8_lossy(body).into_owned() })
            }
            Err(error) => panic!("the handshake for {path} failed: {error:?}"),
        }
    }

    /// A header of the response that has accepted.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Sends a text message.
    pub fn send(&mut self, text: &str) {
        self.inner.send(Message::text(text)).expect("the message is taken");
    }

    /// Sends a binary message.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.inner.send(Message::binary(bytes.to_vec())).expect("the message is taken");
    }

    /// Sends a text message in fragments.
    pub fn send_fragments(&mut self, fragments: &[&[u8]]) {
        for (index, fragment) in fragments.iter().enumerate() {
            let kind = if index == 0 { Data::Text } else { Data::Continue };
            let frame = Frame::message(fragment.to_vec(), OpCode::Data(kind), index + 1 == fragments.len());
            self.inner.send(Message::Frame(frame)).expect("the fragment is taken");
        }
    }

    /// Sends a ping and waits for the pong; messages that come before are lost.
    pub fn ping(&mut self, payload: &[u8]) {
        self.inner.send(Message::Ping(payload.to_vec().into())).expect("the ping is taken");
        while self.receive_any() != Message::Pong(payload.to_vec().into()) {}
    }

    /// Sends these bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.inner.get_mut().write_all(bytes).expect("the bytes are taken");
    }

    /// Sends binary messages of this many bytes until the server takes no more for a while, or `limit` of them; returns
    /// how many it took. The next message is not to be sent before the rest of the last has been, by [`WebSocket::flush`].
    pub fn send_until_full(&mut self, length: usize, limit: usize) -> usize {
        self.inner.get_mut().set_write_timeout(Some(Duration::from_millis(300))).expect("a write timeout");
        let taken = (0..limit).find(|_| self.inner.send(Message::binary(vec![b'x'; length])).is_err());
        self.inner.get_mut().set_write_timeout(Some(PATIENCE)).expect("a write timeout");
        taken.unwrap_or(limit)
    }

    /// Sends what [`WebSocket::send_until_full`] has left.
    pub fn flush(&mut self) {
        self.inner.flush().expect("the rest is taken");
    }

    /// Receives a text message.
    pub fn receive(&mut self) -> String {
        match self.receive_any() {
            Message::Text(text) => text.to_string(),
            other => panic!("no text but {other:?}"),
        }
    }

    /// Receives a binary message.
    pub fn receive_bytes(&mut self) -> Vec<u8> {
        match self.receive_any() {
            Message::Binary(bytes) => bytes.to_vec(),
            other => panic!("no bytes but {other:?}"),
        }
    }

    /// Receives messages up to the server's close, which is answered: returns its code and reason.
    pub fn receive_close(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.receive_any() {
                // Until the server has ended the connection, as it must.
                while self.inner.read().is_ok() {}
                return frame.map_or((1005, String::new()), |frame| (frame.code.into(), frame.reason.to_string()));
            }
        }
    }

    /// Closes and waits for the answer: returns its code.
    pub fn close(mut self, code: u16, reason: &str) -> u16 {
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        self.inner.close(Some(frame)).expect("the close is taken");
        self.receive_close().0
    }

    /// Waits until the server has cut the connection, without a close.
    pub fn expect_cut(&mut self) {
        match self.inner.read() {
            Err(Error::Protocol(_) | Error::Io(_)) => {}
            other => panic!("not cut: {other:?}"),
        }
    }

    /// Receives whatever comes.
    pub fn receive_any(&mut self) -> Message {
        self.inner.read().unwrap_or_else(|error| panic!("no message: {error}"))
    }
}
