//! `tickfan-loadtest`: arguments and exit codes. The rest is in the library.

use clap::Parser as _;
use std::{
    io::{self, Write as _},
    process::ExitCode,
};
use tickfan_loadtest::cli::{Args, EXIT_OK, EXIT_USAGE, execute};

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // `--help` and `--version` are reported as errors too.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { EXIT_USAGE } else { EXIT_OK });
        }
    };
    match execute(&args.command) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            // If standard error is closed, the exit code still reports the failure.
            let _ = writeln!(io::stderr(), "error: {failure}");
            ExitCode::from(failure.code)
        }
    }
}
