//! A follower of one shard: a pure machine that keeps the node's book equal to the owner's.
//!
//! It takes the shard's live messages, answers to its asks, and the time; ticks go into the [`Book`], and [`Action`]s
//! say what to send and to log. The task around it does the I/O, and never waits for streams.
//!
//! A message of a token below the highest that the follower knows, from messages, answers or the lease, is *fenced*: it
//! is counted and does nothing. One that cannot be read is counted and missing. For the others:
//!
//! | state | message | does | then |
//! |---|---|---|---|
//! | any | first of an opening, higher token | takes its ticks | Opening; Live if it is the last, too |
//! | Live, Repairing | one behind the last, higher token, same epoch (1) | as of the owner before | the same |
//! | any | any other of a higher token | asks for a snapshot, keeps the batch | Asking |
//! | Cold | any | cannot be: the first message is of a higher token than none | |
//! | Asking | batch | keeps it; older ones go if one between is missing | Asking |
//! | Asking | beat | those that are kept go if it names a later one | Asking |
//! | Live | the next batch | applies it | Live; Asking if a tick stands on a missing one |
//! | Live | an older batch | counts it | Live |
//! | Live | a later batch, or a beat that names one | keeps it, asks for those between | Repairing |
//! | Live | a beat that names the last batch | all is as new as the beat | Live |
//! | Repairing | batch, beat | as while Asking | Repairing |
//! | Opening | the next batch of the opening | takes its ticks | Opening; Live after the last, or Asking |
//! | Opening | an older batch | counts it | Opening |
//! | Opening | another batch, or a beat that names a later one | asks for a snapshot, keeps the batch | Asking |
//!
//! (1) The owner before has handed over, and answers for the batches that it had. Names come with each symbol's first
//! tick.
//!
//! | state | answer, or time | does | then |
//! |---|---|---|---|
//! | Asking | part of the snapshot | keeps it, if there is room | Asking |
//! | Asking | end, all parts came, and they join the kept batches (2) | waits for the batch of the end (4) | Asking |
//! | Asking | that batch, or it is here | applies the parts and the kept batches at once | Live |
//! | Asking | one before that batch is missing; it does not come for 5 s | asks again, as below, or at once | Asking |
//! | Asking | gone, busy; no owner; no answer for 1 s | asks again after 100 to 500 ms | Asking |
//! | Asking | another end, or a batch behind it was not kept | counts it; asks again as below | Asking |
//! | Asking | too many batches wait | the oldest go | Asking |
//! | Repairing | the next missing batch | applies it; after the last, the kept ones | Live (3) |
//! | Repairing | end, and more is missing by now | asks for the rest | Repairing |
//! | Repairing | gone, after the owner before has answered with a batch | waits 500 ms for the next one | Repairing |
//! | Repairing | busy, no owner, no answer for 1 s | asks again after 100 to 500 ms | Repairing |
//! | Repairing | another gone or end; no batch for 3 s; a kept one goes | asks for a snapshot | Asking |
//! | any | answer to an ask that was given up, or of an owner before the last | nothing | |
//!
//! (2) The first of them is at most the one after the snapshot's. Of a symbol only the tick after the one that it has
//! counts: older ones are in the snapshot. (3) No tick is lost. Repairing goes on if more is missing; a tick that
//! stands on a missing one leads to Asking. (4) No tick of the snapshot is in a later batch. Without those batches it
//! would bring a tick of one symbol before an older tick of another: a client that left just then, and resumed at
//! another node behind the newer tick, would miss the older one.
//!
//! Two answers to the same ask cannot be mixed: each ask has a number.
//!
//! **Tokens only rise, and within an epoch a symbol's `seq` only rises.** What the book takes is the next tick of a
//! symbol, or a full one. A full one that skips ticks of its epoch is a hole, which is counted as lost.
//!
//! **Freshness** lies across the states. The shard is fresh while the newest of what was applied is younger
//! than `stale_after`, whatever the clocks show and however long messages were on their way. In Asking and Opening
//! nothing is applied in this sense until they are complete. To know ages the follower asks its owner for a beat every
//! few seconds.

mod book;
mod buffer;
mod counts;
mod fault;
mod delay;
mod freshness;
mod event;
mod request;
mod room;
mod snapshot;
mod table;
mod applying;
mod asking;
mod live;
mod answers;
mod own;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world_tests;

pub use book::{Book, Have, Place, Step};
pub use buffer::{BUFFER_AGE_MAX, BUFFER_BYTES_MAX};
pub use counts::Counts;
pub use event::{Action, AskId, Cause, Event, State};
#[doc(hidden)]
pub use fault::PlantedFault;
pub use freshness::{CutOff, DISCONNECTED_MAX};
pub use room::{ROOM_BYTES_MAX, Room};
pub use snapshot::SNAPSHOT_BYTES_MAX;

use super::{clock::Boot, message::Ask, token::Token};
use crate::wire::Epoch;
use buffer::Buffer;
use freshness::{Change, Freshness};
use rand::{SeedableRng, rngs::SmallRng};
use request::{Asks, Request};
use snapshot::Asking;
use std::{collections::VecDeque, time::Duration};
use table::Table;

