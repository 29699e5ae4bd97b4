//! The task of one shard on one node: it does the I/O that the shard's machine asks for, and never waits for streams.
//!
//! The machine decides; the [`CacheBook`] has the symbols, the tape of a `Tenure` the owner's batches, and the
//! [`OwnedFeed`] the connection to the venue. Whatever may take long is a task of its own, whose answer comes into the
//! inbox.

mod owning;
mod showing;

use super::{
    bus::{Bus, Connection, Incoming, Leases, Subjects, Subscription},
    cache_book::CacheBook,
    clock::{Boot, Moment},
    follower::CutOff,
    members::Successors,
    message::{Kind, Message},
    names::{NodeName, ShardName},
    owned_feed::OwnedFeed,
    owner::Tenure,
    report::{CUT_OFFS, Journal, Role, ShardFacts, Traffic, cause_name, failure_name, give_cause_name},
    shard::{Action, Event, ShardConfig, ShardNode},
    shard_io::{INBOX_MAX, Input, ShardIo},
    shard_wants::ShardWants,
    symbol_list::SymbolList,
};
use crate::{feed::FeedState, market::Now};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{MissedTickBehavior, interval, sleep, timeout},
};

/// The task looks at its symbols and its clock at least so often: a timer does not count the time in which a machine
/// is suspended.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// What an owner has published last may take so long to leave before it hands over.
const FLUSH_MAX: Duration = Duration::from_millis(250);
/// At the end of the process the connection to the venue may take so long to close.
const CLOSE_MAX: Duration = Duration::from_millis(500);
/// A feed that has ended is started again after so long, unless another node took the shard. It is long enough for two
/// nodes to answer.
const FEED_PAUSE: Duration = Duration::from_secs(5);

/// Where a node stands among those that could own a shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ranked {
    pub(super) heard: bool,
    pub(super) rank: u32,
    pub(super) successors: Successors,
}

/// A shard as the other tasks of its node see it.
pub struct ShardHandle {
    /// Its name.
    pub name: ShardName,
    /// How it is doing.
    pub facts: watch::Receiver<ShardFacts>,
    /// What its messages have cost.
    pub traffic: Arc<Traffic>,
    pub(super) inbox: mpsc::Sender<Input>,
    pub(super) ranks: watch::Sender<Ranked>,
}

/// What the task of a shard is made of.
pub struct ShardSetup<B, L, F> {
    /// Who the node is, which shard it is, and the times.
    pub config: ShardConfig,
    /// How long an owner gathers ticks in a batch.
    pub window: Duration,
    /// The node's bus.
    pub bus: B,
    /// The store of leases.
    pub leases: L,
    /// The cluster's subjects.
    pub subjects: Subjects,
    /// The symbols.
    pub book: CacheBook,
    /// The connection to the venue.
    pub feed: F,
    /// Where transitions are noted.
    pub journal: Arc<Journal>,
    /// Tells the node's task that its report is another.
    pub changed: Arc<Notify>,
}

/// The task of a shard.
pub struct ShardTask<B: Bus, L: Leases, F> {
    shard: ShardName,
    window: Duration,
    machine: ShardNode,
    book: CacheBook,
    feed: F,
    io: ShardIo<B, L>,
    inbox: mpsc::Receiver<Input>,
    /// What the node has as the owner, also for a while after it has handed over.
    tenure: Option<Tenure<B>>,
    /// Counts the tenures.
    tenures: u64,
    /// When the tenure's feed ended by itself.
    feed_ended: Option<Boot>,
    /// The state of the tenure's feed that the machine knows.
    feed_state: Option<FeedState>,
    wants: ShardWants,
    connected: watch::Receiver<bool>,
    ranks: watch::Receiver<Ranked>,
    /// The tape is due earlier than the task knows.
    wake: Arc<Notify>,
    /// Streams of this node want other symbols.
    wants_changed: Arc<Notify>,
    facts_tx: watch::Sender<ShardFacts>,
    facts: ShardFacts,
    /// The owner that was known last.
    owner: Option<NodeName>,
    /// The node whose `lease` is another, and how long that lasts, as operators were told last.
    other_lease: Option<(NodeName, Duration)>,
    suspended_since: Option<Boot>,
    traffic: Arc<Traffic>,
    journal: Arc<Journal>,
    changed: Arc<Notify>,
}

