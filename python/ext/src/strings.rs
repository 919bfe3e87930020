//! Text as PEP 3333 has it: a `str` whose characters stand for bytes (ISO 8859-1).

use std::borrow::Cow;
use std::ffi::c_char;
use std::slice;

use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::{Bound, ffi};

unsafe extern "C" {
    // In the stable ABI from 3.10 on; 3.9 has the same function.
    fn PyUnicode_AsUTF8AndSize(string: *mut ffi::PyObject, size: *mut ffi::Py_ssize_t) -> *const c_char;
}

/// A string with a character for each byte.
///
/// # Errors
/// `MemoryError`.
pub(crate) fn latin1<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    // SAFETY: pointer and length are those of `bytes`; the result is a new reference to a str, or null with an
    // exception.
    unsafe {
        let string = ffi::PyUnicode_DecodeLatin1(bytes.as_ptr().cast(), bytes.len() as _, std::ptr::null());
        Ok(Bound::from_owned_ptr_or_err(py, string)?.cast_into_unchecked())
    }
}

/// The bytes that a string's characters stand for; `None` when there are others than those up to U+00FF.
pub(crate) fn to_bytes<'a>(string: &'a Bound<'_, PyString>) -> Option<Cow<'a, [u8]>> {
    let text = utf8(string)?;
    if text.is_ascii() {
        return Some(Cow::Borrowed(text.as_bytes()));
    }
    text.chars().map(|character| u8::try_from(character).ok()).collect::<Option<Vec<u8>>>().map(Cow::Owned)
}

/// A string's text without a copy; `None` when it has lone surrogates.
pub(crate) fn utf8<'a>(string: &'a Bound<'_, PyString>) -> Option<&'a str> {
    let mut size = 0;
    // SAFETY: a str; Python keeps the bytes, which are valid UTF-8, as long as the string itself.
    unsafe {
        let bytes = PyUnicode_AsUTF8AndSize(string.as_ptr(), &raw mut size);
        if bytes.is_null() {
            let _ = PyErr::take(string.py());
            return None;
        }
        Some(std::str::from_utf8_unchecked(slice::from_raw_parts(bytes.cast(), size as usize)))
    }
}

/// Undoes percent-encoding; what is no valid escape stays as it is.
pub(crate) fn unescape(text: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'%', text) else { return Cow::Borrowed(text) };
    let mut result = Vec::with_capacity(text.len());
    result.extend_from_slice(&text[..first]);
    let mut rest = &text[first..];
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = match after {
            &[high, low, ..] if byte == b'%' => digit(high).zip(digit(low)),
            _ => None,
        };
        result.push(escaped.map_or(byte, |(high, low)| high << 4 | low));
        rest = if escaped.is_some() { &after[2..] } else { after };
    }
    Cow::Owned(result)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}