/// How often the owner is asked for a beat: its clock and ours drift apart.
const PROBE_EVERY: Duration = Duration::from_secs(5);
/// The same while ages are not known well.
const PROBE_AGAIN: Duration = Duration::from_millis(500);
/// As many of these asks may be answered: where each answer takes longer than the pause, one that gives up the ask
/// before would never have any. An answer that took longer than these all makes nothing fresh.
pub const PROBES_MAX: usize = 4;
/// A hole of which no batch came for so long is not repaired. The owner has the batches for longer, and its connection
/// for answers may take so long to leave a broker that is mute.
const REPAIR_MAX: Duration = Duration::from_secs(3);

/// A follower of one shard.
#[derive(Debug)]
pub struct Follower {
    fault: Option<PlantedFault>,
    /// No message of a lower token counts.
    floor: Option<Token>,
    /// The owner that is followed.
    token: Option<Token>,
    stage: Stage,
    /// The batch after the last that was applied: in Live, Repairing and Opening.
    next: u64,
    /// The newest batches, while older ones are missing: in Asking and Repairing.
    buffer: Buffer,
    table: Table,
    /// The owner before, if it has handed over, and its table: it has batches that this one has not.
    former: Option<(Token, Table)>,
    asks: Asks,
    freshness: Freshness,
    /// The token and the revision of the last live message that counted, until they are taken.
    heard: Option<(Token, u64)>,
    /// The newest asks for a beat, oldest first, and when each was sent: at most [`PROBES_MAX`].
    probes: VecDeque<(AskId, Boot)>,
    next_probe: Boot,
    /// An answer to what was asked before this says nothing of the owner's clock.
    asked_from: Boot,
    counts: Counts,
}

#[derive(Debug)]
enum Stage {
    Cold,
    Asking(Asking),
    Live,
    Repairing(Repairing),
    Opening,
}

/// Waits for batches that are missing: those from `next` to the buffer's first.
#[derive(Debug)]
struct Repairing {
    request: Request,
    /// The first batch that the request asked for.
    from: u64,
    /// Whether a batch has come as an answer to it.
    is_answered: bool,
    /// When it gives up, unless a missing batch comes.
    until: Boot,
}

impl Follower {
    /// A follower that has subscribed to the shard. What is older than `stale_after` is not fresh. The seed spreads the
    /// asks of many followers.
    pub fn new(stale_after: Duration, seed: u64) -> Self {
        Self {
            fault: None,
            floor: None,
            token: None,
            stage: Stage::Cold,
            next: 0,
            buffer: Buffer::default(),
            table: Table::default(),
            former: None,
            asks: Asks::new(SmallRng::seed_from_u64(seed)),
            freshness: Freshness::new(stale_after),
            heard: None,
            probes: VecDeque::new(),
            next_probe: Boot(0),
            asked_from: Boot(0),
            counts: Counts::default(),
        }
    }

    /// The same follower with a bug.
    #[doc(hidden)]
    pub fn with_fault(mut self, fault: PlantedFault) -> Self {
        if fault == PlantedFault::AgesWithoutBacklog {
            self.freshness.ignore_backlogs();
        }
        Self { fault: Some(fault), ..self }
    }

    /// Takes an event; returns what to do, in this order.
    pub fn on(&mut self, event: Event, now: Boot, book: &mut impl Book) -> Vec<Action> {
        let mut actions = Vec::new();
        // First: if the follower was stopped, what it takes now may be old.
        self.settle_freshness(now, book, &mut actions);
        match event {
            Event::Live(bytes) => self.take_live(bytes, now, book, &mut actions),
            Event::Answer(id, bytes) => self.take_answer(id, bytes, now, book, &mut actions),
            Event::Unanswered(id) => self.give_up(id, now),
            Event::Lease(token) => self.fence(token),
            Event::Last { epoch, batch } => self.take_last(epoch, batch, now, &mut actions),
            Event::LostTime => {
                self.freshness.lost_time();
                self.ask_for_clock(now);
            }
            Event::Connected(connected) => self.set_connected(connected, now),
            Event::Due => {}
        }
        self.complete(now, book, &mut actions);
        self.settle(now, &mut actions);
        self.settle_freshness(now, book, &mut actions);
        actions
    }

    /// Notes whether the live connection is up, as [`Event::Connected`] does. An event has to follow.
    pub fn set_connected(&mut self, connected: bool, now: Boot) {
        self.freshness.set_connected(connected, now);
    }

    /// When time alone changes something.
    pub fn due(&self) -> Option<Boot> {
        let of_stage = match &self.stage {
            Stage::Cold | Stage::Live | Stage::Opening => None,
            Stage::Asking(asking) => Some(asking.request.due()),
            Stage::Repairing(repairing) => Some(repairing.request.due().min(repairing.until)),
        };
        let probe = self.token.map(|_| self.next_probe);
        let buffer = self.buffer.due().filter(|_| self.is_repairing());
        of_stage.into_iter().chain(probe).chain(buffer).chain(self.freshness.due()).min()
    }

