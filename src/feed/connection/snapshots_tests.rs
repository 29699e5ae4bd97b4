//! An answer about the latest state, on its way from the venue to the sink.

use super::*;
use crate::{
    feed::{
        FeedMetrics, FeedStatus, ListChange, Timing, Unheard,
        connection::{MessageLimit, Relisting},
        pacer::ConnectPacer,
        rotation::Overlaps,
        silence::Patience,
    },
    market::{Hours, Parts, Reason, Schedule, Symbol, UnixMicros, Update},
    venue::{Batch, Change, DecodeError, ListedSymbol, Message, Request, Rules, Spec, VENUES, Venue},
};
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, watch};

/// Whatever it reads is the state of its first symbol, which it asks a host for that there is not.
struct Teller;

impl Venue for Teller {
    fn url(&self) -> &str {
        ""
    }

    fn rules(&self) -> Rules {
        Rules::default()
    }

    fn open(&mut self) -> Vec<Request> {
        Vec::new()
    }

    fn read(&mut self, _: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        batch.push(Update { is_snapshot: true, ..Update::default() });
        Ok(Message::Data)
    }

    fn refused(&self) -> Vec<(FeedSymbol, Reason)> {
        Vec::new()
    }

    fn snapshots(&self, _: &[FeedSymbol]) -> Option<SnapshotRequest> {
        Some(SnapshotRequest { url: "http://127.0.0.1:9/state".to_owned(), fields: Vec::new() })
    }

    fn change(&mut self, _: &[(FeedSymbol, ListedSymbol)], _: &[FeedSymbol]) -> Change {
        Change::Requests(Vec::new())
    }
}

/// Keeps the updates.
#[derive(Default, Clone)]
struct Keeper(Arc<Mutex<Vec<Update>>>);

impl Sink for Keeper {
    type Target = ();

    fn add(&mut self, _: FeedSymbol, (): (), _: Now) {}
    fn remove(&mut self, _: FeedSymbol, _: Now) {}
    fn outage(&mut self, _: Reason, _: Now) {}
    fn start_over(&mut self, _: Now) {}
    fn mute(&mut self, _: Parts, _: Now) {}
    fn closed(&mut self, _: bool, _: Now) {}
    fn refused(&mut self, _: &[(FeedSymbol, Reason)], _: Now) {}

    fn updates(&mut self, updates: &[Update], _: Now) {
        self.0.lock().unwrap().extend(updates);
    }

    fn is_halted(&self) -> bool {
        false
    }

    fn unheard(&self, _: UnixMicros, _: UnixMicros) -> Unheard {
        Unheard::default()
    }
}

/// A venue with such requests.
fn with_snapshots() -> &'static Spec {
    VENUES.iter().find(|spec| spec.snapshots.is_some()).unwrap()
}

/// A connection with one symbol that does not run.
fn connection(hours: Hours, sink: Keeper, pace: &AccountPace) -> Connection<Keeper> {
    let (mut writers, _) = FeedStatus::new(1, Vec::new(), UnixMicros(0));
    let add = ListChange::Add { symbol: "A".parse::<Symbol>().unwrap().into(), target: () };
    let patience = Patience { mute_after: Duration::from_secs(60), part_mute_after: None };
    let setup = ConnectionSetup {
        name: "test".to_owned(),
        new_venue: Box::new(|| Box::new(Teller)),
        key: watch::channel(None).1,
        overlaps: Overlaps { connections_max: 0, connections: Arc::default() },
        first: Relisting { changes: vec![add], patience },
        relistings: mpsc::channel(1).1,
        applied: watch::channel(0).0,
        not_before: None,
        rotate_at: None,
        is_delayed: false,
        schedule: Schedule::new(hours, Vec::new()),
        timing: Timing::default(),
        dialing: crate::feed::dial::plain(),
        pace: pace.clone(),
        message_limit: MessageLimit::new(Some(1 << 20), with_snapshots()),
        pacer: ConnectPacer::new(Duration::ZERO),
        place: 0,
        connections: 1,
        metrics: FeedMetrics::register("test"),
        status: writers.remove(0),
        recorder: None,
    };
    Connection::new(setup, sink)
}

#[tokio::test]
async fn rule_7_an_answer_comes_with_the_beginning_of_the_hours_that_it_falls_in() {
    // Monday 2026-01-05, 4:01 in New York.
    let now = Now { unix: UnixMicros(1_767_603_660_000_000), instant: Instant::now() };
    for (hours, opened) in [(Hours::UsEquities, Some(now.unix.before(Duration::from_secs(60)))), (Hours::Always, None)]
    {
        let sink = Keeper::default();
        connection(hours, sink.clone(), &AccountPace::default()).take_snapshot(Asked::Answer(Ok(b"{}".to_vec())), now);
        let told: Vec<_> = sink.0.lock().unwrap().iter().map(|update| update.opened).collect();
        assert_eq!(told, [opened], "{}", hours.name());
    }
}

#[tokio::test]
async fn rule_10_connections_of_one_account_ask_in_turn() {
    let now = Now::read();
    let pace = AccountPace::default();
    let between = with_snapshots().snapshots.unwrap().between_requests;
    let mut connections = [(); 2].map(|()| connection(Hours::Always, Keeper::default(), &pace));
    let mut asks = |place: usize, now: Now| {
        let connection: &mut Connection<Keeper> = &mut connections[place];
        connection.snapshots.schedule.want([FeedSymbol(0)]);
        connection.take_snapshot(Asked::Due, now);
        (connection.snapshots.open.is_some(), connection.snapshots.schedule.deadline(now.instant))
    };
    assert_eq!(asks(0, now), (true, None));
    assert_eq!(asks(1, now), (false, Some(now.instant + between)), "it waits for its turn");
    assert_eq!(asks(1, now.after(between)), (true, None));
}
