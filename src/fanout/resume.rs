//! Where a client that reconnects resumes.

/// Where a stream resumes that was cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume {
    /// The `n` of the last tick that the client has.
    pub after: u64,
    /// How many bytes of older ticks may come before each symbol's newest.
    pub bytes: usize,
}