    /// The token and the lease's revision of a live message that counted, once for each event.
    pub fn take_heard(&mut self) -> Option<(Token, u64)> {
        self.heard.take()
    }

    /// Its state.
    pub fn state(&self) -> State {
        match self.stage {
            Stage::Cold => State::Cold,
            Stage::Asking(_) => State::Asking,
            Stage::Live => State::Live,
            Stage::Repairing(_) => State::Repairing,
            Stage::Opening => State::Opening,
        }
    }

    /// The token of the owner that it follows.
    pub fn token(&self) -> Option<Token> {
        self.token
    }

    /// Whether the shard's symbols are as the owner says: [`Action::Fresh`] and [`Action::CutOff`] report changes.
    pub fn is_fresh(&self) -> bool {
        self.freshness.is_fresh()
    }

    /// The epoch, and its newest batch up to which the book has all; `None` while it does not.
    pub fn applied(&self) -> Option<(Epoch, u64)> {
        match self.stage {
            Stage::Live | Stage::Repairing(_) => self.token.map(|token| (token.epoch, self.next - 1)),
            Stage::Cold | Stage::Asking(_) | Stage::Opening => None,
        }
    }

    /// How long the newest live message of the owner was on its way, if one has come since the last call and the clock
    /// of the owner is known: too high by at most the journey of an ask.
    pub fn take_delay(&mut self) -> Option<Duration> {
        self.freshness.take_delay()
    }

    /// What it has counted.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How many bytes of batches wait, at most [`BUFFER_BYTES_MAX`].
    pub fn buffered_bytes(&self) -> usize {
        self.buffer.bytes()
    }

    fn take_last(&mut self, epoch: Epoch, batch: u64, now: Boot, actions: &mut Vec<Action>) {
        if self.token.is_none_or(|token| token.epoch != epoch) {
            return;
        }
        match self.stage {
            Stage::Live if batch >= self.next => {
                self.buffer.clear();
                self.buffer.announce(batch, None);
                self.repair(now, actions);
            }
            Stage::Asking(_) | Stage::Repairing(_) => self.buffer.announce(batch, None),
            Stage::Cold | Stage::Live | Stage::Opening => {}
        }
    }

    fn become_live(
        &mut self,
        cause: Cause,
        shown: Option<(Boot, Boot)>,
        all_were_named: bool,
        now: Boot,
        book: &mut impl Book,
        actions: &mut Vec<Action>,
    ) {
        if all_were_named {
            self.table.report_absent(book);
        }
        if let Some((sent, arrived)) = shown {
            self.freshness.applied(sent, arrived, now);
        }
        self.enter(Stage::Live, cause, actions);
    }

    fn enter(&mut self, stage: Stage, cause: Cause, actions: &mut Vec<Action>) {
        let from = self.state();
        self.stage = stage;
        actions.push(Action::Enter { from, to: self.state(), cause });
    }

    fn is_repairing(&self) -> bool {
        matches!(self.stage, Stage::Repairing(_))
    }

    fn give_up(&mut self, id: AskId, now: Boot) {
        let request = match &mut self.stage {
            Stage::Asking(Asking { request, .. }) | Stage::Repairing(Repairing { request, .. }) => request,
            Stage::Cold | Stage::Live | Stage::Opening => return,
        };
        if request.is(id) {
            *request = Request::pause(&mut self.asks, now);
        }
    }

    /// Does what the time asks for.
    fn settle(&mut self, now: Boot, actions: &mut Vec<Action>) {
        let was_trimmed = self.buffer.trim(self.is_repairing(), now);
        match &mut self.stage {
            Stage::Asking(asking) if now >= asking.request.due() => {
                if asking.request.is_pausing() {
                    let asking = self.ask_for_snapshot(now, actions);
                    self.stage = Stage::Asking(asking);
                } else {
                    asking.request = Request::pause(&mut self.asks, now);
                }
            }
            Stage::Repairing(_) if was_trimmed => self.ask(Cause::Overflow, now, actions),
            Stage::Repairing(repairing) if now >= repairing.until => self.ask(Cause::Timeout, now, actions),
            Stage::Repairing(repairing) if now >= repairing.request.due() && !repairing.request.is_pausing() => {
                repairing.request = Request::pause(&mut self.asks, now);
            }
            Stage::Repairing(repairing) if now >= repairing.request.due() => self.repair_on(now, actions),
            _ => {}
        }
        if self.token.is_some() && now >= self.next_probe {
            if self.probes.len() == PROBES_MAX {
                self.probes.pop_front();
            }
            self.probes.push_back((self.asks.send(Ask::Beat, actions), now));
            self.next_probe = now.after(PROBE_AGAIN);
        }
    }

    fn settle_freshness(&mut self, now: Boot, book: &mut impl Book, actions: &mut Vec<Action>) {
        match self.freshness.change(now) {
            Some(Change::CutOff(reason)) => {
                book.cut_off(reason);
                actions.push(Action::CutOff(reason));
            }
            Some(Change::Fresh) => {
                book.restore();
                actions.push(Action::Fresh);
            }
            None => {}
        }
    }
}
