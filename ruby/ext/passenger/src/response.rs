//! From a Rack response to frames.

use std::ffi::c_int;

use magnus::rb_sys::{AsRawValue, FromRawValue, protect};
use magnus::{Error, RHash, Ruby, Value, prelude::*};
use passenger_native::frame;
use passenger_native::response::ResponseWriter;
use rb_sys::{
    Qnil, RARRAY_CONST_PTR, RARRAY_LEN, RB_TYPE_P, RSTRING_LEN, RSTRING_PTR, VALUE, rb_hash_foreach,
    ruby_value_type::{RUBY_T_ARRAY, RUBY_T_STRING},
};

use crate::{error, sending};

/// Up to this many bytes a body travels in one frame with its head.
const ONE_FRAME: usize = sending::PART;

/// The head of a response, checked and in the output up to its last header.
pub(crate) struct Head<'a> {
    writer: ResponseWriter<'a>,
    has_length: bool,
}

/// How the body of a finished head has to follow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Its parts belong to the frame of the head, which has END.
    One,
    /// In frames of its own; the frame of the head has no END.
    Own,
}

struct Scan<'a> {
    head: Head<'a>,
    /// A header that must not be sent.
    invalid: Option<(VALUE, VALUE)>,
    /// A name or value that is not of the plain kinds.
    odd: bool,
}

/// The bytes of a string.
///
/// # Safety
/// `string` is a String, and neither it changes nor Ruby runs while the slice is in use.
pub(crate) unsafe fn bytes<'a>(string: VALUE) -> &'a [u8] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(RSTRING_PTR(string).cast(), RSTRING_LEN(string) as usize) }
}

/// The elements of an array.
///
/// # Safety
/// `array` is an Array, and neither it changes nor Ruby runs while the slice is in use.
pub(crate) unsafe fn elements<'a>(array: VALUE) -> &'a [VALUE] {
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(RARRAY_CONST_PTR(array), RARRAY_LEN(array) as usize) }
}

unsafe fn is_string(value: VALUE) -> bool {
    // SAFETY: the caller says that it is a value.
    unsafe { RB_TYPE_P(value, RUBY_T_STRING) }
}

/// Checks a status for a final response: 200 to 999, and 101 only if the connection is `upgraded` afterwards.
pub(crate) fn check_status(ruby: &Ruby, status: i64, upgraded: bool) -> Result<u16, Error> {
    match u16::try_from(status) {
        Ok(status) if (200..1000).contains(&status) || (status == 101 && upgraded) => Ok(status),
        _ => Err(error::invalid_response(ruby, format!("{status} is no status for a response"))),
    }
}

/// Whether responses with this status have no body (RFC 9110, 6.4.1).
pub(crate) fn is_bodiless(status: u16) -> bool {
    status < 200 || status == 204 || status == 304
}

impl<'a> Head<'a> {
    /// Starts a frame in `out` with `headers`. `None` if there are names or values that are not strings or arrays of
    /// strings, or names that begin with `rack.`: Ruby has to look at them first. What was written is taken back then, as on errors.
    ///
    /// # Errors
    /// `Passenger::InvalidResponse` for a header that would break the HTTP message.
    pub(crate) fn write(ruby: &Ruby, out: &'a mut Vec<u8>, headers: RHash) -> Result<Option<Self>, Error> {
        let head = Head { writer: ResponseWriter::new(out), has_length: false };
        let mut scan = Scan { head, invalid: None, odd: false };
        let argument = &raw mut scan as VALUE;
        let hash = headers.as_raw();
        protect(|| {
            // SAFETY: `headers` is a hash; `add` gets the pointer to `scan`, which outlives the call.
            unsafe { rb_hash_foreach(hash, Some(add), argument) };
            Qnil.into()
        })?;
        if let Some((name, value)) = scan.invalid {
            scan.head.writer.abandon();
            // SAFETY: both are in `headers`, which the caller holds.
            let (name, value) = unsafe { (Value::from_raw(name), Value::from_raw(value)) };
            let message = format!("the header {} can't be sent with the value {}", name.inspect(), value.inspect());
            return Err(error::invalid_response(ruby, message));
        }
        if scan.odd {
            scan.head.writer.abandon();
            return Ok(None);
        }
        Ok(Some(scan.head))
    }

    /// Ends the frame without body bytes.
    pub(crate) fn finish(self, ruby: &Ruby, header: frame::Header) -> Result<(), Error> {
        self.writer.finish(header, &[]).map_err(|error| error::invalid_response(ruby, format!("headers: {error}")))
    }

    /// Ends the frame ahead of the strings in `body`; `header` is of a frame with END. `None` if there are parts that
    /// are not strings; the frame is taken back then.
    pub(crate) fn finish_ahead(
        self,
        ruby: &Ruby,
        header: frame::Header,
        body: &[VALUE],
    ) -> Result<Option<Framing>, Error> {
        let Self { mut writer, has_length } = self;
        // SAFETY: the caller's slice is of values.
        if !body.iter().all(|&part| unsafe { is_string(part) }) {
            writer.abandon();
            return Ok(None);
        }
        // SAFETY: they are strings.
        let total: usize = body.iter().map(|&part| unsafe { bytes(part) }.len()).sum();
        let finished = if total <= ONE_FRAME {
            writer.finish_ahead(header, total).map(|()| Framing::One)
        } else {
            // In several frames the length can't be seen from the first, so it is said.
            if !has_length {
                let _ = writer.header(b"content-length", total.to_string().as_bytes());
            }
            writer.finish(frame::Header { flags: 0, value: 0, ..header }, &[]).map(|()| Framing::Own)
        };
        finished.map(Some).map_err(|error| error::invalid_response(ruby, format!("headers: {error}")))
    }
}

/// Adds one header of the application's hash; called by `rb_hash_foreach`, so it must neither panic nor raise.
unsafe extern "C" fn add(name: VALUE, value: VALUE, scan: VALUE) -> c_int {
    const CONTINUE: c_int = 0;
    const STOP: c_int = 1;
    // SAFETY: `Head::write` passes a pointer to its `Scan`.
    let scan = unsafe { &mut *(scan as *mut Scan<'_>) };
    // SAFETY: the hash's names and values are values; strings and arrays stay as they are while this runs.
    let valid = unsafe {
        if !is_string(name) || bytes(name).starts_with(b"rack.") {
            None
        } else if is_string(value) {
            Some(scan.head.add_lines(bytes(name), bytes(value)))
        } else if RB_TYPE_P(value, RUBY_T_ARRAY) && elements(value).iter().all(|&value| is_string(value)) {
            let mut values = elements(value).iter();
            Some(values.all(|&value| scan.head.add_lines(bytes(name), bytes(value))))
        } else {
            None
        }
    };
    match valid {
        Some(true) => return CONTINUE,
        Some(false) => scan.invalid = Some((name, value)),
        None => scan.odd = true,
    }
    STOP
}

impl Head<'_> {
    /// Adds a header; Rack 2 separates several values by line feeds. Returns whether it is valid.
    fn add_lines(&mut self, name: &[u8], value: &[u8]) -> bool {
        if name.len() == b"content-length".len() && name.eq_ignore_ascii_case(b"content-length") {
            self.has_length = true;
        }
        self.writer.header(name, value).is_ok()
            || (value.contains(&b'\n')
                && value
                    .split(|&byte| byte == b'\n')
                    .filter(|line| !line.is_empty())
                    .all(|line| self.writer.header(name, line).is_ok()))
    }
}
