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

use super::{Failure, args::Command};

/// Executes a command and returns the exit code.
///
/// # Errors
/// [`Failure`], with the exit code for it.
pub fn execute(command: &Command) -> Result<u8, Failure> {
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
