//! Reading the messages that an application sends: dicts with a `type`.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyList, PyMemoryView, PyString, PyTuple};

use crate::response::HeadWriter;
use crate::strings;

/// A message.
pub(crate) struct Message<'a, 'py> {
    /// Its `type`.
    pub(crate) name: &'a str,
    members: &'a Bound<'py, PyDict>,
}

/// The dict and its `type`, for [`Message::new`] to borrow.
///
/// # Errors
/// `TypeError` when it is no dict, or has no `type` that is a string.
pub(crate) fn open<'a, 'py>(
    message: &'a Bound<'py, PyAny>,
) -> PyResult<(&'a Bound<'py, PyDict>, Bound<'py, PyString>)> {
    let members = message
        .cast::<PyDict>()
        .map_err(|_| PyTypeError::new_err(format!("an ASGI message is a dict; this is {}", describe(message))))?;
    let name = members
        .get_item(intern!(message.py(), "type"))?
        .ok_or_else(|| PyTypeError::new_err("this ASGI message has no 'type'"))?;
    let name = name.cast_into::<PyString>().map_err(|error| wrong("type", "a str", &error.into_inner()))?;
    Ok((members, name))
}

impl<'a, 'py> Message<'a, 'py> {
    /// What [`open`] returned.
    pub(crate) fn new(members: &'a Bound<'py, PyDict>, name: &'a Bound<'py, PyString>) -> Self {
        Self { name: strings::utf8(name).unwrap_or("?"), members }
    }

    fn get(&self, name: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.members.get_item(name)?.filter(|value| !value.is_none()))
    }

    /// A member that must be there, as a `u16`.
    ///
    /// # Errors
    /// `TypeError` when it is missing or no int; `ValueError` when it is out of range.
    pub(crate) fn number(&self, name: &Bound<'py, PyString>) -> PyResult<u16> {
        let value = self.get(name)?.ok_or_else(|| self.missing(name))?;
        let number: i64 = value.extract().map_err(|_| wrong(name, "an int", &value))?;
        u16::try_from(number).map_err(|_| PyValueError::new_err(format!("{number} is no valid '{name}'")))
    }

    /// Whether the member is there.
    ///
    /// # Errors
    /// What its hash raises.
    pub(crate) fn has(&self, name: &Bound<'py, PyString>) -> PyResult<bool> {
        Ok(self.get(name)?.is_some())
    }

    /// A member that may be left out, by its truth.
    ///
    /// # Errors
    /// What its `__bool__` raises.
    pub(crate) fn flag(&self, name: &Bound<'py, PyString>) -> PyResult<bool> {
        self.members.get_item(name)?.map_or(Ok(false), |value| value.is_truthy())
    }

    /// A bytes-like member.
    ///
    /// # Errors
    /// `TypeError` when it is another kind of object.
    pub(crate) fn bytes(&self, name: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let Some(value) = self.get(name)? else { return Ok(None) };
        match value.cast_into::<PyBytes>() {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) => bytes_like(error.into_inner()).map(Some).map_err(|value| wrong(name, "bytes", &value)),
        }
    }

    /// A text member.
    ///
    /// # Errors
    /// `TypeError` when it is another kind of object.
    pub(crate) fn text(&self, name: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyString>>> {
        let Some(value) = self.get(name)? else { return Ok(None) };
        value.cast_into::<PyString>().map(Some).map_err(|error| wrong(name, "a str", &error.into_inner()))
    }

    /// Gives the `headers` to the writer.
    ///
    /// # Errors
    /// `TypeError` unless they are pairs of bytes; `ValueError` for what would break the HTTP message.
    pub(crate) fn headers(&self, head: &mut HeadWriter<'_>) -> PyResult<()> {
        let Some(headers) = self.get(intern!(self.members.py(), "headers"))? else { return Ok(()) };
        for pair in headers.try_iter().map_err(|_| wrong("headers", "an iterable", &headers))? {
            let pair = pair?;
            let (name, value) = name_and_value(&pair).ok_or_else(|| bad_header(&pair))?;
            head.add(name.as_bytes(), value.as_bytes())?;
        }
        Ok(())
    }

    /// The members of an iterable, which must be bytes.
    ///
    /// # Errors
    /// `TypeError` when they are not.
    pub(crate) fn list_of_bytes(&self, name: &Bound<'py, PyString>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
        let Some(values) = self.get(name)? else { return Ok(Vec::new()) };
        let values = values.try_iter().map_err(|_| wrong(name, "an iterable of bytes", &values))?;
        values.map(|value| value?.cast_into().map_err(|error| wrong(name, "bytes", &error.into_inner()))).collect()
    }

    fn missing(&self, name: &Bound<'_, PyString>) -> PyErr {
        PyTypeError::new_err(format!("the ASGI message '{}' has no '{name}'", self.name))
    }
}

/// A header, as the tuple or list that it must be.
fn name_and_value<'py>(pair: &Bound<'py, PyAny>) -> Option<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let (name, value) = if let Ok(pair) = pair.cast::<PyTuple>() {
        (pair.len() == 2).then(|| (pair.get_item(0), pair.get_item(1)))
    } else if let Ok(pair) = pair.cast::<PyList>() {
        (pair.len() == 2).then(|| (pair.get_item(0), pair.get_item(1)))
    } else {
        None
    }?;
    Some((name.ok()?.cast_into().ok()?, value.ok()?.cast_into().ok()?))
}

/// A copy of what is bytes-like; else the value again.
fn bytes_like<'py>(value: Bound<'py, PyAny>) -> Result<Bound<'py, PyBytes>, Bound<'py, PyAny>> {
    if !value.is_instance_of::<PyByteArray>() && !value.is_instance_of::<PyMemoryView>() {
        return Err(value);
    }
    let copy = value.py().get_type::<PyBytes>().call1((&value,));
    copy.ok().and_then(|copy| copy.cast_into().ok()).ok_or(value)
}

fn bad_header(pair: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!("a header is a pair of bytes, (b\"name\", b\"value\"); this is {}", describe(pair)))
}

fn wrong(name: impl std::fmt::Display, wanted: &str, value: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!("'{name}' of an ASGI message must be {wanted}; this is {}", describe(value)))
}

/// The value as it is printed, cut, and its class.
fn describe(value: &Bound<'_, PyAny>) -> String {
    let class = value.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string());
    let text: String =
        value.repr().map_or_else(|_| "?".to_owned(), |text| text.to_string()).chars().take(100).collect();
    format!("{text} ({class})")
}
