//! What the tasks of a node tell its operators: how each shard is doing, and the last transitions.

use super::{
    follower::{self, Cause},
    lease::WriteAnswer,
    names::{NodeName, ShardName},
    shard::{GiveCause, GiveFailure},
    symbol_list::SymbolList,
    token::Token,
};
use crate::{
    feed::FeedState,
    market::UnixMicros,
    telemetry::{Histogram, SharedLogLimit},
};
use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tracing::{info, warn};

/// As many transitions of a node are kept, those of owners and of followers each: a follower that loses messages has
/// many a second, and must not displace the ones that explain who owns what.
pub const TRANSITIONS_MAX: usize = 50;
/// Lost messages can cause a line of a follower at will.
const FOLLOWER_LINES_EVERY: Duration = Duration::from_secs(1);
/// As many such lines pass at once: a node with many shards starts, or loses its brokers.
const FOLLOWER_LINES_BURST: u32 = 200;

/// How a shard is doing on a node.
#[derive(Debug, Clone, Default)]
pub struct ShardFacts {
    /// Whether the node owns it.
    pub owns: bool,
    /// Whether the node may publish: it owns the shard, and its lease is valid.
    pub publishes: bool,
    /// Whether the node is giving it away.
    pub hands_over: bool,
    /// Whether the node has had the shard's state.
    pub synced: bool,
    /// Whether its feed fails on this node, or lately did.
    pub feed_fails: bool,
    /// The list of its symbols in this node's configuration.
    pub list: SymbolList,
    /// Whether its symbols are shown as the owner says.
    pub fresh: bool,
    /// Whether the node stops and has nothing left to do with the shard.
    pub has_left: bool,
    /// The highest token that the node knows.
    pub token: Option<Token>,
    /// The newest revision of the lease that the node knows.
    pub revision: Option<u64>,
    /// The owner, as far as the node knows.
    pub owner: Option<NodeName>,
    /// The state of its machine.
    pub state: &'static str,
    /// The state of the follower.
    pub follower: Option<follower::State>,
    /// How many nodes should claim it before this one, if its owner is lost; `None` before the first report.
    pub rank: Option<u32>,
    /// How long the node's own lease is valid.
    pub valid_for: Duration,
    /// The last batch that was published or applied.
    pub batch: u64,
    /// How the owner's feed is doing, by its last beat or by itself.
    pub feed: Option<FeedState>,
    /// By how much the owner's wall clock is ahead of this node's, in µs, with the time that a beat was on its way.
    pub clock_ahead_micros: Option<i64>,
    /// How long the owner's live messages were on their way.
    pub delay: Histogram,
    /// What the follower has counted.
    pub counts: follower::Counts,
    /// How long an owner was suspended, in all.
    pub suspended: Duration,
    /// How often the shard was cut off on this node, by [`CUT_OFFS`].
    pub cut_offs: [u64; CUT_OFFS.len()],
    /// How often the node began or ceased to own it, by [`CHANGES`].
    pub changes: [u64; CHANGES.len()],
    /// How many symbols other nodes want.
    pub wanted: usize,
}

/// The reasons for which a shard is cut off, as labels.
pub const CUT_OFFS: [&str; 4] = ["silent", "disconnected", "clock", "lease"];

/// Why the state of a follower is another, in words.
pub(super) fn cause_name(cause: Cause) -> &'static str {
    match cause {
        Cause::FirstMessage => "the first message of an owner has come",
        Cause::NewOwner => "another owner",
        Cause::Opening => "an epoch begins",
        Cause::Opened => "the opening is complete",
        Cause::Hole => "a batch is missing",
        Cause::Filled => "the missing batches have come",
        Cause::Damage => "a batch could not be applied",
        Cause::Gone => "the owner no longer has the missing batches",
        Cause::Timeout => "the missing batches did not come in time",
        Cause::Overflow => "too many batches wait",
        Cause::Incomplete => "a snapshot came without some of its parts, or was too long; it is asked for again",
        Cause::Unjoined => "a snapshot came, but not all batches behind it were kept; it is asked for again",
        Cause::Complete => "the snapshot is complete",
    }
}

