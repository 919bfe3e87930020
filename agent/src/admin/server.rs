//! The answering side, in the agent.

use super::api::{Answer, Command, LONGEST_REQUEST, Outcome, VERSION};
use nix::unistd::Uid;
use std::io;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{spawn_blocking, spawn_local};
use tokio::time::{sleep, timeout};

/// How long one connection may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait when no connection can be accepted, mostly because this process is out of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers whoever connects, for as long as it is polled, inside a [`tokio::task::LocalSet`]. `obey` does what is asked
/// for; of a status it need not measure memory.
pub async fn serve(listener: UnixListener, obey: impl AsyncFn(Command) -> Outcome + 'static) {
    let obey = Rc::new(obey);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let obey = Rc::clone(&obey);
                spawn_local(async move {
                    if let Ok(Err(error)) = timeout(PATIENCE, answer(stream, &*obey)).await {
                        tracing::debug!("a connection to the admin socket failed: {error}");
                    }
                });
            }
            Err(error) => {
                tracing::warn!("cannot accept on the admin socket: {error}");
                sleep(PAUSE).await;
            }
        }
    }
}

async fn answer(stream: UnixStream, obey: &impl AsyncFn(Command) -> Outcome) -> io::Result<()> {
    let peer = Uid::from_raw(stream.peer_cred()?.uid());
    if !may_ask(peer, Uid::effective()) {
        tracing::warn!("user {peer} may not use the admin socket");
        return Ok(());
    }
    let (reader, mut writer) = stream.into_split();
    let mut line = Vec::new();
    BufReader::new(reader.take(LONGEST_REQUEST as u64)).read_until(b'\n', &mut line).await?;
    let command = if line.ends_with(b"\n") { Command::read(&line) } else { Err(incomplete(&line)) };
    let outcome = match command {
        Ok(command) => obey(command).await,
        Err(reason) => Outcome::Error(reason),
    };
    // Requests do not wait for it.
    let json = spawn_blocking(|| encode(outcome)).await.map_err(io::Error::other)??;
    writer.write_all(&json).await
}

fn encode(mut outcome: Outcome) -> io::Result<Vec<u8>> {
    if let Outcome::Status(status) = &mut outcome {
        status.measure_memory();
    }
    let mut json = serde_json::to_vec(&Answer { version: VERSION, outcome })?;
    json.push(b'\n');
    Ok(json)
}

/// The socket's directory keeps others out already; this holds even where somebody opened it up.
fn may_ask(peer: Uid, me: Uid) -> bool {
    peer == me || peer.is_root()
}

fn incomplete(line: &[u8]) -> String {
    if line.len() == LONGEST_REQUEST {
        format!("the request is longer than {LONGEST_REQUEST} bytes")
    } else {
        "the request does not end with a line end".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::client;
    use crate::pool::snapshot::InstanceStatus;
    use rstest::rstest;
    use std::io::{Read, Write};
    use std::os::unix::net;
    use std::path::{Path, PathBuf};
    use tempfile::TempDir;
    use tokio::task::LocalSet;

    fn status() -> InstanceStatus {
        InstanceStatus {
            version: "1.2.3".to_owned(),
            pid: 7,
            environment: "production".to_owned(),
            addresses: vec!["127.0.0.1:3000".to_owned()],
            uptime_seconds: 60,
            max_pool_size: 6,
            max_pool_size_reason: None,
            groups: Vec::new(),
        }
    }

    /// A served admin socket; the server ends with the test.
    fn served() -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        let listener = net::UnixListener::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            LocalSet::new().block_on(&runtime, async {
                serve(UnixListener::from_std(listener).unwrap(), async |_| Outcome::Status(status())).await
            });
        });
        (directory, path)
    }

    fn ask(path: &Path, request: &[u8]) -> String {
        let mut stream = net::UnixStream::connect(path).unwrap();
        stream.write_all(request).unwrap();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn a_client_gets_the_status() {
        let (_directory, path) = served();
        assert_eq!(client::status(&path), Ok(status()));
        assert_eq!(client::status(&path), Ok(status()));
    }

    #[rstest]
    #[case(b"{\"version\":1,\"command\":\"explode\"}\n", "unknown command")]
    #[case(b"{\"version\":9,\"command\":\"status\"}\n", "version 9")]
    #[case(b"{\"version\":1,\"command\":\"status\"}", "does not end with a line end")]
    #[case(b"", "does not end with a line end")]
    #[case(b"\xff\xfe\n", "not a request")]
    fn a_bad_request_is_answered_with_the_reason(#[case] request: &[u8], #[case] reason: &str) {
        let (_directory, path) = served();
        let answer = ask(&path, request);
        assert!(answer.contains("\"error\":") && answer.contains(reason) && answer.ends_with("}\n"), "{answer}");
        assert_eq!(client::status(&path), Ok(status()), "others are served on");
    }

    #[test]
    fn a_request_without_end_is_cut_off() {
        let (_directory, path) = served();
        let answer = ask(&path, &[b' '; LONGEST_REQUEST]);
        assert!(answer.contains("is longer than 4096 bytes"), "{answer}");
    }

    #[test]
    fn an_idle_connection_keeps_nobody_waiting() {
        let (_directory, path) = served();
        let _idle = net::UnixStream::connect(&path).unwrap();
        assert_eq!(client::status(&path), Ok(status()));
    }

    #[test]
    fn a_client_says_when_nobody_answers() {
        let directory = tempfile::tempdir().unwrap();
        let complaint = client::status(&directory.path().join("admin.sock")).unwrap_err();
        assert!(complaint.starts_with("cannot be asked: "), "{complaint}");
    }

    #[rstest]
    #[case(1000, 1000, true)]
    #[case(0, 1000, true)]
    #[case(1001, 1000, false)]
    #[case(1000, 0, false)]
    fn only_the_owner_and_root_may_ask(#[case] peer: u32, #[case] me: u32, #[case] allowed: bool) {
        assert_eq!(may_ask(Uid::from_raw(peer), Uid::from_raw(me)), allowed);
    }
}
