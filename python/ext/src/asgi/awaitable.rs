//! What `receive()` and `send()` return. Both kinds are awaited without a coroutine of their own, and are coroutines as
//! far as `collections.abc` is concerned, so that an application may make tasks of them.

use pyo3::exceptions::PyStopIteration;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::stream::Stream;

/// What a [`Wait`] waits for.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// The next message to the application.
    Message,
    /// That all has left the stream that was given to it before, counted since its beginning.
    Sent(u64),
}

/// Nothing to wait for. One object serves all.
#[pyclass(frozen, module = "passenger._native", name = "AsgiDone")]
pub(crate) struct Done;

/// Waits for something to happen to a stream.
#[pyclass(frozen, module = "passenger._native", name = "AsgiWait")]
pub(crate) struct Wait {
    stream: Py<Stream>,
    goal: Goal,
}

/// The one [`Done`].
pub(crate) fn done(py: Python<'_>) -> PyResult<Py<PyAny>> {
    static DONE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    DONE.get_or_try_init(py, || Ok(Py::new(py, Done)?.into_any())).map(|done| done.clone_ref(py))
}

/// Makes a [`Wait`].
pub(crate) fn wait(stream: &Bound<'_, Stream>, goal: Goal) -> PyResult<Py<PyAny>> {
    Ok(Py::new(stream.py(), Wait { stream: stream.clone().unbind(), goal })?.into_any())
}

#[pymethods]
impl Done {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(&self) -> Option<Py<PyAny>> {
        None
    }

    fn send(&self, _value: Py<PyAny>) -> PyResult<()> {
        Err(PyStopIteration::new_err(()))
    }

    #[pyo3(signature = (kind, value=None, _traceback=None))]
    fn throw(
        &self,
        kind: Bound<'_, PyAny>,
        value: Option<Bound<'_, PyAny>>,
        _traceback: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        Err(thrown(kind, value))
    }

    fn close(&self) {}
}

#[pymethods]
impl Wait {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// A future to wait for, or `StopIteration` with the result.
    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let mut stream = self.stream.bind(py).try_borrow_mut()?;
        match self.goal {
            Goal::Message => match stream.poll_message(py)? {
                Some(message) => Err(PyStopIteration::new_err(message.unbind())),
                None => stream.wait_for_message(py).map(Some),
            },
            Goal::Sent(count) if stream.poll_sent(count)? => Ok(None),
            Goal::Sent(_) => stream.wait_for_sent(py).map(Some),
        }
    }

    fn send(&self, py: Python<'_>, _value: Py<PyAny>) -> PyResult<Py<PyAny>> {
        self.__next__(py)?.ok_or_else(|| PyStopIteration::new_err(()))
    }

    #[pyo3(signature = (kind, value=None, _traceback=None))]
    fn throw(
        &self,
        kind: Bound<'_, PyAny>,
        value: Option<Bound<'_, PyAny>>,
        _traceback: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        Err(thrown(kind, value))
    }

    fn close(&self) {}
}

/// The exception that `throw` was called with: an instance, or a class and perhaps what it is made with.
fn thrown(kind: Bound<'_, PyAny>, value: Option<Bound<'_, PyAny>>) -> PyErr {
    match value {
        Some(value) if value.is_instance_of::<pyo3::exceptions::PyBaseException>() => PyErr::from_value(value),
        Some(value) => kind.call1((value,)).map_or_else(|error| error, PyErr::from_value),
        None => PyErr::from_value(kind),
    }
}
