//! The overlap of two connections: one that is to be replaced serves on until the next one has taken over, so that a
//! planned end leaves no gap. Pure: the clock is passed in.
//!
//! Until then it is the predecessor. It asks for nothing, sends its pings, and its updates count as before; the order
//! guards take each update once, whichever connection brings it first.

use super::{
    DisconnectReason,
    event::{Action, Event},
    link::Link,
    timing::Timing,
};
use crate::{
    market::FeedSymbol,
    venue::{Message, Rules},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// How long a predecessor serves on while the venue has no room for its successor: longer than a venue restarts, and it
/// may need this connection to go first.
const WITHOUT_ROOM_MAX: Duration = Duration::from_secs(120);

/// Whether a feed's connections may overlap with those that replace them.
#[derive(Debug, Clone)]
pub(super) struct Overlaps {
    /// The most connections that the venue accepts; none may overlap where it is 0.
    pub(super) connections_max: usize,
    /// How many the feed has.
    pub(super) connections: Arc<AtomicUsize>,
}

impl Overlaps {
    /// All of the feed's connections may overlap at once, and none may be more than the venue accepts.
    pub(super) fn are_allowed(&self) -> bool {
        2 * self.connections.load(Ordering::Relaxed) <= self.connections_max
    }
}

/// Which of the two connections brings an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Predecessor,
    Successor,
}

/// A connection that serves on until its successor has taken over.
#[derive(Debug)]
pub(super) struct Predecessor {
    link: Box<Link>,
    /// Why it is replaced.
    reason: DisconnectReason,
    /// Since when the venue has had no room for a successor.
    without_room_since: Option<Instant>,
    /// Whether the venue has denied the successor access.
    is_denied: bool,
    /// Since when the venue has answered all requests of the successor.
    live_since: Option<Instant>,
    heard: Vec<Heard>,
    /// How many symbols of both the successor has not spoken for.
    missing: usize,
    /// Whether all that the predecessor had sent when the successor had spoken for each symbol was read.
    is_read: bool,
}

/// What is known of a symbol.
#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    /// The predecessor carries the symbol, and it is of the list.
    is_carried: bool,
    /// The successor has spoken for it, or the venue refuses it.
    by_successor: bool,
    /// The predecessor has spoken for it while the successor was live, and the successor had time to do so too.
    only_by_predecessor: bool,
}

impl Predecessor {
    /// `list` says of each place whether it is taken.
    pub(super) fn new(mut link: Box<Link>, reason: DisconnectReason, list: &[bool]) -> Self {
        link.retire();
        let heard = list.iter().map(|&is_carried| Heard { is_carried, ..Heard::default() });
        Self {
            link,
            reason,
            without_room_since: None,
            is_denied: false,
            live_since: None,
            heard: heard.collect(),
            missing: list.iter().filter(|is_carried| **is_carried).count(),
            is_read: false,
        }
    }

    /// A symbol has left this place, or another one may take it, which the predecessor does not carry.
    pub(super) fn forget(&mut self, place: FeedSymbol) {
        if let Some(heard) = self.heard.get_mut(place.index()) {
            let forgotten = std::mem::take(heard);
            self.missing -= usize::from(forgotten.is_carried && !forgotten.by_successor);
        }
    }

    /// The venue has answered all requests of the successor, and refuses these symbols.
    pub(super) fn succeeded(&mut self, refused: impl Iterator<Item = FeedSymbol>, timing: &Timing, now: Instant) {
        self.live_since.get_or_insert(now);
        self.heard(Side::Successor, refused, timing, now);
    }

    /// The successor is lost for this reason: there will be another attempt.
    pub(super) fn lost_successor(&mut self, reason: DisconnectReason, now: Instant) {
        let has_no_room = matches!(reason, DisconnectReason::ConnectionLimit | DisconnectReason::Refused);
        self.without_room_since = has_no_room.then(|| self.without_room_since.unwrap_or(now));
        self.is_denied = reason == DisconnectReason::Denied;
        self.live_since = None;
        self.is_read = false;
        for heard in &mut self.heard {
            *heard = Heard { is_carried: heard.is_carried, ..Heard::default() };
        }
        self.missing = self.heard.iter().filter(|heard| heard.is_carried).count();
    }

