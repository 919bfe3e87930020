//! The examples of `docs/protocol.md`: what is printed there is what is tested.
#![allow(clippy::panic, reason = "in a test a failed expectation is the point")]
#![allow(dead_code, reason = "a test file uses the part it needs")]

const TEXT: &str = include_str!("../../../docs/protocol.md");

/// The frames with their names, in the order of the document.
pub(crate) fn frames() -> Vec<(String, Vec<u8>)> {
    fenced("hex ").into_iter().map(|(name, lines)| (name, bytes(&lines))).collect()
}

/// The frames that must be refused, each with the reason given.
pub(crate) fn refused() -> Vec<(String, Vec<u8>)> {
    let (_, block) = fenced("refused").remove(0);
    let paragraphs = block.split("\n\n").filter_map(|paragraph| paragraph.split_once('\n'));
    paragraphs.map(|(reason, dump)| (reason.to_owned(), bytes(dump))).collect()
}

/// The control messages.
pub(crate) fn messages() -> Vec<String> {
    fenced("json").into_iter().map(|(_, text)| text).collect()
}

/// The fenced blocks whose info string begins with `kind`: the rest of that string, and the content.
fn fenced(kind: &str) -> Vec<(String, String)> {
    let blocks = TEXT.split("\n```").skip(1).step_by(2);
    let named = blocks.filter_map(|block| block.strip_prefix(kind)?.split_once('\n'));
    named.map(|(name, content)| (name.to_owned(), content.to_owned())).collect()
}

/// The bytes of a dump: pairs of hex digits, on each line up to a `|`.
fn bytes(dump: &str) -> Vec<u8> {
    let digits = dump.lines().flat_map(|line| line.split('|').next().unwrap_or_default().split_whitespace());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap_or_else(|_| panic!("not a byte: {pair}"))).collect()
}
