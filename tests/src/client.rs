//! A client that sends exactly the bytes it is told to.

use crate::{PATIENCE, Request, Response};
use std::io::{BufRead as _, BufReader, Read, Result, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A connection to a server. Whatever takes longer than [`PATIENCE`] fails.
pub struct Connection {
    input: BufReader<Box<dyn Socket>>,
}

impl Connection {
    /// Connects over TCP.
    pub fn tcp(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)
            .unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        stream.set_nodelay(true).expect("TCP_NODELAY");
        Self::over(stream)
    }

    /// Connects over a Unix socket.
    pub fn unix(path: &Path) -> Self {
        let stream =
            UnixStream::connect(path).unwrap_or_else(|error| panic!("cannot connect to {}: {error}", path.display()));
        Self::over(stream)
    }

    fn over(socket: impl Socket + 'static) -> Self {
        socket.limit_waiting().expect("socket timeouts");
        Self { input: BufReader::new(Box::new(socket)) }
    }

    /// Sends these bytes. A server may have closed already, having seen enough; what it answered can still be received.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.try_send(bytes);
    }

    /// Sends these bytes, or says why not.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.input.get_mut().write_all(bytes.as_ref())
    }

    /// Says that nothing more will be sent, and goes on receiving.
    pub fn finish_sending(&mut self) {
        self.input.get_mut().shut_down_writing().expect("the write side closes");
    }

    /// Sends a request and receives the response.
    pub fn request(&mut self, request: &Request) -> Response {
        self.send(request.to_bytes());
        if request.method() == "HEAD" { self.receive_head() } else { self.receive() }
    }

    /// Receives a response, an interim one (1xx) too.
    pub fn receive(&mut self) -> Response {
        self.try_receive().unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// Receives a response, or says why there is none that is complete and well-formed.
    pub fn try_receive(&mut self) -> Result<Response> {
        Response::read(&mut self.input, true)
    }

    /// Sends a request and receives the response, or nothing if the server closes the connection instead.
    pub fn request_if_open(&mut self, request: &Request) -> Option<Response> {
        self.send(request.to_bytes());
        let is_open = self.input.fill_buf().is_ok_and(|bytes| !bytes.is_empty());
        is_open.then(|| self.receive())
    }

    /// Receives a response to HEAD.
    pub fn receive_head(&mut self) -> Response {
        Response::read(&mut self.input, false).unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// Receives raw bytes until these have come.
    pub fn receive_until(&mut self, end: &str) -> String {
        let mut received = Vec::new();
        let mut byte = [0];
        while !received.ends_with(end.as_bytes()) {
            if let Err(error) = self.input.read_exact(&mut byte) {
                panic!("{error}, {end:?} not in {:?}", String::from_utf8_lossy(&received));
            }
            received.extend(byte);
        }
        String::from_utf8_lossy(&received).into_owned()
    }

    /// Receives raw bytes until the server closes the connection.
    pub fn receive_rest(&mut self) -> String {
        let mut received = Vec::new();
        let mut piece = [0; 16_384];
        loop {
            match self.input.read(&mut piece) {
                Ok(0) => break,
                Ok(length) => received.extend(&piece[..length]),
                // It closed with bytes of ours unread.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
                Err(error) => panic!("{error}, not closed after {:?}", String::from_utf8_lossy(&received)),
            }
        }
        String::from_utf8_lossy(&received).into_owned()
    }

    /// Waits until the server closes the connection; it must send nothing before.
    pub fn expect_close(&mut self) {
        assert_eq!(self.receive_rest(), "", "the server should close without another byte");
    }

    /// Whether bytes are there, without waiting for any.
    pub fn has_received(&mut self) -> bool {
        self.input.get_mut().set_waiting(false).expect("a socket without waiting");
        let received = self.input.fill_buf().is_ok_and(|bytes| !bytes.is_empty());
        self.input.get_mut().set_waiting(true).expect("a waiting socket");
        received
    }
}

/// What a connection needs of TCP and Unix sockets.
trait Socket: Read + Write + Send {
    fn limit_waiting(&self) -> Result<()>;
    fn set_waiting(&self, waiting: bool) -> Result<()>;
    fn shut_down_writing(&self) -> Result<()>;
}

impl Socket for TcpStream {
    fn limit_waiting(&self) -> Result<()> {
        self.set_read_timeout(Some(PATIENCE)).and_then(|()| self.set_write_timeout(Some(PATIENCE)))
    }

    fn set_waiting(&self, waiting: bool) -> Result<()> {
        self.set_nonblocking(!waiting)
    }

    fn shut_down_writing(&self) -> Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Socket for UnixStream {
    fn limit_waiting(&self) -> Result<()> {
        self.set_read_timeout(Some(PATIENCE)).and_then(|()| self.set_write_timeout(Some(PATIENCE)))
    }

    fn set_waiting(&self, waiting: bool) -> Result<()> {
        self.set_nonblocking(!waiting)
    }

    fn shut_down_writing(&self) -> Result<()> {
        self.shutdown(Shutdown::Write)
    }
}
