//! Checks what the compiler does not: the allowed dependencies between modules, the form of the code and of its
//! English, and that documents name files that exist.

#![expect(clippy::unwrap_used, reason = "a test")]

mod documents;
mod faults;
mod modules;
mod text;

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A file's tests, in a file beside it, are exempt from some of its rules.
fn is_test(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.ends_with("tests.rs"))
}

/// The files below a folder that have this extension; the empty one is for files without.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                // Nothing in these folders is committed.
                if !["target", "node_modules", ".git"].contains(&name) {
                    folders.push(path);
                }
            } else if path.extension().unwrap_or_default() == extension {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn relative(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

fn stage(path: &Path) -> String {
    let first = path.strip_prefix(root().join("src")).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// The code of a file without its tests and comments: both may name any stage.
fn code(path: &Path) -> String {
    without_tests(&fs::read_to_string(path).unwrap())
}

/// A code without comments and without the items that are compiled for tests only.
fn without_tests(text: &str) -> String {
    let mut kept = Vec::new();
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push(line);
            continue;
        }
        // The item ends with its first line, or with the brace that stands as far in as the attribute.
        let end = line.replace("#[cfg(test)]", "}");
        let first = lines.by_ref().find(|line| !line.trim_start().starts_with("#["));
        if first.is_some_and(|first| !first.trim_end().ends_with([';', '}'])) {
            lines.by_ref().find(|line| *line == end);
        }
    }
    kept.join("\n")
}

#[test]
fn tests_are_left_out_of_a_code_and_the_rest_is_kept() {
    let text = "a\n#[cfg(test)]\nmod tests;\nb\n    #[cfg(test)]\n    #[path = \"x\"]\n    fn c() {\n        d\n    }\n// e\nf";
    assert_eq!(without_tests(text), "a\nb\nf");
}
