//! One node's part of one shard: a pure machine around the lease, the follower and the dialogue of a hand-over.
//!
//! While the node does not own the shard, live messages and answers go to the follower, and the lease learns what the
//! follower heard and has. While it owns the shard, the [`Tape`](super::tape::Tape) has its batches, and of live
//! messages only a higher token counts.
//!
//! The order of a hand-over:
//!
//! | step | ends with | at most |
//! |---|---|---|
//! | ask the best nodes; the owner goes on meanwhile | a node that is ready, or none | 900 ms |
//! | [`Action::CloseFeed`] | [`Event::FeedClosed`] | [`CLOSE_MAX`], then the next owner begins a new epoch |
//! | write `granted` or `free` into the lease | [`Action::HandedOver`], and the successor is told | the lease |
//!
//! A node that stops leaves in any case. One that stays keeps the shard if no other is ready, and tells its operators
//! if they had asked. An owner whose feed has failed for [`FEED_FAILED_MAX`] asks by itself, and so does one that has
//! known for [`FEWER_SYMBOLS_MAX`] of a node with more symbols of the shard.

mod event;
mod feed_trouble;
mod fewer_symbols;
mod former;
mod give;
mod simulated;

pub use event::{Action, Event, GiveCause, GiveFailure};
pub use feed_trouble::{AVOIDED, FEED_FAILED_MAX};
pub use fewer_symbols::FEWER_SYMBOLS_MAX;

use super::{
    clock::{Boot, Moment},
    follower::{self, Book, CutOff, Follower, Room},
    give::GiveSays,
    lease::{self, Lease, LeaseState, LeaseTiming, LeaveReason, Standing, Validity},
    members::Successors,
    names::{Instance, NodeName, ShardName},
    token::Token,
};
use feed_trouble::FeedTrouble;
use fewer_symbols::FewerSymbols;
use give::Leaving;
use std::time::Duration;

/// An owner whose feed is not closed by then gives the shard to any node, which begins a new epoch.
pub const CLOSE_MAX: Duration = Duration::from_secs(1);
/// An owner that could not publish for so long gives the shard away, and tries again as often.
pub const UNHEARD_MAX: Duration = Duration::from_secs(5);

/// A machine was stopped from outside if its wall clock has counted so much more than the other one between events.
const LOST_TIME: Duration = Duration::from_millis(250);

/// What does not change while a node runs.
#[derive(Debug, Clone)]
pub struct ShardConfig {
    /// The node.
    pub node: NodeName,
    /// The run of its process.
    pub instance: Instance,
    /// The shard.
    pub shard: ShardName,
    /// How long a lease lasts.
    pub timing: LeaseTiming,
    /// What is older is not shown as live.
    pub stale_after: Duration,
    /// What all followers of the node may hold.
    pub room: Room,
}

/// One node's part of one shard.
#[derive(Debug)]
pub struct ShardNode {
    config: ShardConfig,
    lease: Lease,
    follower: Follower,
    owning: Option<Owning>,
    /// The rank and the successors, if they are known.
    rank: Option<(u32, Successors)>,
    /// Whether the live connection is up, and whether the node's reports come back on it. Without both a node could not
    /// publish: it does not claim.
    connected: bool,
    heard: bool,
    /// When an owner that is not heard tries to give the shard away.
    unheard_at: Option<Boot>,
    /// What the node knows of its own feed.
    trouble: FeedTrouble,
    fewer: FewerSymbols,
    /// Whether the node has ever had the shard's state.
    has_had_state: bool,
    /// The owner whose former epochs the book knows.
    remembered: Option<Token>,
    stops: bool,
    /// What the lease was told.
    told: Option<Standing>,
    /// When the last event came.
    last_at: Moment,
}

/// What an owner has, besides its lease.
#[derive(Debug)]
struct Owning {
    token: Token,
    suspended: bool,
    leaving: Option<Leaving>,
}

