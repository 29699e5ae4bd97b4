//! An ask for the batches or the snapshot that a follower waits for.

use super::event::{Action, AskId};
use crate::cluster::{clock::Boot, message::Ask};
use rand::{RngExt, rngs::SmallRng};
use std::time::Duration;

/// An ask without an answer, or whose answer pauses, for so long is given up.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// An ask that was not answered is repeated after a pause between these, in ms: many followers ask at once.
const PAUSE_MILLIS: std::ops::Range<u64> = 100..500;

/// Counts asks, and draws the pauses between them.
#[derive(Debug)]
pub(super) struct Asks {
    last: u64,
    random: SmallRng,
}

impl Asks {
    pub(super) fn new(random: SmallRng) -> Self {
        Self { last: 0, random }
    }

    pub(super) fn send(&mut self, ask: Ask, actions: &mut Vec<Action>) -> AskId {
        self.last += 1;
        let id = AskId(self.last);
        actions.push(Action::Ask(id, ask));
        id
    }

    pub(super) fn pause(&mut self) -> Duration {
        Duration::from_millis(self.random.random_range(PAUSE_MILLIS))
    }
}

/// An ask that is under way, or that is to be repeated.
#[derive(Debug, Clone, Copy)]
pub(super) enum Request {
    Sent {
        id: AskId,
        at: Boot,
        /// When the newest message of the answer came.
        heard: Boot,
    },
    Pausing {
        until: Boot,
    },
}

impl Request {
    pub(super) fn send(asks: &mut Asks, ask: Ask, now: Boot, actions: &mut Vec<Action>) -> Self {
        Self::Sent { id: asks.send(ask, actions), at: now, heard: now }
    }

    pub(super) fn pause(asks: &mut Asks, now: Boot) -> Self {
        Self::Pausing { until: now.after(asks.pause()) }
    }

    /// Nothing is asked for until then.
    pub(super) fn rest(until: Boot) -> Self {
        Self::Pausing { until }
    }

    /// When it was sent, if it has this number. An answer to it has come now.
    pub(super) fn hear(&mut self, answer: AskId, now: Boot) -> Option<Boot> {
        match self {
            Self::Sent { id, at, heard } if *id == answer => {
                *heard = now;
                Some(*at)
            }
            _ => None,
        }
    }

    pub(super) fn is(&self, answer: AskId) -> bool {
        matches!(self, Self::Sent { id, .. } if *id == answer)
    }

    /// When it is given up, or repeated.
    pub(super) fn due(&self) -> Boot {
        match self {
            Self::Sent { heard, .. } => heard.after(ANSWER_MAX),
            Self::Pausing { until } => *until,
        }
    }

    pub(super) fn is_pausing(&self) -> bool {
        matches!(self, Self::Pausing { .. })
    }
}
