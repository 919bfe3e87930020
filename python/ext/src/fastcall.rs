//! `start_response` as a builtin that takes its arguments from the caller's stack. `#[pymethods]` makes such functions
//! only for newer versions of the stable ABI, although Python has had them since 3.7.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use pyo3::exceptions::{PySystemError, PyTypeError};
use pyo3::ffi::{self, PyCFunctionWithKeywords, PyMethodDef, PyMethodDefPointer, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};

use crate::callables::Responder;

const METH_FASTCALL: c_int = 0x0080;

type FastCall = unsafe extern "C" fn(*mut PyObject, *const *mut PyObject, isize, *mut PyObject) -> *mut PyObject;

struct Definition(PyMethodDef);

// SAFETY: it is constant, and its pointers lead to constants.
unsafe impl Sync for Definition {}

static START_RESPONSE: Definition = Definition(PyMethodDef {
    ml_name: c"start_response".as_ptr(),
    ml_meth: PyMethodDefPointer {
        // SAFETY: the flags tell Python what kind of function it is.
        PyCFunctionWithKeywords: unsafe { std::mem::transmute::<FastCall, PyCFunctionWithKeywords>(call) },
    },
    ml_flags: METH_FASTCALL | ffi::METH_KEYWORDS,
    ml_doc: c"start_response(status, headers, exc_info=None)\n--\n\nBegins the response; see PEP 3333.".as_ptr(),
});

/// The `start_response` of `responder`.
///
/// # Errors
/// `MemoryError`.
pub(crate) fn start_response<'py>(responder: &Bound<'py, Responder>) -> PyResult<Bound<'py, PyAny>> {
    let definition = (&raw const START_RESPONSE.0).cast_mut();
    // SAFETY: Python does not write to the definition; it takes a reference to `responder`, and returns a new one or
    // null with an exception.
    unsafe {
        let function = ffi::PyCFunction_NewEx(definition, responder.as_ptr(), ptr::null_mut());
        Bound::from_owned_ptr_or_err(responder.py(), function)
    }
}

/// Called by Python, with the convention of `METH_FASTCALL | METH_KEYWORDS`.
unsafe extern "C" fn call(
    responder: *mut PyObject,
    arguments: *const *mut PyObject,
    count: isize,
    keywords: *mut PyObject,
) -> *mut PyObject {
    Python::attach(|py| {
        let call = || {
            // SAFETY: `start_response` has made this of a responder. Behind `count` arguments are as many as there are
            // names in the tuple `keywords`, which may be null. Their owners hold all of them during the call.
            let (responder, arguments, keywords) = unsafe {
                let keywords =
                    Bound::from_borrowed_ptr_or_opt(py, keywords).map(|it| it.cast_into_unchecked::<PyTuple>());
                let total = count as usize + keywords.as_ref().map_or(0, |names| names.len());
                let arguments = if total == 0 { &[] } else { std::slice::from_raw_parts(arguments, total) };
                (Bound::ref_from_ptr(py, &responder).cast_unchecked::<Responder>(), arguments, keywords)
            };
            // SAFETY: each is an object.
            let argument = |at: usize| unsafe { Bound::ref_from_ptr(py, &arguments[at]) };
            let [status, headers, exc_info] = places(count as usize, keywords.as_ref())?;
            match (status, headers) {
                (Some(status), Some(headers)) => {
                    responder.get().start_response(argument(status), argument(headers), exc_info.map(argument))
                }
                _ => Err(PyTypeError::new_err("start_response needs a status and headers")),
            }
        };
        match catch_unwind(AssertUnwindSafe(call)) {
            Ok(Ok(write)) => write.into_ptr(),
            Ok(Err(error)) => {
                error.restore(py);
                ptr::null_mut()
            }
            Err(_) => {
                PySystemError::new_err("start_response panicked").restore(py);
                ptr::null_mut()
            }
        }
    })
}

/// Where among the arguments each parameter is.
fn places(positional: usize, keywords: Option<&Bound<'_, PyTuple>>) -> PyResult<[Option<usize>; 3]> {
    const PARAMETERS: [&str; 3] = ["status", "headers", "exc_info"];
    if positional > PARAMETERS.len() {
        return Err(PyTypeError::new_err(format!("start_response takes 2 or 3 arguments, and got {positional}")));
    }
    let mut places = [0, 1, 2].map(|at| (at < positional).then_some(at));
    for (index, name) in keywords.into_iter().flatten().enumerate() {
        let name = name.cast_into::<PyString>()?.to_string();
        let parameter = PARAMETERS.iter().position(|known| *known == name);
        match parameter {
            Some(parameter) if places[parameter].is_none() => places[parameter] = Some(positional + index),
            _ => {
                return Err(PyTypeError::new_err(format!(
                    "start_response does not take {name} as a keyword argument here"
                )));
            }
        }
    }
    Ok(places)
}
