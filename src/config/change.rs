//! What a reload says of a key.

/// A key whose value differs. The values are written as in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `server.hosts`, or `feed.us-stocks`.
    pub key: String,
    /// The value in force.
    pub from: String,
    /// The value in the file, or in what overrides it.
    pub to: String,
}
