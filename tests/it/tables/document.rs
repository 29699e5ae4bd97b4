//! A part of a document that a table in the code dictates.

use std::{env, fs, path::Path};

/// Checks that the lines between `first` and the next `last` of a file are these, or writes them.
#[track_caller]
pub(super) fn check(file: &str, first: &str, last: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let document = fs::read_to_string(&path).unwrap();
    let first = format!("\n{first}\n");
    let begin = document.find(&first).unwrap_or_else(|| panic!("{file} has no line {first:?}")) + first.len();
    // From the line break before, which is also the one of an empty part.
    let rest = &document[begin - 1..];
    let last = format!("\n{last}\n");
    let end = begin + rest.find(&last).unwrap_or_else(|| panic!("{file} has no line {last:?}"));
    if document[begin..end] == *expected {
        return;
    }
    if env::var_os("TICKFAN_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, [&document[..begin], expected, &document[end..]].concat()).unwrap();
        return;
    }
    let found = &document[begin..end];
    let differs = found.lines().zip(expected.lines()).find(|(found, expected)| found != expected);
    panic!("{file} does not follow from the code; TICKFAN_BLESS=1 writes it. The first difference: {differs:#?}");
}