    /// As an attempt begins: it is dropped if the two may not overlap any more, or the venue has had no room for so
    /// long. Earlier nothing is won by it, and nothing ever where the cause may be on our side, or at the venue's
    /// entry: the data flow.
    pub(super) fn gives_up(&self, may_overlap: bool, now: Instant) -> Option<Action> {
        let is_over = |since| now >= since + WITHOUT_ROOM_MAX;
        let has_room = may_overlap && !self.without_room_since.is_some_and(is_over);
        (!has_room).then(|| self.ended(self.reason))
    }

    /// Whether the overlap ends once the predecessor has nothing left to read: what it has sent would be lost.
    pub(super) fn ends_when_read(&self) -> bool {
        self.live_since.is_some() && self.missing == 0 && !self.is_read
    }

    /// Nothing of the predecessor is left to read.
    pub(super) fn is_read(&mut self) {
        self.is_read = self.ends_when_read();
    }

    /// One of the two has spoken for these symbols.
    pub(super) fn heard(&mut self, by: Side, symbols: impl Iterator<Item = FeedSymbol>, timing: &Timing, now: Instant) {
        // What comes at once may be from before the successor's subscription, and what comes later still be on its way
        // on the other connection when the overlap ends.
        let overlap = timing.overlap;
        let is_early = self.live_since.is_some_and(|since| since + overlap / 10 <= now && now < since + overlap / 2);
        for symbol in symbols {
            let Some(heard) = self.heard.get_mut(symbol.index()).filter(|heard| heard.is_carried) else { continue };
            match by {
                Side::Predecessor => heard.only_by_predecessor |= is_early && !heard.by_successor,
                Side::Successor => {
                    self.missing -= usize::from(!std::mem::replace(&mut heard.by_successor, true));
                    heard.only_by_predecessor = false;
                }
            }
        }
    }

    /// An event of this connection. An error is its end, and why.
    pub(super) fn on(
        &mut self,
        event: Event,
        timing: &Timing,
        rules: &Rules,
        now: Instant,
    ) -> Result<(), DisconnectReason> {
        match event {
            Event::Disconnected { reason, .. } => Err(reason),
            // It asks for nothing any more, whatever the venue repeats.
            Event::Ask(_)
            | Event::Change(_)
            | Event::Replace
            | Event::Message(Message::Closing | Message::Refused(_)) => Ok(()),
            event => self.link.on(event, timing, rules, now).map(|_| ()).map_err(|ending| ending.reason),
        }
    }

    /// What is due by now, if anything is: a ping, or that it is dropped.
    pub(super) fn due(&mut self, timing: &Timing, rules: &Rules, now: Instant) -> Option<Action> {
        if self.overlap_ends_at(timing).is_some_and(|end| end <= now) {
            let has_lost = self.heard.iter().any(|heard| heard.only_by_predecessor);
            let is_gap = self.missing > 0 && has_lost;
            return Some(Action::DropPredecessor { gap: is_gap.then_some(self.reason) });
        }
        match self.link.on(Event::Due, timing, rules, now) {
            Ok(Action::Ping) => Some(Action::PingPredecessor(None)),
            Ok(Action::SendPing(text)) => Some(Action::PingPredecessor(Some(text))),
            Ok(_) => None,
            Err(ending) => Some(self.ended(ending.reason)),
        }
    }

    /// It has ended by itself. Nothing is missing where its successor is live, unless its own frames are.
    pub(super) fn ended(&self, reason: DisconnectReason) -> Action {
        let is_gap = self.live_since.is_none() || reason == DisconnectReason::Gap;
        let reason = if reason == DisconnectReason::Closed { self.reason } else { reason };
        Action::DropPredecessor { gap: is_gap.then_some(reason) }
    }

    pub(super) fn deadline(&self, timing: &Timing, rules: &Rules) -> Instant {
        let alone = self.link.deadline(timing, rules);
        self.overlap_ends_at(timing).map_or(alone, |end| end.min(alone))
    }

    fn overlap_ends_at(&self, timing: &Timing) -> Option<Instant> {
        match self.live_since {
            Some(since) if self.missing == 0 && self.is_read => Some(since),
            Some(since) => Some(since + timing.overlap),
            None => None,
        }
    }

    /// Whether its end, after data have flowed for long, is a first failure: the next attempt need not wait for as long
    /// as those that failed beside it. A denial holds.
    pub(super) fn hurries_its_successor(&self, timing: &Timing) -> bool {
        self.link.is_stable(timing) && !self.is_denied
    }
}