impl ShardNode {
    /// A node that has subscribed to the shard, and whose live connection is down. The seed draws its epochs: it must
    /// differ from start to start.
    pub fn new(config: ShardConfig, seed: u64, now: Moment) -> Self {
        let lease = Lease::new(config.node.clone(), config.instance, config.timing, seed, now);
        let mut follower = Follower::new(config.stale_after, seed).in_room(&config.room);
        follower.set_connected(false, now.boot);
        Self {
            config,
            lease,
            follower,
            owning: None,
            rank: None,
            connected: false,
            heard: false,
            unheard_at: None,
            trouble: FeedTrouble::default(),
            fewer: FewerSymbols::default(),
            has_had_state: false,
            remembered: None,
            stops: false,
            told: None,
            last_at: now,
        }
    }

    /// Takes an event; returns what to do, in this order.
    pub fn on(&mut self, event: Event, now: Moment, book: &mut impl Book) -> Vec<Action> {
        let mut actions = Vec::new();
        let since = now.boot.since(self.last_at.boot);
        let lost = now.longest_since(std::mem::replace(&mut self.last_at, now)).saturating_sub(since);
        if lost >= LOST_TIME {
            self.follow(follower::Event::LostTime, now, book, &mut actions);
            // By the clock that counted more it may be over, which no timer tells.
            self.tell_lease(lease::Event::Due, now, book, &mut actions);
        }
        if let Event::Connected(connected) = event {
            self.set_connected(connected, now, book, &mut actions);
        }
        // Before all else: if the node was stopped, it may own the shard no more.
        if self.lease.due().is_some_and(|due| due <= now.boot) {
            self.tell_lease(lease::Event::Due, now, book, &mut actions);
        }
        match event {
            Event::Due | Event::Connected(_) => {}
            Event::Read { request, answer } => {
                self.tell_lease(lease::Event::Read { request, answer }, now, book, &mut actions);
            }
            Event::Write { request, answer } => {
                self.tell_lease(lease::Event::Write { request, answer }, now, book, &mut actions);
            }
            Event::Live(bytes) => {
                let outranks = self.owning.as_ref().map(|owning| owning.token);
                let outranks = outranks.map(|own| self.follower.outranked_by(&bytes, own));
                if let Some(Some((token, revision))) = outranks {
                    self.tell_lease(lease::Event::Heard { token, revision }, now, book, &mut actions);
                }
                self.follow(follower::Event::Live(bytes), now, book, &mut actions);
            }
            Event::Answer(id, bytes) => self.follow(follower::Event::Answer(id, bytes), now, book, &mut actions),
            Event::Unanswered(id) => self.follow(follower::Event::Unanswered(id), now, book, &mut actions),
            Event::Rank { heard, rank, successors } => {
                self.fewer.set(!successors.fuller.is_empty(), now.boot);
                self.rank = Some((rank, successors));
                self.set_heard(self.connected, heard, now.boot);
            }
            Event::Give(message) => self.take_give(message, now, book, &mut actions),
            Event::GiveAway { to } => self.give_away(to, GiveCause::Operator, now, &mut actions),
            Event::Feed(state) if self.owns() => self.trouble.on_state(state, now.boot),
            Event::FeedEnded if self.owns() => self.trouble.on_end(now.boot),
            Event::Feed(_) | Event::FeedEnded => {}
            Event::Drain => {
                self.stops = true;
                self.tell_lease(lease::Event::Withdraw, now, book, &mut actions);
                self.give_away(None, GiveCause::Stop, now, &mut actions);
            }
            Event::FeedClosed { last } => self.feed_closed(Some(last), now, book, &mut actions),
        }
        self.settle(now, book, &mut actions);
        actions
    }

