//! What a connection of a feed does next: a pure machine of events and actions. `connection` does the I/O around it.
//!
//! connect → log in and ask for all symbols, at the venue's pace → know for each request whether it was granted →
//! live, as long as the venue answers, data flow and the connection is young enough → leave → wait → connect.

mod list;

use super::{
    DisconnectReason,
    backoff::Backoff,
    event::{Action, Ending, Event},
    link::Link,
    pacer::ConnectPacer,
    rotation::{Predecessor, Side},
    silence::{Overdue, Patience, Silence},
    timing::Timing,
};
use crate::{
    market::{FeedSymbol, Parts, Reason, Update},
    venue::{Message, Played, Rules},
};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The longest wait that a venue may ask for: the first bans last minutes, and a header must not stop a feed for a day.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// One connection of a feed, through its attempts and replacements.
#[derive(Debug)]
pub(super) struct Session {
    timing: Timing,
    rules: Rules,
    backoff: Backoff,
    pacer: ConnectPacer,
    random: SmallRng,
    silence: Silence,
    stage: Stage,
    /// Whether a connection serves on until the next one has taken over; else a planned end is a gap.
    overlaps: bool,
    /// Of each place of the list, whether a symbol has it.
    list: Vec<bool>,
    /// Whether the venue has refused all of the list, on the last connection.
    is_refused: bool,
    /// Whether the list has become empty: then nothing is to come.
    is_idle: bool,
    predecessor: Option<Predecessor>,
}

#[derive(Debug)]
enum Stage {
    /// Until the next attempt may begin.
    Waiting { until: Instant },
    /// Until this connection's turn among those of its feed.
    Queued { until: Instant },
    /// The attempt runs until then.
    Connecting { until: Instant },
    /// There is a connection.
    Connected(Box<Link>),
}

impl Session {
    /// A session that connects as soon as it has its turn. The seed spreads its waits.
    pub(super) fn new(
        timing: Timing,
        rules: Rules,
        patience: Patience,
        pacer: ConnectPacer,
        seed: u64,
        now: Instant,
    ) -> Self {
        Self {
            timing,
            rules,
            backoff: Backoff::new(timing.backoff_first, timing.backoff_max),
            pacer,
            random: SmallRng::seed_from_u64(seed),
            silence: Silence::new(patience, now),
            stage: Stage::Waiting { until: now },
            overlaps: false,
            list: Vec::new(),
            is_refused: false,
            is_idle: false,
            predecessor: None,
        }
    }

    /// The next connection is replaced at this age.
    pub(super) fn replace_after(&mut self, age: Duration) {
        self.rules.lifetime = Some(age);
    }

    /// Takes an event; says what to do. Several things may be due at once: each [`Event::Due`] gives one of them.
    pub(super) fn on(&mut self, event: Event, now: Instant) -> Action {
        if matches!(event, Event::Due)
            && let Some(action) = self.predecessor_due(now)
        {
            return action;
        }
        match (event, &mut self.stage) {
            (Event::PredecessorEnded(reason), _) => self.predecessor_ended(reason, now),
            (Event::Due, Stage::Waiting { until }) if *until <= now => self.queue(now),
            (Event::Due, Stage::Queued { until }) if *until <= now && self.pacer.is_held(now) => self.queue(now),
            (Event::Due, Stage::Queued { until }) if *until <= now => self.connect(now),
            (Event::Due, Stage::Connecting { until }) if *until <= now => {
                self.leave(DisconnectReason::ConnectTimeout, None, now)
            }
            (Event::Connected(requests), Stage::Connecting { .. }) => {
                self.stage = Stage::Connected(Box::new(Link::new(requests, &self.timing, now)));
                if self.predecessor.is_none() {
                    self.silence.connected(now);
                }
                Action::Nothing
            }
            (Event::Disconnected { reason, retry_after }, Stage::Connecting { .. } | Stage::Connected(_)) => {
                self.leave(reason, retry_after, now)
            }
            (Event::Watch(watch), _) => {
                self.silence.watch(watch, now);
                Action::Nothing
            }
            (Event::AllHalted, _) => {
                self.silence.excuse(now);
                Action::Nothing
            }
            (event, Stage::Connected(_)) => self.on_link(event, now),
            _ => Action::Nothing,
        }
    }

