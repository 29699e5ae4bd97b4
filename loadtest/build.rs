//! Tells the program which commit it was built from, so that its reports can tell it.

use std::process::Command;

fn main() {
    // A rebuild after each commit: the log of HEAD grows by it. A change of the sources, which `-changed` tells of,
    // rebuilds the program anyway.
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=build.rs");
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| std::path::Path::new(log).exists()) {
        println!("cargo:rerun-if-changed={log}");
    }
    let commit = git(&["rev-parse", "--short=12", "HEAD"]).map_or(String::new(), |commit| {
        let is_changed = git(&["status", "--porcelain", "--", "src"]).is_some_and(|changes| !changes.is_empty());
        if is_changed { format!("{commit}-changed") } else { commit }
    });
    println!("cargo:rustc-env=LOADTEST_COMMIT={commit}");
}

/// What git says; `None` in a folder without git.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok().map(|text| text.trim().to_owned())
}
