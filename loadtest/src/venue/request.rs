//! The requests of connections: their permissions, and the replies.

use super::batch::Kind;

/// The permissions of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Permissions {
    /// Whether its key is accepted.
    pub(super) key: bool,
    /// Whether it gets only every other symbol.
    pub(super) half: bool,
}

impl Permissions {
    /// Whether a symbol is granted.
    pub(super) fn grant(self, symbol: u32) -> bool {
        !self.half || symbol.is_multiple_of(2)
    }
}

/// The reply to a client's request.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// The messages to send back.
    pub(super) messages: Vec<String>,
    /// The new subscriptions.
    pub(super) subscribed: Vec<(u32, Kind)>,
}
