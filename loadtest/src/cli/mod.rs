//! The command line.

mod args;
mod commands;
mod output;

pub use args::{Args, Command};
pub use commands::{Failure, execute};

/// All went well, and every threshold was kept.
pub const EXIT_OK: u8 = 0;
/// It came to nothing: no server, no gateway, too few open files.
pub const EXIT_FAILED: u8 = 1;
/// What was asked for is not right.
pub const EXIT_USAGE: u8 = 64;
/// A threshold was crossed, or something was broken.
pub const EXIT_CROSSED: u8 = 99;
