//! The list of a connection changes.

use super::Connection;
use crate::{
    feed::{
        ListChange, Sink,
        event::{Action, Event},
        silence::Patience,
    },
    market::{FeedSymbol, Now, Reason},
    venue::{Change, DecodeError, ListedSymbol, Spec, Venue},
};

/// Changes of a connection's list, and what follows from the feed's.
pub(in crate::feed) struct Relisting<T> {
    pub(in crate::feed) changes: Vec<ListChange<T>>,
    pub(in crate::feed) patience: Patience,
}

/// The list may grow to twice its length, and by so many more, before the limit on messages is looked at again.
const LIST_ROOM: usize = 1_000;

/// The longest message of a connection.
#[derive(Debug, Clone, Copy)]
pub(in crate::feed) struct MessageLimit {
    set: Option<usize>,
    spec: &'static Spec,
    /// What the open socket takes, and how many symbols that is meant for.
    open: (usize, usize),
}

impl MessageLimit {
    /// What is set, else what the venue needs for the list.
    pub(in crate::feed) fn new(set: Option<usize>, spec: &'static Spec) -> Self {
        Self { set, spec, open: (0, 0) }
    }

    pub(super) fn spec(&self) -> &'static Spec {
        self.spec
    }

    pub(super) fn of(&self, symbols: &[ListedSymbol]) -> usize {
        self.set.unwrap_or_else(|| self.spec.message_bytes_max(symbols))
    }

    /// The limit of the next socket: a list that grows must not need another one soon.
    fn open(&mut self, symbols: &[ListedSymbol]) -> usize {
        let twice = [symbols, symbols].concat();
        self.open = (self.of(&twice), twice.len() + LIST_ROOM);
        self.open.0
    }

    /// Whether a list that is so long now may bring a message that the open socket does not take.
    fn is_outgrown(&self, count: usize, symbols: impl FnOnce() -> Vec<ListedSymbol>) -> bool {
        count > self.open.1 && self.of(&symbols()) > self.open.0
    }
}

impl<S: Sink> Connection<S> {
    /// The venue's side of another connection with the list as it is.
    pub(super) fn another_venue(&self) -> Box<dyn Venue> {
        let mut venue = (self.new_venue)();
        venue.change(&self.places.listed(), &[]);
        venue
    }

    /// The limit on messages of the socket that is opened next.
    pub(super) fn limit_messages(&mut self) {
        let limit = self.message_limit.open(&self.places.symbols());
        self.dialer.set_message_bytes_max(limit);
    }

    /// Changes the list. The sink learns of it at once: from now on it takes the updates of a new symbol, and none of
    /// one that was removed.
    pub(super) fn relist(&mut self, relisting: Relisting<S::Target>) {
        let now = Now::read();
        self.session.set_patience(relisting.patience);
        self.wake_places();
        let mut added = Vec::new();
        let mut removed = Vec::new();
        for change in relisting.changes {
            match change {
                ListChange::Add { symbol, target } => {
                    let Some(place) = self.places.add(&symbol) else { continue };
                    self.sink.add(place, target, now);
                    added.push(place);
                }
                ListChange::Remove(symbol) => {
                    let Some(place) = self.places.remove(&symbol) else { continue };
                    self.sink.remove(place, now);
                    removed.push(place);
                }
            }
        }
        self.applied.send_modify(|applied| *applied += 1);
        if let Some(recorder) = &mut self.recorder {
            recorder.list(self.places.names(), now);
        }
        // They were read before, and wait for the sink.
        self.drop_unlisted();
        removed.retain(|place| !self.places.is_taken(*place));
        added.retain(|place| self.places.is_taken(*place));
        self.session.relist(added.into_iter(), &removed, now.instant);
    }

    fn wake_places(&mut self) {
        self.places.wake(|request| self.session.has_answers_up_to(request));
    }

    /// Drops the updates of symbols that were removed, and counts them as the venue does once it knows.
    pub(super) fn drop_unlisted(&mut self) {
        if !self.places.has_untold_removals() {
            return;
        }
        let before = self.batch.updates.len();
        self.batch.updates.retain(|update| self.places.is_taken(update.symbol));
        let dropped = before - self.batch.updates.len();
        self.batch.errors.add(DecodeError::RemovedSymbol, dropped as u64);
    }

    /// Tells the venue how the list has changed, once it has answered all that it was asked before: so what changes
    /// meanwhile goes out together, and nothing piles up.
    pub(super) fn tell_venue_if_due(&mut self) -> Action {
        if self.places.is_untold() && self.session.takes_changes() { self.tell_venue() } else { Action::Nothing }
    }

    /// Tells the venue how the list has changed. Where no connection is open, nothing follows from it.
    pub(super) fn tell_venue(&mut self) -> Action {
        let now = Now::read();
        self.wake_places();
        let (added, removed) = self.places.tell();
        if let Some(old) = &mut self.predecessor {
            // It asks for nothing any more.
            old.venue.change(&[], &removed);
        }
        let event = match self.venue.change(&added, &removed) {
            Change::Requests(requests) => Event::Change(requests),
            Change::Reconnect => Event::Replace,
        };
        let mut action = self.session.on(event, now.instant);
        for place in removed {
            match self.session.newest_request() {
                Some(request) => self.places.rest(place, request),
                None => self.places.free(place),
            }
        }
        self.refuse_at_once(&added, now);
        let is_outgrown = self.message_limit.is_outgrown(self.places.len(), || self.places.symbols());
        if action == Action::Nothing && is_outgrown {
            action = self.session.on(Event::Replace, now.instant);
        }
        action
    }

    /// The next connection's venue has the list as it is; the one that is to be replaced has to know what was removed.
    pub(super) fn tell_replaced_venue(&mut self) {
        let (_, removed) = self.places.tell();
        self.venue.change(&[], &removed);
        removed.into_iter().for_each(|place| self.places.free(place));
    }

    /// The symbols of the list that the venue refuses.
    pub(super) fn refused(&self) -> Vec<(FeedSymbol, Reason)> {
        let mut refused = self.venue.refused();
        refused.retain(|(place, _)| self.places.is_taken(*place));
        refused
    }

    /// Publishes that new symbols are refused which the venue cannot be asked for. Where it has not answered all
    /// requests yet, or another connection serves, they are published with the others.
    fn refuse_at_once(&mut self, added: &[(FeedSymbol, ListedSymbol)], now: Now) {
        if !self.session.is_live() || self.predecessor.is_some() {
            return;
        }
        let refused = self.refused();
        if refused.iter().any(|(refused, _)| added.iter().any(|(place, _)| place == refused)) {
            self.sink.refused(&refused, now);
        }
    }
}
