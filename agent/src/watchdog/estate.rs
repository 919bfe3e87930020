//! What an instance keeps while its processes come and go: its directory, its listening sockets, where it logs. Whoever starts
//! a process of the instance passes it on: the descriptors by inheritance, their numbers as arguments.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;

use crate::sys::descriptor;

/// The argument that is there when a SIGHUP never means that the terminal is gone.
const NOHUP: &str = "nohup";

/// What goes from process to process.
pub struct Estate {
    /// The instance's directory.
    pub directory: PathBuf,
    /// Open as long as the instance lives.
    pub lock: OwnedFd,
    /// The log file; without it the log goes to the standard error.
    pub log: Option<OwnedFd>,
    /// Whoever waits for an instance in the background hears here how its start went.
    pub report: Option<OwnedFd>,
    /// How readily the kernel may end applications when memory is short.
    pub oom_score: i32,
    /// Whether whoever started the instance wants it to outlive the terminal, as `nohup` does.
    pub ignores_hangups: bool,
    /// The listening sockets, in the order of the plan's addresses.
    pub listeners: Vec<OwnedFd>,
}

impl Estate {
    /// The arguments that tell a process where everything is.
    pub fn arguments(&self) -> Vec<OsString> {
        let number = |name: &str, descriptor: &OwnedFd| format!("{name}={}", descriptor.as_raw_fd()).into();
        let mut arguments =
            vec![self.directory.clone().into(), number("lock", &self.lock), format!("oom={}", self.oom_score).into()];
        arguments.extend(self.ignores_hangups.then(|| format!("{NOHUP}=1").into()));
        arguments.extend(self.log.iter().map(|log| number("log", log)));
        arguments.extend(self.report.iter().map(|report| number("report", report)));
        arguments.extend(self.listeners.iter().map(|listener| number("listener", listener)));
        arguments
    }

    /// The descriptors that must be passed on with them.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [&self.lock].into_iter().chain(&self.log).chain(&self.report).chain(&self.listeners).map(AsFd::as_fd)
    }

    /// Takes the estate over, from the arguments of this process; returns those that say something else.
    ///
    /// # Errors
    /// Names what is missing or was not passed on: the process was not started by a process of the instance.
    pub fn take_over(arguments: impl IntoIterator<Item = OsString>) -> Result<(Self, Vec<(String, String)>), String> {
        let mut arguments = arguments.into_iter();
        let directory = arguments.next().ok_or("the instance's directory is missing")?.into();
        let (mut lock, mut log, mut report, mut oom_score, mut ignores_hangups) = (None, None, None, 0, false);
        let (mut listeners, mut others) = (Vec::new(), Vec::new());
        for argument in arguments {
            let (name, value) = argument.to_str().and_then(|text| text.split_once('=')).ok_or("expected name=value")?;
            match name {
                "lock" => lock = Some(take(name, value)?),
                "log" => log = Some(take(name, value)?),
                "report" => report = Some(take(name, value)?),
                "oom" => oom_score = value.parse().unwrap_or(0),
                NOHUP => ignores_hangups = true,
                "listener" => listeners.push(take(name, value)?),
                _ => others.push((name.to_owned(), value.to_owned())),
            }
        }
        let lock = lock.ok_or("the lock is missing")?;
        Ok((Self { directory, lock, log, report, oom_score, ignores_hangups, listeners }, others))
    }
}

/// A descriptor that was passed on under the number in `value`.
///
/// # Errors
/// Names it.
pub fn take(name: &str, value: &str) -> Result<OwnedFd, String> {
    let number: RawFd = value.parse().map_err(|_| format!("{name}={value}: not a number"))?;
    if number <= 2 {
        return Err(format!("{name}={value}: the standard streams are not passed on"));
    }
    descriptor::take(number).map_err(|error| format!("{name}={value}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::os::fd::IntoRawFd;

    fn open() -> OwnedFd {
        std::fs::File::open("/dev/null").unwrap().into()
    }

    #[test]
    fn is_the_same_after_it_was_passed_on() {
        let estate = Estate {
            directory: "/tmp/passenger.x".into(),
            lock: open(),
            log: None,
            report: Some(open()),
            oom_score: -7,
            ignores_hangups: true,
            listeners: vec![open(), open()],
        };
        let mut arguments = estate.arguments();
        arguments.push("agent=7".into());
        let Estate { lock, report, listeners, .. } = estate;
        let numbers: Vec<_> = [lock, report.unwrap()].into_iter().chain(listeners).map(OwnedFd::into_raw_fd).collect();

        let (estate, others) = Estate::take_over(arguments).unwrap();
        assert_eq!(estate.descriptors().map(|descriptor| descriptor.as_raw_fd()).collect::<Vec<_>>(), numbers);
        assert!(estate.ignores_hangups);
        assert_eq!((estate.directory, estate.oom_score), ("/tmp/passenger.x".into(), -7));
        assert_eq!(others, [("agent".to_owned(), "7".to_owned())]);
    }

    #[rstest]
    #[case(&[], "the instance's directory is missing")]
    #[case(&["/tmp"], "the lock is missing")]
    #[case(&["/tmp", "lock"], "expected name=value")]
    #[case(&["/tmp", "lock=x"], "lock=x: not a number")]
    #[case(&["/tmp", "lock=2"], "lock=2: the standard streams are not passed on")]
    #[case(&["/tmp", "lock=1000000"], "lock=1000000: Bad file descriptor")]
    fn says_what_is_missing(#[case] arguments: &[&str], #[case] complaint: &str) {
        let error = Estate::take_over(arguments.iter().map(OsString::from)).err().unwrap();
        assert!(error.starts_with(complaint), "{error}");
    }
}
