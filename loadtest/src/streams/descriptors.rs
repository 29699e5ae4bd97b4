//! Open files: every stream is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What the process needs beside its streams: a venue with its connections, a gateway's pipes, files, a runtime.
const RESERVED: u64 = 128;

/// The system allows too few open files for so many streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{streams} streams need {} open files, and this process may have {limit}: run `ulimit -n {}` before, as root if it is \
     refused, or ask for fewer streams",
    streams + RESERVED,
    streams + RESERVED
)]
pub struct TooFewDescriptors {
    streams: u64,
    limit: u64,
}

/// Raises the limit of open files as far as the process may.
///
/// # Errors
/// [`TooFewDescriptors`] if that is not enough for so many streams.
pub fn need_descriptors(streams: u64) -> Result<(), TooFewDescriptors> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // Refused only if something else lowered it meanwhile; what it is then is what counts.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = getrlimit(Resource::Nofile).current.or(current).unwrap_or(u64::MAX);
    if limit < streams + RESERVED { Err(TooFewDescriptors { streams, limit }) } else { Ok(()) }
}
