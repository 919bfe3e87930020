//! The allocator.

/// Blocks up to this size come from the heap, whose pages are kept and used again…
#[cfg(target_env = "gnu")]
const FROM_HEAP: libc::c_int = 4 * 1024 * 1024;
/// …until this much at its end is free. Without work [`trim`] gives back what is kept.
#[cfg(target_env = "gnu")]
const KEPT: libc::c_int = 64 * 1024 * 1024;

/// Tells the allocator to keep what is freed for what comes next: large bodies would otherwise have the kernel take
/// pages away and hand out zeroed ones for every response, which cost a third of the agent's time.
pub fn keep_for_reuse() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt only sets parameters; it is called before there are other threads.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, FROM_HEAP);
        libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
    }
}

/// Gives memory that the allocator keeps for later back to the system. Worth its cost only when nothing is to do.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim has no preconditions; it takes the allocator's own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}
