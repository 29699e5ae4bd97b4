//! Why a message is dropped.

/// Why a message cannot be read. It is dropped, and missing like one that did not arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DecodeError {
    /// It does not begin as a message does.
    #[error("not a message of a cluster")]
    Magic,
    /// Its checksum is that of other bytes.
    #[error("a checksum of other bytes")]
    Crc,
    /// It is of a version that this node does not read.
    #[error("a version that this node does not read")]
    Version,
    /// It ends before its last field, goes on after it, or is longer than any message.
    #[error("a length that does not fit its content")]
    Length,
    /// It names a symbol beyond the owner's table, or the table is longer than any.
    #[error("an index beyond the table of symbols")]
    Index,
    /// A field has a value that means nothing.
    #[error("a field with a value that means nothing")]
    Value,
}

impl DecodeError {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 6] = [Self::Magic, Self::Crc, Self::Version, Self::Length, Self::Index, Self::Value];

    /// Its name, which is a label of metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Magic => "magic",
            Self::Crc => "crc",
            Self::Version => "version",
            Self::Length => "length",
            Self::Index => "index",
            Self::Value => "value",
        }
    }
}
