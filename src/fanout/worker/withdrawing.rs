//! How a worker ends the streams of clients without credentials that carry what these may read no longer.

use super::Worker;
use crate::{
    fanout::{open_rights::OpenRights, stream_key::StreamKey, transport::Transport},
    market::Now,
};
use std::sync::Arc;

impl<T: Transport> Worker<T> {
    /// Clients without credentials may read this from now on.
    pub(super) fn withdraw(&mut self, rights: Arc<dyn OpenRights>, now: Now) {
        self.open_rights = Some(rights);
        for key in self.table.keys() {
            self.end_withdrawn(key, now);
        }
    }

    /// Ends a stream if its client has no credentials and may not read all of it any longer. It is asked again of a
    /// stream that was just opened or changed: its request may have come before the rights became less.
    pub(super) fn end_withdrawn(&mut self, key: StreamKey, now: Now) {
        let Some(rights) = &self.open_rights else { return };
        let stream = self.table.stream(key);
        if stream.exceeds(&**rights, &self.symbols, now) {
            stream.deny(now);
            self.table.arm(key);
        }
    }
}
