//! Tells a program which commit it was built from: its version, its metrics and its reports say it. The build scripts of
//! the gateway and of the load tester share this file.
//!
//! `BUILD_COMMIT` is the commit, with `-changed` where the sources differ from it; empty where it is not known.
//! `BUILD_VERSION` is the version with it, as `--version` prints it. `BUILD_PROFILE` is `release`, or `debug`, which is
//! not optimised.

use std::{env, path::Path, process::Command};

/// Sets `BUILD_COMMIT` and `BUILD_VERSION` for the code that is compiled.
pub(crate) fn tell() {
    // A build without git, such as that of an image, is told the commit by this variable.
    println!("cargo:rerun-if-env-changed=TICKFAN_COMMIT");
    // Without any such line a change of every file would count.
    println!("cargo:rerun-if-changed=Cargo.toml");
    let told = env::var("TICKFAN_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = told.or_else(commit_of_release).unwrap_or_default();
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let version = if commit.is_empty() { version } else { format!("{version} ({commit})") };
    println!("cargo:rustc-env=BUILD_COMMIT={commit}");
    println!("cargo:rustc-env=BUILD_VERSION={version}");
    println!("cargo:rustc-env=BUILD_PROFILE={}", env::var("PROFILE").unwrap_or_default());
}

/// The commit of the working copy, for release builds alone: a development build would be compiled again after each
/// commit, though no source has changed.
fn commit_of_release() -> Option<String> {
    if env::var("PROFILE").as_deref() != Ok("release") {
        return None;
    }
    // A change of the sources rebuilds the program anyway; it may add or remove `-changed`.
    println!("cargo:rerun-if-changed=src");
    let lock = git(&["rev-parse", "--show-toplevel"]).map(|top| format!("{top}/Cargo.lock"));
    if let Some(lock) = lock.filter(|lock| Path::new(lock).exists()) {
        println!("cargo:rerun-if-changed={lock}");
    }
    // The log of HEAD grows with each commit.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| Path::new(log).exists()) {
        println!("cargo:rerun-if-changed={log}");
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"])?;
    let is_changed = git(&["status", "--porcelain", "--", "src", "Cargo.toml", ":/Cargo.lock"])
        .is_some_and(|changes| !changes.is_empty());
    Some(if is_changed { format!("{commit}-changed") } else { commit })
}

/// What git says; `None` in a folder without git.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}
