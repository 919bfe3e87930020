//! Waiting without the interpreter's lock, so that other Ruby threads run meanwhile.

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::thread;

use magnus::Error;
use magnus::rb_sys::protect;
use rb_sys::{Qnil, RB_NOGVL_INTR_FAIL, rb_nogvl, rb_thread_check_ints};

struct Call<F, R> {
    work: F,
    result: Option<thread::Result<R>>,
}

unsafe extern "C" fn run<F: FnMut() -> R, R>(call: *mut c_void) -> *mut c_void {
    // SAFETY: `without_gvl` passes a pointer to its own `Call`, which outlives this function.
    let call = unsafe { &mut *call.cast::<Call<F, R>>() };
    call.result = Some(catch_unwind(AssertUnwindSafe(&mut call.work)));
    ptr::null_mut()
}

/// Runs `work`, a system call that may block and that Ruby can break off with a signal (`EINTR`), without the GVL.
/// `None` when an interrupt was pending, so that it did not run; see to it with [`check_interrupts`].
///
/// `work` must not touch Ruby.
pub(crate) fn without_gvl<R>(work: impl FnMut() -> R) -> Option<R> {
    fn run_of<F: FnMut() -> R, R>(_: &Call<F, R>) -> unsafe extern "C" fn(*mut c_void) -> *mut c_void {
        run::<F, R>
    }
    let mut call = Call { work, result: None };
    // SAFETY: -1 is RUBY_UBF_IO (ruby/thread.h), a mark that Ruby recognises and never calls; it is not null.
    let unblock_io = unsafe { std::mem::transmute::<isize, unsafe extern "C" fn(*mut c_void)>(-1) };
    // SAFETY: we hold the GVL, as every function that Ruby called; `call` outlives the call.
    unsafe {
        let data = (&raw mut call).cast();
        rb_nogvl(Some(run_of(&call)), data, Some(unblock_io), ptr::null_mut(), RB_NOGVL_INTR_FAIL as i32);
    }
    match call.result? {
        Ok(result) => Some(result),
        Err(panic) => resume_unwind(panic),
    }
}

/// Lets Ruby handle signals, `Thread#raise` and `Thread#kill`.
///
/// # Errors
/// What they raise.
pub(crate) fn check_interrupts() -> Result<(), Error> {
    protect(|| {
        // SAFETY: called with the GVL, and what it raises is caught around it.
        unsafe { rb_thread_check_ints() };
        Qnil.into()
    })
    .map(drop)
}
