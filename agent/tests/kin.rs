//! Who has forked whom. These start processes, which inherit for a moment what other tests of the same process want to see
//! closed at once, so that they are in one of their own.

use std::io;
use std::process::Command;

use nix::unistd::{Pid, Uid, getpid, getppid, getuid};
use passenger_agent::sys::kin::is_from;

#[test]
fn knows_its_children_and_nobody_else() {
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    let (own, pid) = (getpid(), Pid::from_raw(child.id().try_into().unwrap()));
    assert!(is_from(pid, own, None).unwrap());
    assert!(is_from(pid, own, Some(getuid())).unwrap());
    assert!(!is_from(pid, own, Some(Uid::from_raw(4_000_000))).unwrap());
    for stranger in [getppid(), own, Pid::from_raw(1), Pid::from_raw(0), Pid::from_raw(-1)] {
        assert!(!is_from(stranger, pid, None).unwrap(), "{stranger}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(is_from(pid, own, None).unwrap_err().raw_os_error(), Some(libc::ESRCH));
}

#[test]
fn a_grandchild_is_its_grandparents() {
    let mut command = Command::new("sh");
    command.args(["-c", "sleep 60 & echo $!; exec sleep 60"]).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    io::BufRead::read_line(&mut io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
    let grandchild = Pid::from_raw(line.trim().parse().unwrap());
    let found = is_from(grandchild, Pid::from_raw(child.id().try_into().unwrap()), None);
    let stranger = is_from(grandchild, Pid::from_raw(i32::MAX), None);
    nix::sys::signal::kill(grandchild, nix::sys::signal::Signal::SIGKILL).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(found.unwrap());
    assert!(!stranger.unwrap());
}