impl<B: Bus, L: Leases, F: OwnedFeed> ShardTask<B, L, F> {
    /// A task that has yet to run, and its handle.
    pub fn new(setup: ShardSetup<B, L, F>) -> (Self, ShardHandle) {
        let ShardSetup { config, window, bus, leases, subjects, book, feed, journal, changed } = setup;
        let now = Moment::read();
        let (inbox_tx, inbox) = mpsc::channel(INBOX_MAX);
        let (ranks_tx, ranks) = watch::channel(Ranked::default());
        let traffic = Arc::new(Traffic::default());
        let connected = bus.connected(Connection::Live);
        let name = config.shard.clone();
        let list = SymbolList::of(book.symbols().iter().map(|state| state.symbol()));
        let facts = ShardFacts { list, ..ShardFacts::default() };
        let (facts_tx, facts_rx) = watch::channel(facts.clone());
        let wants_changed = Arc::new(Notify::new());
        let wake = wants_changed.clone();
        book.keep_want_changes(move || wake.notify_one());
        let task = Self {
            shard: name.clone(),
            window,
            wants: ShardWants::new(config.node.clone(), config.instance, book.symbols(), now.boot),
            machine: ShardNode::new(config, rand::random(), now),
            book,
            feed,
            io: ShardIo::new(name.clone(), bus, leases, subjects, inbox_tx.clone(), traffic.clone()),
            inbox,
            tenure: None,
            tenures: 0,
            feed_ended: None,
            feed_state: None,
            connected,
            ranks,
            wake: Arc::default(),
            wants_changed,
            facts_tx,
            facts,
            owner: None,
            other_lease: None,
            suspended_since: None,
            traffic: traffic.clone(),
            journal,
            changed,
        };
        (task, ShardHandle { name, facts: facts_rx, traffic, inbox: inbox_tx, ranks: ranks_tx })
    }

    /// The connection to the venue, before the task runs.
    pub fn feed_mut(&mut self) -> &mut F {
        &mut self.feed
    }