/// Why a shard is given away, in words.
pub(super) fn give_cause_name(cause: GiveCause) -> &'static str {
    match cause {
        GiveCause::Stop => "the node stops",
        GiveCause::Operator => "an operator asked for it",
        GiveCause::Unheard => "the other nodes do not hear this one",
        GiveCause::FeedFails => "its feed fails on this node",
        GiveCause::FewerSymbols => "another node has more of its symbols",
    }
}

/// Why a shard is not given away, in words.
pub(super) fn failure_name(failure: GiveFailure) -> &'static str {
    match failure {
        GiveFailure::NotOwner => "this node does not own it by now",
        GiveFailure::Running => "it is being given away already",
        GiveFailure::NotReady => "no node that was asked is ready to own it",
        GiveFailure::FeedFails => "its feed fails, and no other node is ready to own it",
    }
}

/// The ways in which a node begins or ceases to own a shard, as labels.
pub const CHANGES: [&str; 5] = ["claimed", "granted", "expired", "outranked", "drained"];

impl ShardFacts {
    /// Whether others have to know of the difference at once: the other nodes, readiness, and a drain that waits.
    pub(super) fn differs_much(&self, before: &Self) -> bool {
        let of = |facts: &Self| {
            let role = (facts.owns, facts.hands_over, facts.has_left, facts.token);
            (role, facts.synced, facts.fresh, facts.feed_fails, facts.list)
        };
        of(self) != of(before)
    }

    pub(super) fn count_change(&mut self, change: &str) {
        if let Some(place) = CHANGES.iter().position(|name| *name == change) {
            self.changes[place] += 1;
        }
    }
}

/// What a shard's messages have cost, in both directions.
#[derive(Debug, Default)]
pub struct Traffic {
    /// What the node has published.
    pub sent: Volume,
    /// What the node has received on the live subject.
    pub received: Volume,
    /// Messages that the connection did not take.
    pub refused: AtomicU64,
    /// Asks and wants that another version of the format wrote.
    pub other_version: AtomicU64,
    /// Writes of the lease, by [`WRITES`].
    pub lease_writes: [AtomicU64; WRITES.len()],
}

/// The results of a lease's writes, as labels.
pub const WRITES: [&str; 3] = ["written", "conflict", "unknown"];

impl Traffic {
    pub(super) fn count_write(&self, answer: WriteAnswer) {
        let place = match answer {
            WriteAnswer::Written(_) => 0,
            WriteAnswer::Conflict => 1,
            WriteAnswer::Unknown => 2,
        };
        self.lease_writes[place].fetch_add(1, Ordering::Relaxed);
    }
}

/// So many messages of so many bytes.
#[derive(Debug, Default)]
pub struct Volume {
    /// The messages.
    pub messages: AtomicU64,
    /// Their bytes.
    pub bytes: AtomicU64,
    /// Their ticks.
    pub ticks: AtomicU64,
}

impl Volume {
    pub(super) fn add(&self, bytes: usize, ticks: u64) {
        self.messages.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.ticks.fetch_add(ticks, Ordering::Relaxed);
    }
}

/// As what a node has a transition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// As the shard's owner, before and after.
    Owner,
    /// As a follower of its owner.
    Follower,
}

/// A change of a shard on this node.
#[derive(Debug, Clone)]
pub struct Transition {
    /// When.
    pub at: UnixMicros,
    /// As what.
    pub role: Role,
    /// The shard.
    pub shard: ShardName,
    /// What the shard is from then on.
    pub to: &'static str,
    /// Why.
    pub cause: String,
    /// The highest token that the node knew.
    pub token: Option<Token>,
    /// The newest revision that the node knew.
    pub revision: Option<u64>,
}

