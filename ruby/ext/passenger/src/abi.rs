//! For which Ruby this was compiled. In another one objects are laid out differently, so anything could happen.

use magnus::{Error, Ruby};

const MAJOR: u32 = rb_sys::RUBY_API_VERSION_MAJOR;
const MINOR: u32 = rb_sys::RUBY_API_VERSION_MINOR;

/// What `Passenger::Extension` looks for in the file before it loads it: a label, then major and minor version as a
/// byte each. Exported, so that the linker keeps it.
#[unsafe(no_mangle)]
pub static PASSENGER_RUBY_ABI: [u8; 21] = {
    let mut mark = *b"passenger-ruby-abi:  ";
    mark[19] = MAJOR as u8;
    mark[20] = MINOR as u8;
    mark
};

/// Refuses to be loaded by another Ruby than the one this was compiled for, for who loads it in another way.
pub(crate) fn check(ruby: &Ruby) -> Result<(), Error> {
    // SAFETY: a constant array that every Ruby exports.
    let [major, minor, _] = unsafe { rb_sys::ruby_api_version };
    if (major, minor) == (MAJOR as i32, MINOR as i32) {
        return Ok(());
    }
    let message = format!("it was compiled for Ruby {MAJOR}.{MINOR}, and this is Ruby {major}.{minor}");
    Err(Error::new(ruby.exception_load_error(), message))
}
