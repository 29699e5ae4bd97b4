//! Why a command failed, and the exit code for it.

use super::{EXIT_FAILED, EXIT_USAGE};
use crate::run::RunError;
use std::{error::Error, fmt};

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    /// The exit code for it.
    pub code: u8,
    error: Box<dyn Error>,
}

impl Failure {
    /// A wrong argument or a wrong scenario.
    pub(super) fn usage(error: impl Into<Box<dyn Error>>) -> Self {
        Self { code: EXIT_USAGE, error: error.into() }
    }
}

impl Failure {
    /// Whether a server was loaded that opened not one stream, or is gone.
    pub(super) fn is_of_server(&self) -> bool {
        matches!(self.error.downcast_ref::<RunError>(), Some(RunError::NoStream(_) | RunError::Admin(_)))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { code: EXIT_FAILED, error: error.into() }
    }
}
