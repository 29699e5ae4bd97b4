//! The list of a connection changes.

use super::Connection;
use crate::{
    feed::{
        ListChange, Sink,
        event::{Action, Event},
        silence::Patience,
    },
    market::{FeedSymbol, Now},
    venue::{Change, ListedSymbol, Spec, Venue},
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

    /// Changes the list. The sink learns of it first: from then on it takes the updates of a new symbol, and none of
    /// one that was removed.
    pub(super) fn relist(&mut self, relisting: Relisting<S::Target>) -> Action {
        let now = Now::read();
        self.session.set_patience(relisting.patience);
        self.places.wake(|request| self.session.has_answers_up_to(request));
        let (added, removed) = self.take_changes(relisting.changes, now);
        if added.is_empty() && removed.is_empty() {
            return Action::Nothing;
        }
        // They were read before, and wait for the sink.
        self.batch.updates.retain(|update| !removed.contains(&update.symbol));
        self.session.relist(added.iter().map(|(place, _)| *place), &removed, now.instant);
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

    /// Gives the new symbols places. What is added and removed again is neither.
    fn take_changes(
        &mut self,
        changes: Vec<ListChange<S::Target>>,
        now: Now,
    ) -> (Vec<(FeedSymbol, ListedSymbol)>, Vec<FeedSymbol>) {
        let mut added: Vec<(FeedSymbol, ListedSymbol)> = Vec::new();
        let mut removed = Vec::new();
        for change in changes {
            match change {
                ListChange::Add { symbol, target } => {
                    let Some(place) = self.places.add(&symbol) else { continue };
                    self.sink.add(place, target, now);
                    added.push((place, symbol));
                }
                ListChange::Remove(symbol) => {
                    let Some(place) = self.places.remove(&symbol) else { continue };
                    self.sink.remove(place, now);
                    match added.iter().position(|(new, _)| *new == place) {
                        Some(new) => {
                            added.remove(new);
                            self.places.free(place);
                        }
                        None => removed.push(place),
                    }
                }
            }
        }
        (added, removed)
    }

    /// Publishes that new symbols are refused which the venue cannot be asked for. Where it has not answered all
    /// requests yet, or another connection serves, they are published with the others.
    fn refuse_at_once(&mut self, added: &[(FeedSymbol, ListedSymbol)], now: Now) {
        if !self.session.is_live() || self.predecessor.is_some() {
            return;
        }
        let refused = self.venue.refused();
        if refused.iter().any(|(refused, _)| added.iter().any(|(place, _)| place == refused)) {
            self.sink.refused(&refused, now);
        }
    }
}
