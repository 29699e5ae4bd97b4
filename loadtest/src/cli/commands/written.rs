//! What a package installs beside the program: completions for shells, and manual pages.

use super::super::{Args, EXIT_OK, Failure};
use clap::CommandFactory as _;
use clap_complete::Shell;
use std::{
    io::{self, Write as _},
    path::Path,
};

/// Prints the completions of the command line, as a script for this shell.
pub(super) fn completions(shell: Shell) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "tickfan-loadtest", &mut script);
    io::stdout().write_all(&script)?;
    Ok(EXIT_OK)
}

/// Writes a manual page for the program and one for each command into an existing folder.
pub(super) fn manual(folder: &Path) -> Result<u8, Failure> {
    clap_mangen::generate_to(Args::command(), folder)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))?;
    Ok(EXIT_OK)
}
