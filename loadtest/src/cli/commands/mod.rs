//! One file per command.

mod compare;
mod config;
mod find_limit;
mod floor;
mod load;
mod scenario_run;
mod streams;
mod venue;
mod written;

use super::{Failure, args::Command, output::write_failed};
use std::path::PathBuf;

/// Executes a command and returns the exit code.
///
/// # Errors
/// [`Failure`], with the exit code for it.
pub fn execute(command: &Command) -> Result<u8, Failure> {
    let result = execute_one(command);
    if let Err(failure) = &result {
        // The failure itself says more than why it cannot be written too.
        let _ = write_failed(junit_file(command), &failure.to_string());
    }
    result
}

/// The file for verdicts as JUnit's XML.
fn junit_file(command: &Command) -> Option<&PathBuf> {
    match command {
        Command::Run(args) if args.print_scenario => None,
        Command::Run(args) => args.output.junit.as_ref(),
        Command::Streams(args) => args.output.junit.as_ref(),
        Command::Floor(args) => args.output.junit.as_ref(),
        Command::Compare(args) => args.junit.as_ref(),
        Command::Venue(_) | Command::Config(_) | Command::Completions { .. } | Command::Man { .. } => None,
    }
}

fn execute_one(command: &Command) -> Result<u8, Failure> {
    match command {
        Command::Run(args) => scenario_run::execute(args),
        Command::Streams(args) => streams::execute(args),
        Command::Venue(args) => venue::execute(args),
        Command::Floor(args) => floor::execute(args),
        Command::Compare(args) => compare::execute(args),
        Command::Config(args) => config::execute(args),
        Command::Completions { shell } => written::completions(*shell),
        Command::Man { folder } => written::manual(folder),
    }
}