    fn on_link(&mut self, event: Event, now: Instant) -> Action {
        let Stage::Connected(link) = &mut self.stage else { return Action::Nothing };
        let is_due = matches!(event, Event::Due);
        match event {
            Event::Message(Message::Data) => self.silence.data(now),
            // From here on silence is normal.
            Event::Message(Message::Played(Played::Ended)) => self.silence.watch(false, now),
            _ => {}
        }
        let done = link.on(event, &self.timing, &self.rules, now);
        if link.is_stable(&self.timing) {
            self.backoff.reset();
        }
        match done {
            Ok(Action::Nothing) if is_due && !self.is_idle => match self.silence.due(now) {
                None => Action::Nothing,
                Some(Overdue::Mute) => Action::Mute,
                Some(Overdue::Replace) => self.leave(DisconnectReason::NoData, None, now),
            },
            Ok(action) => action,
            Err(Ending { reason: reason @ (DisconnectReason::Lifetime | DisconnectReason::Relisted), .. }) => {
                self.replace(reason, now)
            }
            Err(Ending { reason: DisconnectReason::Closing, .. }) if link.is_stable(&self.timing) => {
                self.replace(DisconnectReason::Closing, now)
            }
            Err(Ending { reason: DisconnectReason::Closing, .. }) if self.may_rotate() => {
                let wait = self.backoff.fail(self.random.random());
                self.rotate(DisconnectReason::Closing, wait, now)
            }
            Err(Ending { reason, retry_after }) => self.leave(reason, retry_after, now),
        }
    }

    /// Whether no data have come for so long that the symbols are stale.
    pub(super) fn is_mute(&self) -> bool {
        self.silence.is_mute()
    }

    /// Data with these parts arrived. Returns the parts that are silent from now on, though others flow.
    pub(super) fn parts(&mut self, parts: Parts, now: Instant) -> Parts {
        self.silence.parts(parts, now)
    }

    /// Whether it wants to know the parts of the data.
    pub(super) fn minds_parts(&self) -> bool {
        self.silence.minds_parts()
    }

    /// Takes events in their order, up to the first that asks for something. The others stay.
    pub(super) fn on_all(&mut self, events: &mut VecDeque<Event>, now: Instant) -> Action {
        while let Some(event) = events.pop_front() {
            let action = self.on(event, now);
            if action != Action::Nothing {
                return action;
            }
        }
        Action::Nothing
    }

    /// When [`Event::Due`] is due.
    pub(super) fn deadline(&self) -> Instant {
        let due = match &self.stage {
            Stage::Waiting { until } | Stage::Queued { until } | Stage::Connecting { until } => *until,
            Stage::Connected(link) => link.deadline(&self.timing, &self.rules),
        };
        let is_served = self.predecessor.is_some() || matches!(self.stage, Stage::Connected(_));
        let silent = self.silence.deadline().filter(|_| is_served && !self.is_idle);
        let handover = self.predecessor.as_ref().map(|old| old.deadline(&self.timing, &self.rules));
        [silent, handover].into_iter().flatten().fold(due, Instant::min)
    }

    /// Takes a turn among the connections of the feed.
    fn queue(&mut self, now: Instant) -> Action {
        let turn = self.pacer.take_turn(now);
        if turn <= now {
            return self.connect(now);
        }
        self.stage = Stage::Queued { until: turn };
        Action::Nothing
    }

    fn connect(&mut self, now: Instant) -> Action {
        if let Some(action) = self.predecessor.as_ref().and_then(|old| old.gives_up(self.overlaps, now)) {
            self.predecessor = None;
            self.stage = Stage::Queued { until: now };
            return action;
        }
        self.stage = Stage::Connecting { until: now + self.timing.connect };
        Action::Connect
    }

    /// The connection has reached its age, or the venue will close it soon. It serves on until its turn to connect
    /// again, so that its symbols do not wait for the attempts of other connections.
    fn replace(&mut self, reason: DisconnectReason, now: Instant) -> Action {
        let Stage::Connected(link) = &mut self.stage else { return Action::Nothing };
        let turn = link.turn_or(|| (self.pacer.take_turn(now), reason));
        if turn > now {
            return Action::Nothing;
        }
        if self.pacer.is_held(now) {
            link.take_another_turn(self.pacer.take_turn(now));
            return Action::Nothing;
        }
        if self.may_rotate() {
            return self.rotate(reason, Duration::ZERO, now);
        }
        let action = self.leave(reason, None, now);
        if let (Action::Leave { retry_in: Duration::ZERO, .. }, Stage::Waiting { until }) = (&action, &self.stage) {
            self.stage = Stage::Queued { until: *until };
        }
        action
    }

    fn leave(&mut self, reason: DisconnectReason, retry_after: Option<Duration>, now: Instant) -> Action {
        let stable = matches!(&self.stage, Stage::Connected(link) if link.is_stable(&self.timing));
        // A planned replacement is not a failure, but one that a venue asks for again and again is.
        let planned = stable && reason.is_planned();
        let random = self.random.random();
        let wait = match reason {
            _ if planned => Duration::ZERO,
            // A silence is followed by ever fewer attempts by itself; the wait spreads those of many gateways.
            DisconnectReason::NoData => self.timing.backoff_first.mul_f64(random),
            // At least half of the wait is kept: after a denial the gateway must never retry at once.
            DisconnectReason::Denied => self.timing.denied.mul_f64(0.5 + random / 2.0),
            _ => self.backoff.fail(random),
        };
        self.is_refused = reason == DisconnectReason::Refused;
        let retry_after = retry_after.map(|wait| wait.min(RETRY_AFTER_MAX));
        if let Some(held) = retry_after {
            // It is the venue's word to this host, so it holds for all connections of the feed.
            self.pacer.hold(now + held);
        }
        let retry_in = wait.max(retry_after.unwrap_or_default());
        self.stage = Stage::Waiting { until: now + retry_in };
        match &mut self.predecessor {
            Some(old) => {
                old.lost_successor(reason, now);
                Action::Retry { reason, retry_in }
            }
            None => Action::Leave { reason, retry_in },
        }
    }