    /// When time alone changes something.
    pub fn due(&self) -> Option<Boot> {
        let of_role = match &self.owning {
            None => self.follower.due(),
            Some(Owning { leaving: Some(leaving), .. }) => leaving.due(),
            Some(_) => {
                // A node that is not heard asks no other.
                let asks = [self.trouble.due(), self.fewer.due()].into_iter().flatten().filter(|_| self.can_publish());
                self.unheard_at.into_iter().chain(asks).min()
            }
        };
        self.lease.due().into_iter().chain(of_role).min()
    }

    fn set_connected(&mut self, connected: bool, now: Moment, book: &mut impl Book, actions: &mut Vec<Action>) {
        self.set_heard(connected, self.heard, now.boot);
        self.follower.set_connected(connected, now.boot);
        self.tell_standing(now, book, actions);
    }

    fn set_heard(&mut self, connected: bool, heard: bool, now: Boot) {
        (self.connected, self.heard) = (connected, heard);
        self.unheard_at =
            if self.can_publish() { None } else { Some(self.unheard_at.unwrap_or(now.after(UNHEARD_MAX))) };
    }

    fn can_publish(&self) -> bool {
        self.connected && self.heard
    }

    /// Does what the time asks for, and tells the lease and the follower what they need of each other.
    fn settle(&mut self, now: Moment, book: &mut impl Book, actions: &mut Vec<Action>) {
        self.settle_leaving(now, book, actions);
        // A connection that is up again may make the shard fresh, which no time announces.
        self.follow(follower::Event::Due, now, book, actions);
        if let Some(highest) = self.lease.highest() {
            self.follower.fence(highest);
        }
        self.tell_standing(now, book, actions);
        self.remember(actions);
    }

    /// A node that could not publish stands nowhere.
    fn tell_standing(&mut self, now: Moment, book: &mut impl Book, actions: &mut Vec<Action>) {
        if self.owning.is_some() {
            return;
        }
        let applied = self.follower.applied();
        self.has_had_state |= applied.is_some();
        let of = |rank| Standing { rank, synced: self.has_had_state, applied };
        let standing = self.rank.as_ref().filter(|_| self.can_publish()).map(|(rank, _)| of(*rank));
        if standing != self.told {
            self.told = standing;
            let event = standing.map_or(lease::Event::Unable, lease::Event::Standing);
            self.tell_lease(event, now, book, actions);
        }
    }

    /// Passes an event to the follower, unless the node owns the shard.
    fn follow(&mut self, event: follower::Event, now: Moment, book: &mut impl Book, actions: &mut Vec<Action>) {
        if self.owning.is_some() {
            return;
        }
        for action in self.follower.on(event, now.boot, book) {
            actions.push(match action {
                follower::Action::Ask(id, ask) => Action::Ask(id, ask),
                follower::Action::Enter { from, to, cause } => Action::Entered { from, to, cause },
                follower::Action::CutOff(reason) => Action::CutOff(reason),
                follower::Action::Fresh => Action::Fresh,
            });
        }
        if let Some((token, revision)) = self.follower.take_heard() {
            self.tell_lease(lease::Event::Heard { token, revision }, now, book, actions);
        }
    }

    fn tell_lease(&mut self, event: lease::Event, now: Moment, book: &mut impl Book, actions: &mut Vec<Action>) {
        for action in self.lease.on(event, now) {
            match action {
                lease::Action::Read { request } => actions.push(Action::Read { request }),
                lease::Action::Write { request, expected, value } => {
                    actions.push(Action::Write { request, expected, value });
                }
                lease::Action::Own { token, former, start } => {
                    self.owning = Some(Owning { token, suspended: false, leaving: None });
                    self.trouble.begin();
                    self.fewer.restart(now.boot);
                    self.has_had_state = true;
                    self.unheard_at = self.unheard_at.map(|_| now.boot.after(UNHEARD_MAX));
                    actions.push(Action::Own { token, former, start });
                }
                lease::Action::Suspend => self.suspend(true, book, actions),
                lease::Action::Resume => self.suspend(false, book, actions),
                lease::Action::Leave(reason) => self.leave(reason, now, book, actions),
                lease::Action::HandedOver { revision, value } => {
                    let to = if let LeaseState::Granted { to, .. } = &value.state { Some(to.clone()) } else { None };
                    self.handed_over(to.clone(), now, book, actions);
                    if let Some(to) = to {
                        self.send_give(to, GiveSays::Granted { revision, value }, actions);
                    }
                }
                lease::Action::TakenOver { by } => self.handed_over(Some(by), now, book, actions),
                lease::Action::CatchUp { epoch, batch } => {
                    self.follow(follower::Event::Last { epoch, batch }, now, book, actions);
                }
            }
        }
    }

