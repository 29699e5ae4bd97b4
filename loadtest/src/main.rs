//! `tickfan-loadtest`: arguments and exit codes. Everything else is the library's.

use clap::Parser as _;
use std::{
    io::{self, Write as _},
    process::ExitCode,
};
use tickfan_loadtest::cli::{Args, EXIT_OK, EXIT_USAGE, execute};

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(asked_or_wrong) => {
            // `--help` and `--version` come this way too, and are no mistakes.
            let _ = asked_or_wrong.print();
            return ExitCode::from(if asked_or_wrong.use_stderr() { EXIT_USAGE } else { EXIT_OK });
        }
    };
    match execute(&args.command) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            // The exit code tells it all the same where standard error is closed.
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::from(failure.code)
        }
    }
}
