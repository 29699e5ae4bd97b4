//! Checks what the compiler does not: the allowed dependencies between modules, the form of the code and of its
//! English, and that documents name files that exist.

#![expect(clippy::unwrap_used, reason = "a test")]

mod documents;
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
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}
