//! Keeps the tables of `docs/protocol.md` that follow from constants equal to them.
//! `UPDATE_DOCS=1 cargo test -p passenger-native --test protocol_doc` rewrites them.
#![allow(clippy::unwrap_used, reason = "in a test a failed expectation is the point")]

use std::fmt::Write;

use passenger_native::{control, fds, frame, headers};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/protocol.md");

fn limits() -> String {
    let limits = [
        ("payload of a frame", frame::MAX_PAYLOAD, "bytes"),
        ("frame header", frame::HEADER_LEN, "bytes"),
        ("control message", control::MAX_MESSAGE, "bytes"),
        ("`step` and `reason` of `failed`, each", control::MAX_REASON, "bytes as JSON"),
        ("`output` of `failed`", control::MAX_OUTPUT, "bytes as JSON"),
        ("descriptors with one control message", fds::MAX_DESCRIPTORS, ""),
        ("request method, peer address, each", usize::from(u8::MAX), "bytes"),
        ("header name", usize::from(u16::MAX), "bytes"),
        ("version of this protocol", control::PROTOCOL as usize, ""),
    ];
    let mut table = String::from("| what | limit |\n|---|---|\n");
    for (what, limit, unit) in limits {
        let _ = writeln!(table, "| {what} | {} |", format!("{limit} {unit}").trim_end());
    }
    table
}

fn known_headers() -> String {
    let mut table = String::from("| id | header | variable |\n|---|---|---|\n");
    for (id, name) in headers::KNOWN.iter().enumerate().skip(1) {
        let _ = writeln!(table, "| {id} | {name} | `{}` |", headers::cgi_name(id as u16));
    }
    table
}

/// `text` with what stands between the two marks replaced.
fn with_section(text: &str, section: &str, content: &str) -> String {
    let (begin, end) = (format!("<!-- {section} -->\n"), format!("<!-- /{section} -->"));
    let (before, rest) = text.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}{content}{end}{after}")
}

#[test]
fn the_tables_are_current() {
    let written = std::fs::read_to_string(PATH).unwrap();
    let current = with_section(&with_section(&written, "limits", &limits()), "headers", &known_headers());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PATH, &current).unwrap();
        return;
    }
    assert!(written == current, "docs/protocol.md is out of date; rewrite it with UPDATE_DOCS=1");
}
