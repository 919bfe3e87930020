//! The head of a response, from what the application says to the bytes of its frame.

use passenger_native::frame::{self, HEADER_LEN, Header, MAX_PAYLOAD};
use passenger_native::headers::BlockWriter;
use passenger_native::response::{is_valid_name, is_valid_value};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Up to this many bytes a body travels in one frame with its head.
pub(crate) const ONE_FRAME: usize = 900 * 1024;
/// The headers that always have room beside such a body.
const MAX_HEADERS: usize = MAX_PAYLOAD - ONE_FRAME;

/// A status and its headers, checked.
#[derive(Default)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// The announced length of the body.
    pub(crate) length: Option<u64>,
    /// The header block as it goes over the wire.
    block: Vec<u8>,
}

/// Adds headers to a head.
pub(crate) struct HeadWriter<'a> {
    block: BlockWriter<'a>,
    length: &'a mut Option<u64>,
}

/// Whether responses with this status have no body (RFC 9110, 6.4.1).
pub(crate) fn is_bodiless(status: u16) -> bool {
    status < 200 || status == 204 || status == 304
}

/// Checks a status for a final response.
///
/// # Errors
/// `ValueError` unless it is 200 to 999.
pub(crate) fn check_status(status: u16) -> PyResult<u16> {
    if (200..1000).contains(&status) {
        return Ok(status);
    }
    Err(PyValueError::new_err(format!("{status} is no status for a response; it must be 200 to 999")))
}

impl Head {
    /// Begins anew with `status`, and the headers that `add` gives to the writer. When that fails, what the head says
    /// is undefined.
    ///
    /// # Errors
    /// Those of `add`; `ValueError` when the headers are too long together.
    pub(crate) fn fill(&mut self, status: u16, add: impl FnOnce(&mut HeadWriter<'_>) -> PyResult<()>) -> PyResult<()> {
        self.status = status;
        self.length = None;
        self.block.clear();
        let mut writer = HeadWriter { block: BlockWriter::new(&mut self.block), length: &mut self.length };
        add(&mut writer)?;
        writer.block.finish().map_err(|error| PyValueError::new_err(error.to_string()))?;
        if self.block.len() > MAX_HEADERS {
            let length = self.block.len();
            return Err(PyValueError::new_err(format!(
                "the headers are {length} bytes long, the limit is {MAX_HEADERS}"
            )));
        }
        Ok(())
    }

    /// Announces the length of a body that was given without one.
    pub(crate) fn announce(&mut self, length: u64) {
        self.length = Some(length);
        let mut entry = Vec::new();
        BlockWriter::new(&mut entry).named(b"content-length", length.to_string().as_bytes());
        self.block.extend_from_slice(&entry[4..]);
        let entries = (self.block.len() - 4) as u32;
        self.block[..4].copy_from_slice(&entries.to_le_bytes());
    }

    /// Appends the head's frame to `out`, all but its last `rest` bytes, which are body and follow; together with the
    /// header block they must be within [`frame::MAX_PAYLOAD`].
    pub(crate) fn write(&self, out: &mut Vec<u8>, header: Header, rest: usize) {
        out.reserve(HEADER_LEN + self.block.len() + rest.min(ONE_FRAME));
        let length = (self.block.len() + rest) as u32;
        out.extend_from_slice(&frame::Header { length, aux: self.status, ..header }.encode());
        out.extend_from_slice(&self.block);
    }
}

impl HeadWriter<'_> {
    /// Adds one header. Those that concern a single connection (RFC 2616, 13.5.1) are not the application's to send and
    /// are left out, as by Gunicorn, except `connection` and `keep-alive`, which the agent reads.
    ///
    /// # Errors
    /// `ValueError` for what would break the HTTP message.
    pub(crate) fn add(&mut self, name: &[u8], value: &[u8]) -> PyResult<()> {
        if !is_valid_name(name) || !is_valid_value(value) {
            return Err(invalid(name, value));
        }
        match name.len() {
            2 | 7 | 8 | 17 | 18 | 19 if is_hop_by_hop(name) => return Ok(()),
            14 if name.eq_ignore_ascii_case(b"content-length") => self.set_length(value)?,
            _ => {}
        }
        self.block.named(name, value);
        Ok(())
    }

    fn set_length(&mut self, value: &[u8]) -> PyResult<()> {
        let digits = value.trim_ascii();
        let length = std::str::from_utf8(digits).ok().filter(|_| digits.iter().all(u8::is_ascii_digit));
        let length = length.and_then(|text| text.parse().ok());
        match length {
            Some(length) if self.length.is_none_or(|other| other == length) => {
                *self.length = Some(length);
                Ok(())
            }
            _ => Err(invalid(b"content-length", value)),
        }
    }
}

fn is_hop_by_hop(name: &[u8]) -> bool {
    const NAMES: [&str; 7] =
        ["te", "trailer", "trailers", "upgrade", "transfer-encoding", "proxy-authenticate", "proxy-authorization"];
    NAMES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
}

fn invalid(name: &[u8], value: &[u8]) -> PyErr {
    let (name, value) = (name.escape_ascii(), value.escape_ascii());
    PyValueError::new_err(format!("the header '{name}' can't be sent with the value '{value}'"))
}
