//! The limit of open files: each stream needs one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors beside the streams: the venue and its connections, the gateway's pipes, files, the runtime.
const RESERVED: u64 = 128;

/// The process may not open as many files as the streams need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{streams} streams need {} open files, and this process may open {limit}: run `ulimit -n {}` first (as root if that is \
     refused), or open fewer streams",
    streams + RESERVED,
    streams + RESERVED
)]
pub struct TooFewDescriptors {
    streams: u64,
    limit: u64,
}

/// Raises the soft limit of open files to the hard limit.
///
/// # Errors
/// [`TooFewDescriptors`] if that is not enough for this many streams.
pub fn need_descriptors(streams: u64) -> Result<(), TooFewDescriptors> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // It fails only if the hard limit was lowered meanwhile; the limit is read again below.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let limit = getrlimit(Resource::Nofile).current.or(current).unwrap_or(u64::MAX);
    if limit < streams + RESERVED { Err(TooFewDescriptors { streams, limit }) } else { Ok(()) }
}
