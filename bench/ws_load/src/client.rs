//! One WebSocket client.

use std::net::SocketAddr;
use std::time::Instant;

use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, Role, WebSocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::tally::{Failure, Tally};

/// Bytes of a message.
const MESSAGE_BYTES: usize = 64;
/// More than any server's answer to the handshake.
const HEAD_BYTES: usize = 8192;
const NORMAL_CLOSE: u16 = 1000;

pub struct Client {
    number: usize,
    socket: FragmentCollector<TcpStream>,
}

impl Client {
    /// Connects and shakes hands (RFC 6455 section 4.1). Offers no extension, so that no server compresses.
    pub async fn connect(server: SocketAddr, number: usize) -> Result<Self, Failure> {
        let mut stream = TcpStream::connect(server).await.map_err(|_| Failure::Connect)?;
        stream.set_nodelay(true).map_err(|_| Failure::Connect)?;
        let request = format!(
            "GET / HTTP/1.1\r\nhost: {server}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.map_err(|_| Failure::Write)?;
        let head = read_head(&mut stream).await?;
        if !head.starts_with(b"HTTP/1.1 101 ") {
            return Err(Failure::Status);
        }
        Ok(Self { number, socket: FragmentCollector::new(WebSocket::after_handshake(stream, Role::Client)) })
    }

    /// Sends messages, one after the echo of the other, until `deadline`; then closes.
    pub async fn run(mut self, deadline: Instant) -> Tally {
        let mut tally = Tally::default();
        loop {
            let sent = Instant::now();
            if sent >= deadline {
                break;
            }
            let message = self.message(tally.echoes());
            if let Err(failure) = self.exchange(message).await {
                tally.failed(failure);
                return tally;
            }
            let answered = Instant::now();
            // An echo that came too late is no part of the time that was measured.
            if answered < deadline {
                tally.echoed(MESSAGE_BYTES, answered - sent);
            }
        }
        if let Err(failure) = self.close().await {
            tally.failed(failure);
        }
        tally
    }

    /// Another one each time, so that an echo of something else is noticed.
    fn message(&self, echoes: usize) -> [u8; MESSAGE_BYTES] {
        let mut message = [b'.'; MESSAGE_BYTES];
        let text = format!("message {echoes} of client {}", self.number);
        message[..text.len()].copy_from_slice(text.as_bytes());
        message
    }

    async fn exchange(&mut self, message: [u8; MESSAGE_BYTES]) -> Result<(), Failure> {
        let frame = Frame::text(Payload::Owned(message.to_vec()));
        self.socket.write_frame(frame).await.map_err(|_| Failure::Write)?;
        loop {
            let frame = self.socket.read_frame().await.map_err(|_| Failure::Read)?;
            match frame.opcode {
                // Answered by the library.
                OpCode::Ping | OpCode::Pong => {}
                OpCode::Text if *frame.payload == message => return Ok(()),
                OpCode::Close => return Err(Failure::Read),
                _ => return Err(Failure::Echo),
            }
        }
    }

    async fn close(&mut self) -> Result<(), Failure> {
        self.socket.write_frame(Frame::close(NORMAL_CLOSE, b"")).await.map_err(|_| Failure::Write)?;
        while self.socket.read_frame().await.map_err(|_| Failure::Read)?.opcode != OpCode::Close {}
        Ok(())
    }
}

/// The head of the server's answer, and nothing behind it: the server has nothing to say before the first message.
async fn read_head(stream: &mut TcpStream) -> Result<Vec<u8>, Failure> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    while !head.ends_with(b"\r\n\r\n") {
        let bytes = stream.read_buf(&mut head).await.map_err(|_| Failure::Read)?;
        if bytes == 0 || head.len() > HEAD_BYTES {
            return Err(Failure::Status);
        }
    }
    Ok(head)
}
