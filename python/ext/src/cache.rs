//! Strings of the environment that tend to be those of the request before.

use passenger_native::headers::{Header, KNOWN};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::strings::latin1;

/// Longer values are not kept.
const MAX_KEPT: usize = 512;
/// Places for the names of headers beyond the known ones, which clients choose.
const NAMES: usize = 64;

/// One for each channel.
pub(crate) struct Cache<'py> {
    values: [Slot<'py>; KNOWN.len()],
    names: [Slot<'py>; NAMES],
    pub(crate) peer: Slot<'py>,
    peer_port: Option<(u16, Bound<'py, PyString>)>,
    pub(crate) server_name: Slot<'py>,
    pub(crate) server_port: Slot<'py>,
}

/// The last string of one kind.
#[derive(Default)]
pub(crate) struct Slot<'py> {
    bytes: Vec<u8>,
    string: Option<Bound<'py, PyString>>,
}

impl<'py> Slot<'py> {
    /// `bytes` as a string.
    ///
    /// # Errors
    /// `MemoryError`.
    pub(crate) fn get(&mut self, py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
        match &self.string {
            Some(string) if self.bytes == bytes => Ok(string.clone()),
            _ => {
                let string = latin1(py, bytes)?;
                if bytes.len() <= MAX_KEPT {
                    bytes.clone_into(&mut self.bytes);
                    self.string = Some(string.clone());
                }
                Ok(string)
            }
        }
    }
}

impl<'py> Cache<'py> {
    pub(crate) fn new() -> Self {
        Self {
            values: std::array::from_fn(|_| Slot::default()),
            names: std::array::from_fn(|_| Slot::default()),
            peer: Slot::default(),
            peer_port: None,
            server_name: Slot::default(),
            server_port: Slot::default(),
        }
    }

    /// The value of a header.
    ///
    /// # Errors
    /// `MemoryError`.
    pub(crate) fn value(&mut self, py: Python<'py>, header: &Header<'_>) -> PyResult<Bound<'py, PyString>> {
        match header.id {
            0 => latin1(py, header.value),
            id => self.values[usize::from(id)].get(py, header.value),
        }
    }

    /// The key of a header that has no id.
    ///
    /// # Errors
    /// `MemoryError`.
    pub(crate) fn name(&mut self, py: Python<'py>, name: &[u8]) -> PyResult<Bound<'py, PyString>> {
        let place =
            name.iter().fold(0_usize, |sum, &byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte))) % NAMES;
        self.names[place].get(py, name)
    }

    /// The client's port.
    pub(crate) fn peer_port(&mut self, py: Python<'py>, port: u16) -> &Bound<'py, PyString> {
        if !matches!(&self.peer_port, Some((last, _)) if *last == port) {
            self.peer_port = None;
        }
        &self.peer_port.get_or_insert_with(|| (port, PyString::new(py, &port.to_string()))).1
    }
}
