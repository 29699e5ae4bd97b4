//! The form of files, of comments and of the English in them.

use super::{files, relative};
use std::{fs, path::PathBuf};

/// A file with more lines needs an entry with its reason in `LONG_WITH_REASON`.
const LINES_MAX: usize = 400;
const LONG_WITH_REASON: &[(&str, &str)] = &[
    ("src/config/keys.rs", "one table, an entry for each key"),
    ("src/telemetry/catalog.rs", "one table, an entry for each metric"),
];

/// A longer comment line does not fit a reviewer's screen.
const COMMENT_COLUMNS_MAX: usize = 120;

#[test]
fn long_files_have_a_reason() {
    let mut long = Vec::new();
    for path in ["src", "loadtest/src", "venue-sim/src"].iter().flat_map(|folder| files(folder, "rs")) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        let has_reason = LONG_WITH_REASON.iter().any(|(name, _)| *name == relative(&path));
        if lines > LINES_MAX && !has_reason {
            long.push(format!("{} has {lines} lines: is it one concept?", relative(&path)));
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn nothing_is_left_for_later() {
    for path in ["src", "tests", "loadtest/src", "loadtest/tests", "venue-sim/src"]
        .iter()
        .flat_map(|folder| files(folder, "rs"))
    {
        let text = fs::read_to_string(&path).unwrap();
        // Without the closing bracket: a reason does not make an ignored test run.
        for word in [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("#[ig", "nore"), concat!("should_", "panic")] {
            assert!(!text.contains(word), "{} says {word}", relative(&path));
        }
    }
}

/// `Process` looks at all that a gateway logs.
#[test]
fn whatever_a_test_has_the_program_write_is_looked_at_for_secrets() {
    let starts = concat!("CARGO_BIN_EXE_", "tickfan\"");
    for path in files("tests", "rs") {
        let text = fs::read_to_string(&path).unwrap();
        let looks = text.contains("looked_at(") || text.contains("LogWatch::default()");
        assert!(!text.contains(starts) || looks, "{} starts the program without a look at its log", relative(&path));
    }
}

#[test]
fn comment_lines_fit_a_screen() {
    let mut long = Vec::new();
    for path in ["src", "loadtest", "tests", "benches", "venue-sim"].iter().flat_map(|folder| files(folder, "rs")) {
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            let columns = line.chars().count();
            if line.trim_start().starts_with("//") && columns > COMMENT_COLUMNS_MAX {
                long.push(format!("{}:{} has {columns} columns", relative(&path), number + 1));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// Words and phrases that readers have to decode. Each is cut in two, so that this list does not find itself.
const MARKS: &[&str] = &[
    concat!("is ", "no "),
    concat!("are ", "no "),
    concat!("an", "ew"),
    concat!("who", "ever"),
    concat!("no", "body"),
    concat!("all the ", "same"),
];

/// The kinds of files that people write and read.
const TEXTS: &[&str] =
    &["css", "d.ts", "html", "js", "json", "md", "mjs", "py", "rs", "sh", "toml", "ts", "txt", "yml"];

/// Scripts, whose names have no extension, are in these folders.
const SCRIPTS: &[&str] = &["scripts", "loadtest", ".ci", "deploy", "e2e"];

/// Whether a phrase stands in a line, apart from parts of other words.
fn says(line: &str, phrase: &str) -> bool {
    let is_word = |character: Option<char>| character.is_some_and(char::is_alphanumeric);
    line.match_indices(phrase).any(|(place, _)| {
        let after = place + phrase.len();
        let ends = phrase.ends_with(' ') || !is_word(line[after..].chars().next());
        ends && !is_word(line[..place].chars().next_back())
    })
}

#[test]
fn the_english_is_plain() {
    assert!(
        says(concat!("it is ", "no stream"), MARKS[0])
            && !says(concat!("this ", "no stream"), MARKS[0])
            && !says("renewed", MARKS[2])
    );
    let mut texts: Vec<PathBuf> = TEXTS.iter().flat_map(|extension| files("", extension)).collect();
    texts.extend(SCRIPTS.iter().flat_map(|folder| files(folder, "")));
    let mut found = Vec::new();
    for path in texts {
        let name = relative(&path);
        if name.ends_with("package-lock.json") {
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            let line = line.to_lowercase();
            for mark in MARKS.iter().filter(|mark| says(&line, mark)) {
                found.push(format!("{name}:{}: {mark}", number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