    /// Runs until `stop` is true, or its sender is gone.
    ///
    /// # Errors
    /// The bus is closed for good.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> io::Result<()> {
        let live = self.io.subjects().live(&self.shard);
        let subscribed = self.io.bus().subscribe(&live);
        let mut live = tokio::select! {
            live = subscribed => live,
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        };
        self.io.learn_wants();
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.connection_changed();
        loop {
            let wait = self.due().since(Moment::read().boot);
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                () = sleep(wait) => {}
                Some(input) = self.inbox.recv() => self.take(input),
                Ok(()) = self.connected.changed() => self.connection_changed(),
                Ok(()) = self.ranks.changed() => self.ranked(),
                _ = looks.tick() => self.wants.look(&self.book, Moment::read().boot, Now::read()),
                () = self.wake.notified() => {}
                () = self.wants_changed.notified() => self.wants.look_at_changes(&self.book, Moment::read().boot),
                message = live.next() => match message {
                    Some(message) => self.live(message),
                    None => return Err(io::Error::other("the bus is closed")),
                },
            }
            self.turn();
        }
        // The end of the process: whatever hangs is left behind.
        let _ = timeout(CLOSE_MAX, self.feed.stop()).await;
        Ok(())
    }

    /// When time alone changes something.
    fn due(&self) -> Boot {
        let tape = self.tenure.as_ref().and_then(Tenure::due);
        let machine = self.machine.due();
        let far = Moment::read().boot.after(LOOK_EVERY);
        machine.into_iter().chain(tape).chain([self.wants.due()]).fold(far, Boot::min)
    }

    /// Does what time asks for, and shows how the shard is.
    fn turn(&mut self) {
        let now = Moment::read();
        if self.machine.due().is_some_and(|due| due <= now.boot) {
            self.on(Event::Due, now);
        }
        self.look_at_feed(now);
        if let Some(tenure) = &self.tenure {
            tenure.set_feed(self.feed.state());
            tenure.outlet.send(now);
            if tenure.is_over(now) {
                self.tenure = None;
                self.io.stop_listening();
            }
        }
        let subject = self.io.subjects().want(&self.shard);
        for message in self.wants.take(now.boot) {
            // The next list makes a lost one good.
            let _ = self.io.bus().publish(&subject, message.to_json().into());
        }
        self.show(now);
    }

    fn take(&mut self, input: Input) {
        let now = Moment::read();
        match input {
            Input::Machine(event) => self.on(event, now),
            Input::Asked(to, ask) => {
                if let Some(tenure) = &self.tenure {
                    tenure.answer(&ask, to, self.book.symbols(), now, &mut self.io);
                }
            }
            Input::Answered(number) => {
                if let Some(tenure) = &self.tenure {
                    tenure.answered(number);
                }
            }
            Input::FeedClosed(number) => self.feed_closed(number, now),
            Input::FeedEnded { feed, why } => self.feed_ended(feed, &why, now),
            Input::FeedStopped => {}
            Input::Flushed { feed, last } => {
                if self.tenure.as_ref().is_some_and(|tenure| tenure.number == feed) {
                    self.on(Event::FeedClosed { last }, now);
                }
            }
            Input::Wants(message) => self.wants.take_message(message, &self.book, now.boot, Now::read()),
        }
    }

    fn live(&mut self, message: Incoming) {
        let now = Moment::read();
        let bytes = message.payload;
        self.traffic.received.add(bytes.len(), 0);
        if Kind::of(&bytes) == Some(Kind::Beat)
            && let Ok(Message { head, beat: Some(beat), .. }) = Message::open(&bytes)
            && self.machine.lease().highest().is_none_or(|highest| head.token >= highest)
        {
            self.facts.feed = Some(beat.feed);
            self.facts.clock_ahead_micros = Some(beat.wall.0.saturating_sub(now.wall.0));
        }
        self.on(Event::Live(bytes), now);
        if let Some(delay) = self.machine.take_delay() {
            self.facts.delay.record(delay);
        }
    }

    fn connection_changed(&mut self) {
        let is_up = *self.connected.borrow_and_update();
        if let Some(tenure) = &self.tenure {
            tenure.outlet.tape().set_connected(is_up);
        }
        self.on(Event::Connected(is_up), Moment::read());
    }

    fn ranked(&mut self) {
        let Ranked { heard, rank, successors } = self.ranks.borrow_and_update().clone();
        self.facts.rank = Some(rank);
        self.on(Event::Rank { heard, rank, successors }, Moment::read());
    }

    /// Gives the machine an event, and does what it asks for.
    fn on(&mut self, event: Event, now: Moment) {
        self.book.begin(Now::read());
        let actions = self.machine.on(event, now, &mut self.book);
        self.book.flush();
        if let Some(tenure) = &self.tenure {
            tenure.outlet.set_lease(self.machine.validity(), self.machine.lease().revision());
        }
        for action in actions {
            self.perform(action, now);
        }
    }

    fn perform(&mut self, action: Action, now: Moment) {
        match action {
            Action::Read { request } => self.io.read(request),
            Action::Write { request, expected, value } => self.io.write(request, expected, value),
            Action::Ask(id, ask) => self.io.ask(id, ask),
            Action::SendGive { to, message } => {
                let subject = self.io.subjects().give(&to);
                // A node that does not answer is not asked again.
                let _ = self.io.bus().publish(&subject, message.to_json().into());
            }
            Action::Own { token, former, start } => self.own(token, &former, start, now),
            Action::Suspend => {
                self.suspended_since = Some(now.boot);
                self.note("suspended", "its lease was not renewed in time");
            }
            Action::Resume => {
                self.end_suspension(now.boot);
                self.note("resumed", "its lease was renewed");
            }
            Action::CloseFeed(cause) => {
                self.note("handing over", give_cause_name(cause));
                let number = self.tenures;
                let closed = self.feed.stop();
                self.io.request(async move {
                    closed.await;
                    Input::FeedClosed(number)
                });
            }
            Action::Leave(reason) => self.leave(reason, now.boot),
            Action::HandedOver { to, is_clean } => self.handed_over(to, is_clean, now),
            Action::GiveFailed(failure) => self.note("not given away", failure_name(failure)),
            Action::Entered { from, to, cause } => {
                self.note_as(Role::Follower, to.name(), &format!("{}; was {}", cause_name(cause), from.name()));
            }
            Action::Remember(former) => self.book.remember(&former),
            Action::CutOff(reason) => {
                let role = if reason == CutOff::Lease { Role::Owner } else { Role::Follower };
                self.facts.cut_offs[reason as usize] += 1;
                self.note_as(role, "cut off", CUT_OFFS[reason as usize]);
            }
            Action::Fresh => self.note_as(Role::Follower, "fresh", "its owner is heard in time"),
        }
    }
}
