//! Files in `public/`, which the application need not be asked for.
//!
//! Most requests are for the application, so they must not cost a look at the disk each: the names at the top of
//! `public/` are kept, and read again when the directory has changed, which is looked at once a turn.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::SystemTime;

use super::sendfile;
use crate::app::user::AppUser;
use crate::http::connection::Connection;
use crate::http::head::Head;
use crate::http::response::{self, Context, Framing};
use crate::pool::turn::Turn;

/// The directory.
pub struct StaticFiles {
    root: PathBuf,
    user: Rc<AppUser>,
    names: RefCell<HashSet<OsString>>,
    changed: Cell<Option<SystemTime>>,
    looked: Cell<u64>,
    turn: Rc<Turn>,
}

/// A file that answers a request.
pub struct StaticFile {
    file: File,
    length: u64,
    content_type: String,
    modified: Option<String>,
    not_modified: bool,
}

impl StaticFiles {
    /// Files below `root`, which need not exist, as far as `user` may read them.
    #[must_use]
    pub fn new(root: PathBuf, user: Rc<AppUser>, turn: Rc<Turn>) -> Self {
        Self { root, user, names: RefCell::default(), changed: Cell::new(None), looked: Cell::new(u64::MAX), turn }
    }

    /// The file that a request is for, if there is one; the first `script_len` bytes of its target are the application's
    /// base URI.
    #[must_use]
    pub fn find(&self, head: &Head<'_>, script_len: usize) -> Option<StaticFile> {
        if !matches!(head.method, "GET" | "HEAD") {
            return None;
        }
        self.refresh();
        if self.names.borrow().is_empty() {
            return None;
        }
        let path = relative_path(head.target.get(script_len..)?)?;
        let mut page = path.clone().into_os_string();
        page.push(".html");
        let candidates = [path.clone(), path.join("index.html"), PathBuf::from(page)];
        candidates.iter().filter(|candidate| self.may_hold(candidate)).find_map(|candidate| self.open(candidate, head))
    }

    /// Looks whether names have come or gone at the top of the directory.
    fn refresh(&self) {
        let turn = self.turn.number();
        if self.looked.replace(turn) == turn {
            return;
        }
        let changed = std::fs::metadata(&self.root).and_then(|metadata| metadata.modified()).ok();
        let before = self.changed.replace(changed);
        let Some(time) = changed else { return self.names.borrow_mut().clear() };
        if changed == before && is_settled(time) {
            return;
        }
        let names = std::fs::read_dir(&self.root).into_iter().flatten().flatten().map(|entry| entry.file_name());
        *self.names.borrow_mut() = names.collect();
    }

    fn may_hold(&self, path: &Path) -> bool {
        path.components().next().is_some_and(|first| self.names.borrow().contains(first.as_os_str()))
    }

    fn open(&self, path: &Path, head: &Head<'_>) -> Option<StaticFile> {
        let (file, length, metadata) = sendfile::open(&self.root.join(path), &self.user).ok()?;
        let modified = metadata.modified().ok().map(httpdate::fmt_http_date);
        let condition = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case("if-modified-since"));
        // As the date is our own, a client that has this version sends it back unchanged.
        let not_modified = condition.is_some_and(|header| {
            modified.as_ref().is_some_and(|modified| header.value.trim_ascii() == modified.as_bytes())
        });
        let content_type = mime_guess::from_path(path).first_or_octet_stream().to_string();
        Some(StaticFile { file, length, content_type, modified, not_modified })
    }
}

/// A change within the clock's granularity of the last look could have been missed.
fn is_settled(changed: SystemTime) -> bool {
    changed.elapsed().is_ok_and(|age| age.as_millis() > 50)
}

/// The target's path, decoded, without what would lead out of the directory (RFC 3986, 2.1 and 5.2.4).
fn relative_path(target: &str) -> Option<PathBuf> {
    let path = target.split('?').next()?.strip_prefix('/')?;
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            (high << 4 | low) as u8
        } else {
            byte
        });
    }
    let safe = !decoded.contains(&0)
        && !decoded.starts_with(b"/")
        && decoded.split(|&byte| byte == b'/').all(|segment| !matches!(segment, b".." | b"."));
    safe.then(|| PathBuf::from(OsString::from_vec(decoded)))
}

impl StaticFile {
    /// Answers with the file.
    ///
    /// # Errors
    /// When the client's connection broke.
    pub async fn send(self, connection: &mut Connection, context: Context) -> io::Result<bool> {
        let out = &mut connection.output;
        response::status_line(out, if self.not_modified { 304 } else { 200 });
        if let Some(modified) = &self.modified {
            response::header(out, b"Last-Modified", modified.as_bytes());
        }
        response::date(out);
        if self.not_modified {
            response::finish(out, Framing::Empty(None), &context);
        } else {
            response::header(out, b"Content-Type", self.content_type.as_bytes());
            response::finish(out, Framing::Length(self.length), &context);
        }
        connection.write(&[]).await?;
        if !self.not_modified && !context.is_head {
            connection.socket.send_file(&self.file, 0, self.length).await?;
        }
        Ok(context.keep_alive)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("/a/b.css?x=1", Some("a/b.css"))]
    #[case("/", Some(""))]
    #[case("/with%20space", Some("with space"))]
    #[case("/../etc/passwd", None)]
    #[case("/a/%2e%2e/%2E%2E/etc/passwd", None)]
    #[case("/a/..", None)]
    #[case("//etc/passwd", None)]
    #[case("/%2fetc/passwd", None)]
    #[case("/a%00.css", None)]
    #[case("/a%", None)]
    #[case("/a%zz", None)]
    #[case("*", None)]
    fn paths_stay_inside(#[case] target: &str, #[case] path: Option<&str>) {
        assert_eq!(relative_path(target), path.map(PathBuf::from));
    }
}