    /// Whether the connection can serve on until the next one has taken over.
    fn may_rotate(&self) -> bool {
        self.overlaps && self.predecessor.is_none() && self.is_live()
    }

    fn rotate(&mut self, reason: DisconnectReason, wait: Duration, now: Instant) -> Action {
        let until = now + wait;
        // A connection without a wait has had its turn.
        let next = if wait.is_zero() { Stage::Queued { until } } else { Stage::Waiting { until } };
        if let Stage::Connected(link) = std::mem::replace(&mut self.stage, next) {
            self.predecessor = Some(Predecessor::new(link, reason, &self.list));
        }
        Action::Rotate { reason, retry_in: wait }
    }

    fn predecessor_due(&mut self, now: Instant) -> Option<Action> {
        let action = self.predecessor.as_mut()?.due(&self.timing, &self.rules, now);
        if action.is_some() {
            return action.map(|action| self.note_drop(action, now));
        }
        if matches!(self.stage, Stage::Connected(_)) {
            return None; // a silence of both is judged there
        }
        if self.is_idle {
            return None;
        }
        Some(match self.silence.due(now)? {
            Overdue::Mute => Action::Mute,
            Overdue::Replace => self.predecessor_ended(DisconnectReason::NoData, now),
        })
    }

    fn predecessor_ended(&mut self, reason: DisconnectReason, now: Instant) -> Action {
        let action = self.predecessor.as_ref().map_or(Action::Nothing, |old| old.ended(reason));
        self.note_drop(action, now)
    }

    fn note_drop(&mut self, action: Action, now: Instant) -> Action {
        if matches!(action, Action::DropPredecessor { .. })
            && let Some(old) = self.predecessor.take()
            && let Stage::Waiting { until } = &mut self.stage
            && old.hurries_its_successor(&self.timing)
        {
            self.backoff.reset();
            *until = (*until).min(now + self.backoff.fail(self.random.random()));
        }
        action
    }

    /// Takes an event of the predecessor.
    pub(super) fn on_predecessor(&mut self, event: Event, now: Instant) -> Action {
        let Some(old) = &mut self.predecessor else { return Action::Nothing };
        if matches!(event, Event::Message(Message::Data)) {
            self.silence.data(now);
        }
        match old.on(event, &self.timing, &self.rules, now) {
            Ok(()) => Action::Nothing,
            Err(reason) => self.predecessor_ended(reason, now),
        }
    }

    /// One of two connections has brought these updates.
    pub(super) fn heard(&mut self, by: Side, updates: &[Update], now: Instant) {
        if let Some(old) = &mut self.predecessor {
            old.heard(by, updates.iter().map(|update| update.symbol), &self.timing, now);
        }
    }

    /// Whether the predecessor goes once nothing of it is left to read.
    pub(super) fn awaits_last_frames(&self) -> bool {
        self.predecessor.as_ref().is_some_and(Predecessor::ends_when_read)
    }

    /// Nothing of the predecessor is left to read.
    pub(super) fn has_last_frames(&mut self) {
        if let Some(old) = &mut self.predecessor {
            old.is_read();
        }
    }

    /// The connection is live, and the venue refuses these symbols.
    pub(super) fn granted(&mut self, refused: &[(FeedSymbol, Reason)], now: Instant) {
        if let Some(old) = &mut self.predecessor {
            old.succeeded(refused.iter().map(|(symbol, _)| *symbol), &self.timing, now);
        }
    }

    /// Whether there is a connection on which the venue has answered all requests.
    pub(super) fn is_live(&self) -> bool {
        matches!(&self.stage, Stage::Connected(link) if link.is_live())
    }
}

#[cfg(test)]
#[path = "../session_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "../keepalive_tests.rs"]
mod keepalive_tests;

#[cfg(test)]
#[path = "../mute_tests.rs"]
mod mute_tests;

#[cfg(test)]
#[path = "../answer_tests.rs"]
mod answer_tests;

#[cfg(test)]
#[path = "../turn_tests.rs"]
mod turn_tests;

#[cfg(test)]
#[path = "../rotation_tests.rs"]
mod rotation_tests;

#[cfg(test)]
#[path = "../relist_tests.rs"]
mod relist_tests;