    fn suspend(&mut self, suspended: bool, book: &mut impl Book, actions: &mut Vec<Action>) {
        let Some(owning) = self.owning.as_mut().filter(|owning| owning.suspended != suspended) else { return };
        owning.suspended = suspended;
        if suspended {
            book.cut_off(CutOff::Lease);
            actions.extend([Action::Suspend, Action::CutOff(CutOff::Lease)]);
        } else {
            book.restore();
            actions.extend([Action::Resume, Action::Fresh]);
        }
    }

    /// The node does not own the shard any more, and does not know how the next owner goes on.
    fn leave(&mut self, reason: LeaveReason, now: Moment, book: &mut impl Book, actions: &mut Vec<Action>) {
        let Some(owning) = self.owning.take() else { return };
        self.trouble.end(now.boot);
        actions.push(Action::Leave(reason));
        self.start_over(&owning, book, actions);
    }

    fn start_over(&mut self, owned: &Owning, book: &mut impl Book, actions: &mut Vec<Action>) {
        if !owned.suspended {
            book.cut_off(CutOff::Lease);
            actions.push(Action::CutOff(CutOff::Lease));
        }
        self.follower.start_over();
    }

    /// The token under which the node may publish right now.
    pub fn publishing(&self, now: Moment) -> Option<Token> {
        self.lease.publishing(now)
    }

    /// Until when the node may publish. It changes with each event.
    pub fn validity(&self) -> Option<Validity> {
        self.lease.validity()
    }

    /// Whether the node has the shard: from [`Action::Own`] to [`Action::Leave`] or [`Action::HandedOver`].
    pub fn owns(&self) -> bool {
        self.owning.is_some()
    }

    /// Whether the node owns the shard and is giving it away.
    pub fn hands_over(&self) -> bool {
        self.owning.as_ref().is_some_and(|owning| owning.leaving.is_some())
    }

    /// Whether the shard's feed fails on this node, or lately did: then another one should own the shard.
    pub fn feed_fails(&self, now: Moment) -> bool {
        self.trouble.is_there(now.boot)
    }

    /// Whether the node has the shard's state: as its owner, or up to a batch.
    pub fn is_synced(&self) -> bool {
        self.owns() || self.follower.applied().is_some()
    }

    /// Whether the book shows what the owner says: it is not cut off.
    pub fn is_fresh(&self) -> bool {
        self.owning.as_ref().map_or(self.follower.is_fresh(), |owning| !owning.suspended)
    }

    /// Whether the node has stopped and has nothing left to do.
    pub fn has_left(&self) -> bool {
        self.lease.has_left() && !self.owns()
    }

    /// The follower: its state and counts. It rests while the node owns the shard.
    pub fn follower(&self) -> &Follower {
        &self.follower
    }

    /// As [`Follower::take_delay`]; `None` while the node owns the shard.
    pub fn take_delay(&mut self) -> Option<Duration> {
        self.follower.take_delay()
    }

    /// The lease: its owner, revision and highest token.
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Its state for operators.
    pub fn state(&self) -> &'static str {
        match &self.owning {
            Some(Owning { leaving: Some(_), .. }) => "handing",
            Some(Owning { suspended: true, .. }) => "suspended",
            Some(_) => "owning",
            None => self.follower.state().name(),
        }
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
