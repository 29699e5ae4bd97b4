//! The environment.

use std::ffi::OsString;

/// The environment, as it was passed in.
pub(super) type Variables = [(OsString, OsString)];
