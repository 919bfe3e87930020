//! The allocator.

/// Gives memory that the allocator keeps for later back to the system. Worth its cost only when nothing is to do.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim has no preconditions; it takes the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
