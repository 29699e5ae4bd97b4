//! The command line.

mod output_args;
mod limit_args;
mod args;
mod failure;
mod server;
mod output;
mod origin;
mod server_program;
mod scenario;
mod commands;

pub use args::{Args, Command};
pub use commands::execute;
pub use failure::Failure;

/// The command succeeded, and every threshold was met.
pub const EXIT_OK: u8 = 0;
/// The command failed: it found neither server nor gateway, or had too few open files.
pub const EXIT_FAILED: u8 = 1;
/// A threshold was crossed by less than the load tester itself was late.
pub const EXIT_INCONCLUSIVE: u8 = 98;
/// A wrong argument or a wrong scenario.
pub const EXIT_USAGE: u8 = 64;
/// A threshold was crossed, or a rule was violated.
pub const EXIT_CROSSED: u8 = 99;
