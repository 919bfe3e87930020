//! Whom the kernel ends when memory is short: applications rather than the server. Only root may ask for that.

use std::fs;
use std::io::Write;
use std::sync::OnceLock;

/// Where a process says how readily it may be ended, from -1000 for never to 1000.
const SCORE: &str = "/proc/self/oom_score_adj";

/// What holds for applications, as the kernel wants it written.
static USUAL: OnceLock<String> = OnceLock::new();

/// What holds for this process.
#[must_use]
pub fn score() -> i32 {
    fs::read_to_string(SCORE).ok().and_then(|score| score.trim().parse().ok()).unwrap_or(0)
}

/// Has the kernel spare this process. `usual` is what its applications get.
pub fn spare(score: i32, usual: i32) {
    if fs::write(SCORE, score.to_string()).is_ok() {
        USUAL.get_or_init(|| usual.to_string());
    }
}

/// Gives a process that is about to become an application what is usual. Does not allocate.
pub fn restore() {
    if let Some(usual) = USUAL.get()
        && let Ok(mut file) = fs::OpenOptions::new().write(true).open(SCORE)
    {
        // A process that is spared by mistake is no reason not to start it.
        let _ = file.write_all(usual.as_bytes());
    }
}
