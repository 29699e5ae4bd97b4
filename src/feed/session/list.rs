//! The list of a session changes, and what depends on it.

use super::{Session, Stage};
use crate::{feed::silence::Patience, market::FeedSymbol};
use std::time::Instant;

impl Session {
    /// The same, whose connections, each with so many symbols, serve on until the next one has taken over.
    #[cfg(test)]
    pub(in crate::feed) fn overlapping(self, symbols: usize) -> Self {
        Self { overlaps: true, list: vec![true; symbols], ..self }
    }

    /// Whether a connection may serve on until the next one has taken over.
    pub(in crate::feed) fn set_overlaps(&mut self, overlaps: bool) {
        self.overlaps = overlaps;
    }

    /// The list changes: these places are left, and then these are taken.
    pub(in crate::feed) fn relist(
        &mut self,
        added: impl Iterator<Item = FeedSymbol>,
        removed: &[FeedSymbol],
        now: Instant,
    ) {
        for place in removed {
            if let Some(is_listed) = self.list.get_mut(place.index()) {
                *is_listed = false;
            }
            self.forget(*place);
        }
        let mut has_new = false;
        for place in added {
            has_new = true;
            if self.list.len() <= place.index() {
                self.list.resize(place.index() + 1, false);
            }
            self.list[place.index()] = true;
            self.forget(place);
        }
        // What was refused was another list: at its next turn it may be granted.
        if has_new
            && std::mem::take(&mut self.is_refused)
            && let Stage::Waiting { until } = &mut self.stage
        {
            *until = now;
        }
        let is_idle = !self.list.contains(&true);
        if std::mem::replace(&mut self.is_idle, is_idle) && !is_idle {
            self.silence.connected(now);
        }
    }

    fn forget(&mut self, place: FeedSymbol) {
        if let Some(old) = &mut self.predecessor {
            old.forget(place);
        }
    }

    /// The same, which waits until then.
    pub(in crate::feed) fn not_before(mut self, until: Option<Instant>) -> Self {
        if let (Some(not_before), Stage::Waiting { until }) = (until, &mut self.stage) {
            *until = not_before.max(*until);
        }
        self
    }

    /// Until when it waits before the next attempt.
    pub(in crate::feed) fn waits_until(&self) -> Option<Instant> {
        match self.stage {
            Stage::Waiting { until } => Some(until),
            _ => None,
        }
    }

    /// Whether the venue may be told of changes: it has answered all that it was asked.
    pub(in crate::feed) fn takes_changes(&self) -> bool {
        matches!(&self.stage, Stage::Connected(link) if link.is_live() && link.all_answered())
    }

    /// How long silence is normal from now on.
    pub(in crate::feed) fn set_patience(&mut self, patience: Patience) {
        self.silence.set_patience(patience);
    }

    /// Whether the list has changed since the venue had answered all requests of this connection.
    pub(in crate::feed) fn is_changed(&self) -> bool {
        matches!(&self.stage, Stage::Connected(link) if link.is_changed())
    }

    /// The newest request of the connection, if there is one.
    pub(in crate::feed) fn newest_request(&self) -> Option<u64> {
        match &self.stage {
            Stage::Connected(link) => Some(link.newest()),
            _ => None,
        }
    }

    /// Whether each request up to this one has its answer. Without a connection nothing is awaited.
    pub(in crate::feed) fn has_answers_up_to(&self, id: u64) -> bool {
        match &self.stage {
            Stage::Connected(link) => link.oldest_open().is_none_or(|open| open > id),
            _ => true,
        }
    }
}