/// The last transitions of a node's shards.
#[derive(Debug)]
pub struct Journal {
    /// A std mutex: transitions are rare.
    kept: Mutex<Kept>,
    follower_lines: SharedLogLimit,
}

/// Transitions with their numbers.
#[derive(Debug, Default)]
struct Kept {
    owners: VecDeque<(u64, Transition)>,
    followers: VecDeque<(u64, Transition)>,
    next: u64,
}

impl Default for Journal {
    fn default() -> Self {
        let follower_lines = SharedLogLimit::with_burst(FOLLOWER_LINES_EVERY, FOLLOWER_LINES_BURST);
        Self { kept: Mutex::default(), follower_lines }
    }
}

/// Whether operators have to know of a transition: the shard's symbols are stale then, or may soon be.
fn is_trouble(role: Role, to: &str) -> bool {
    match role {
        Role::Owner => matches!(to, "suspended" | "left" | "cut off" | "feed ended" | "not given away"),
        Role::Follower => to == "cut off",
    }
}

impl Journal {
    /// Notes a transition, and logs it.
    pub fn note(&self, transition: Transition, now: Instant) {
        self.log(&transition, now);
        let mut kept = self.lock();
        let number = kept.next;
        kept.next += 1;
        let transitions = match transition.role {
            Role::Owner => &mut kept.owners,
            Role::Follower => &mut kept.followers,
        };
        if transitions.len() == TRANSITIONS_MAX {
            transitions.pop_front();
        }
        transitions.push_back((number, transition));
    }

    fn log(&self, transition: &Transition, now: Instant) {
        let Transition { role, shard, to, cause, token, revision, .. } = transition;
        let held_back = match role {
            Role::Owner => None,
            Role::Follower => match self.follower_lines.admit(now) {
                Some(held_back) => Some(held_back).filter(|held_back| *held_back > 0),
                None => return,
            },
        };
        let term = token.map(|token| token.term);
        let epoch = token.map(|token| tracing::field::display(token.epoch));
        if is_trouble(*role, to) {
            warn!(%shard, term, epoch, revision, held_back, cause, "shard {to}");
        } else {
            info!(%shard, term, epoch, revision, held_back, cause, "shard {to}");
        }
    }

    /// The last transitions, the newest last.
    pub fn transitions(&self) -> Vec<Transition> {
        let kept = self.lock();
        let mut all: Vec<_> = kept.owners.iter().chain(&kept.followers).cloned().collect();
        drop(kept);
        all.sort_by_key(|(number, _)| *number);
        all.into_iter().map(|(_, transition)| transition).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_owner_is_trouble_and_a_planned_change_is_none() {
        for (role, to, warns) in [
            (Role::Owner, "left", true),
            (Role::Owner, "suspended", true),
            (Role::Owner, "feed ended", true),
            (Role::Owner, "handed over", false),
            (Role::Owner, "owned", false),
            (Role::Follower, "cut off", true),
            (Role::Follower, "live", false),
        ] {
            assert_eq!(is_trouble(role, to), warns, "{role:?} {to}");
        }
    }

    #[test]
    fn rule_10_the_last_50_transitions_of_owners_and_of_followers_are_kept_in_order() {
        let (journal, now) = (Journal::default(), Instant::now());
        for number in 0..160 {
            let role = if number < 60 { Role::Owner } else { Role::Follower };
            let transition = Transition {
                at: UnixMicros(number),
                role,
                shard: "x.0".parse().unwrap(),
                to: "live",
                cause: "hole filled".into(),
                token: None,
                revision: None,
            };
            journal.note(transition, now);
        }
        let kept: Vec<_> = journal.transitions().iter().map(|transition| transition.at.0).collect();
        assert_eq!(kept, (10..60).chain(110..160).collect::<Vec<_>>(), "those of owners stay");
    }
}
