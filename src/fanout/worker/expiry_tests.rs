//! How streams end whose clients' rights end, by a wall clock that may be set.

use super::{
    Worker,
    testing::{IsApplied, LIMITS, Page},
};
use crate::{
    cache::{Cache, RingLimits, SymbolState, WorkerIndex, WorkerMask},
    fanout::{
        Change, ChangeRights, CloseReason, Command, NewStream, Options, Ready, ResponseHead, Unlisted, Wait,
        WorkerInbox,
    },
    market::{Field, Now, Origin, TradeUpdate, UnixMicros, Update},
    wire::{Epoch, StreamName},
};
use bytes::Bytes;
use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

/// For how long the client has rights.
const RIGHTS: Duration = Duration::from_secs(10);

struct Fixture {
    now: Now,
    state: Arc<SymbolState>,
    inbox: Arc<WorkerInbox<Page>>,
    worker: Worker<Page>,
    page: Page,
}

impl Fixture {
    fn new(is_full: bool) -> Self {
        Self::with(is_full, Options::new(Duration::from_secs(15)))
    }

    fn with(is_full: bool, options: Options) -> Self {
        let now = Now::read();
        let age = Duration::from_secs(60);
        let cache = Cache::new(Epoch::new(1), RingLimits { count: 64, age });
        let state = cache.register("AAPL".parse().unwrap(), "sim".into(), Origin::Sim, now).unwrap();
        let inbox: Arc<WorkerInbox<Page>> = Arc::default();
        let worker = Worker::new(WorkerIndex::new(0).unwrap(), inbox.clone(), LIMITS, 1);
        let page = Page::new(if is_full { 0 } else { usize::MAX / 2 });
        let stream = NewStream {
            name: StreamName::new(1),
            client: std::net::IpAddr::from([127, 0, 0, 1]).into(),
            head: ResponseHead::default(),
            hello: Box::new(Bytes::from_static(b"hello\n\n")),
            symbols: [state.clone()].into(),
            unlisted: Unlisted::default(),
            options,
            dictionary: None,
            resume: None,
            generation: 0,
            has_rights: false,
            until: Some(now.after(RIGHTS).unix),
            permit: Box::new(()),
        };
        let _ = inbox.send(Command::Open(page.clone(), stream));
        let mut fixture = Self { now, state, inbox, worker, page };
        fixture.turn_after(Duration::ZERO);
        fixture
    }

    fn turn_after(&mut self, wait: Duration) {
        self.now = self.now.after(wait);
        while self.worker.turn(self.now, &[]) == Wait::No {}
    }

    /// The client changes nothing, and renews its rights to a tick a second.
    fn renew(&mut self) {
        let state = self.state.clone();
        let rights = ChangeRights {
            subject: None,
            until: Some(self.now.after(RIGHTS).unix),
            streams: None,
            denied: Box::new([]),
            readable: Box::new(move |_, _| Some(state.clone())),
            interval_min: Some(Duration::from_secs(1)),
        };
        let change = Change {
            rev: None,
            symbols: None,
            unknown: Box::new([]),
            parts: None,
            interval: None,
            patches: None,
            held: None,
            rights: Some(rights),
        };
        let key = self.page.key.load(Ordering::Relaxed);
        let command =
            Command::Change { key, name: StreamName::new(1), change: Box::new(change), reply: Box::new(IsApplied) };
        let _ = self.inbox.send(command);
        self.turn_after(Duration::ZERO);
    }

    /// Someone sets the wall clock.
    fn set(&mut self, seconds: i64) {
        self.now.unix = UnixMicros(self.now.unix.0 + seconds * 1_000_000);
    }

    fn trade(&mut self) {
        let trade = TradeUpdate { price: Field::Set("1.5".parse().unwrap()), ..TradeUpdate::default() };
        self.state.publish(&Update { trade: Some(trade), ..Update::default() }, self.now);
        self.state.marks().set(WorkerMask::only(WorkerIndex::new(0).unwrap()));
        let _ = self.inbox.announce(&mut vec![self.state.clone()]);
        self.turn_after(Duration::ZERO);
    }

    /// How many ticks came, and whether the goodbye is the last.
    fn seen(&self) -> (usize, bool) {
        let text = self.page.text();
        (text.matches("\"seq\":").count(), text.ends_with("event: bye\ndata: {\"reason\":\"expired\"}\n\n"))
    }

    fn closed(&self, reason: CloseReason) -> u64 {
        self.worker.counts().closed[reason as usize]
    }
}

#[test]
fn rights_end_as_soon_as_the_wall_clock_is_set_past_their_end() {
    let mut fixture = Fixture::new(false);
    fixture.trade();
    assert_eq!(fixture.seen(), (2, false));
    fixture.set(3_600);
    fixture.trade();
    assert_eq!(fixture.seen(), (2, true), "the goodbye comes in the tick's place");

    let mut silent = Fixture::new(false);
    silent.set(3_600);
    silent.turn_after(RIGHTS);
    assert_eq!(silent.seen(), (1, true), "no tick asks, and so its deadline does");
}

#[test]
fn rights_do_not_last_longer_when_the_wall_clock_is_set_back() {
    let mut fixture = Fixture::new(false);
    fixture.set(-3_600);
    fixture.turn_after(RIGHTS);
    fixture.trade();
    assert_eq!(fixture.seen(), (1, true));
    fixture.turn_after(Duration::from_secs(2));
    assert_eq!(fixture.closed(CloseReason::Expired), 1);
}

#[test]
fn a_stream_that_a_drain_ends_is_not_counted_as_expired_though_its_rights_end_meanwhile() {
    let mut fixture = Fixture::new(true);
    let almost = RIGHTS - Duration::from_millis(500);
    fixture.turn_after(almost);
    let _ = fixture.inbox.send(Command::Drain(Duration::ZERO));
    fixture.turn_after(Duration::ZERO);
    fixture.turn_after(Duration::from_secs(2));
    assert_eq!((fixture.closed(CloseReason::Shutdown), fixture.closed(CloseReason::Expired)), (1, 0));
}

#[test]
fn a_client_that_leaves_after_its_goodbye_does_what_it_was_asked_to_though_a_flush_finds_out_first() {
    let mut fixture = Fixture::new(false);
    let _ = fixture.inbox.send(Command::Drain(Duration::ZERO));
    fixture.turn_after(Duration::ZERO);
    fixture.page.has_left.store(true, Ordering::Relaxed);
    let key = fixture.page.key.load(Ordering::Relaxed);
    let _ = fixture.inbox.send(Command::Ready(Ready { key, readable: false, writable: true }));
    fixture.turn_after(Duration::ZERO);
    assert_eq!((fixture.closed(CloseReason::Shutdown), fixture.closed(CloseReason::Left)), (1, 0));
}

#[test]
fn no_row_of_changes_brings_ticks_sooner_than_the_rights_allow_though_the_client_asked_for_fewer() {
    let options = Options::new(Duration::from_secs(15)).every(Duration::from_secs(10));
    let mut fixture = Fixture::with(false, options.allowed_every(Some(Duration::from_secs(1))));
    fixture.trade(); // it is live: that does not wait
    fixture.trade();
    for _ in 0..9 {
        fixture.turn_after(Duration::from_millis(100));
        fixture.renew();
        assert_eq!(fixture.seen().0, 2);
    }
    fixture.turn_after(Duration::from_millis(200));
    fixture.renew();
    assert_eq!(fixture.seen().0, 3);
}
