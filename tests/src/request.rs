//! Well-formed requests. Malformed ones are written out byte by byte where they are needed.

/// An HTTP/1.1 request.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// A request with any method.
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// A GET request.
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A POST request whose body has a Content-Length.
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        let mut request = Self::new("POST", target);
        request.body = body.into();
        let length = request.body.len().to_string();
        request.header("Content-Length", &length)
    }

    /// A POST request whose body comes in chunks of these sizes, the last one again and again.
    pub fn post_chunked(target: &str, body: &[u8], sizes: &[usize]) -> Self {
        let mut request = Self::new("POST", target).header("Transfer-Encoding", "chunked");
        let mut rest = body;
        let mut sizes = sizes.iter().chain(std::iter::repeat(sizes.last().expect("at least one size")));
        while !rest.is_empty() {
            let (chunk, behind) = rest.split_at(rest.len().min(*sizes.next().expect("sizes repeat")));
            request.body.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
            request.body.extend(chunk);
            request.body.extend(b"\r\n");
            rest = behind;
        }
        request.body.extend(b"0\r\n\r\n");
        request
    }

    /// Adds a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// What goes over the wire, with a Host if none was given.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head += "Host: localhost\r\n";
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "\r\n";
        [head.as_bytes(), &self.body].concat()
    }
}
