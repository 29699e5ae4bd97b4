//! Why a recording cannot be read.

use super::{Format, LINE_BYTES_MAX};
use std::{io, path::PathBuf};

/// Why a recording cannot be read, or ends early.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// The file cannot be opened.
    #[error("cannot read {}: {error}", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        error: io::Error,
    },
    /// The compression breaks off: the writer was stopped, or the file was copied in part.
    #[error("{}:{line}: the file is cut off; what follows is missing", file.display())]
    Cut {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// The bytes cannot be decompressed, or the disk fails.
    #[error("{}:{line}: {error}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The reason.
        error: io::Error,
    },
    /// A line that is longer than any frame.
    #[error("{}:{line}: the line is longer than {} MiB", file.display(), LINE_BYTES_MAX >> 20)]
    TooLong {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
    },
    /// The file is not a recording of a known format.
    #[error("{}:{line}: not a recording: `{found}`", file.display())]
    Unknown {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The line's beginning.
        found: String,
    },
    /// A line is built otherwise than those before it.
    #[error("{}:{line}: `{found}` is not like the lines before it; expected {}", file.display(), format.example())]
    Unlike {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The line's beginning.
        found: String,
        /// How the lines before it are built.
        format: Format,
    },
    /// The header is of a later version.
    #[error("{}:{line}: version {version} of a recording; this program reads version 1", file.display())]
    Version {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The version that the header names.
        version: String,
    },
}
