//! The task of a connection against a real websocket, with a venue that says anything.

use super::*;
use crate::{
    feed::{FeedStatus, ListChange, Timing, Unheard, silence::Patience},
    market::{FeedSymbol, Parts, Symbol, UnixMicros, Update},
    venue::{Change, DecodeError, Failure, ListedSymbol, Message, Request, Silence},
};
use futures_util::SinkExt;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_tungstenite::{WebSocketStream, accept_async, tungstenite::Message as Wire};

mod lists;
mod rotate_at;

const LIFETIME: Duration = Duration::from_secs(24 * 3_600);

/// The protocol of these tests: a frame is a list of answers.
struct Scripted {
    url: String,
    requests: Vec<Request>,
    /// Refused whatever else comes.
    refused: Vec<(FeedSymbol, Reason)>,
    /// How it answers a change of the list.
    changed: Change,
}

impl Venue for Scripted {
    fn url(&self) -> &str {
        &self.url
    }

    fn rules(&self) -> Rules {
        Rules { lifetime: Some(LIFETIME), ..Rules::default() }
    }

    fn open(&mut self) -> Vec<Request> {
        self.requests.clone()
    }

    fn read(&mut self, frame: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        if frame.starts_with(b"many ") {
            // An update a byte.
            while batch.read_on < frame.len() && !batch.is_full() {
                batch.push(Update { symbol: FeedSymbol(batch.read_on as u32), ..Update::default() });
                batch.read_on += 1;
            }
            if batch.read_on == frame.len() {
                batch.read_on = 0;
            }
            return Ok(Message::Data);
        }
        let mut messages = std::str::from_utf8(frame).unwrap().split(',').map(|word| match word {
            "gap" => Message::Gap,
            "closing" => Message::Closing,
            "denied" => Message::Failed(Failure::Fatal(Reason::Unauthorized)),
            "control" => Message::Control,
            id => Message::Acknowledged(id.parse().unwrap()),
        });
        let last = messages.next_back().unwrap();
        batch.answers.extend(messages);
        Ok(last)
    }

    fn refused(&self) -> Vec<(FeedSymbol, Reason)> {
        self.refused.clone()
    }

    fn change(&mut self, _: &[(FeedSymbol, ListedSymbol)], _: &[FeedSymbol]) -> Change {
        self.changed.clone()
    }

    fn unanswered(&mut self, id: u64) {
        self.refused.push((FeedSymbol(id as u32), Reason::NotGranted));
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Closed(bool),
    Outage(Reason),
    Mute(Parts),
    Refused(Vec<(FeedSymbol, Reason)>),
    Updates(Vec<u32>),
    Removed(FeedSymbol),
}

struct Collector(mpsc::UnboundedSender<Seen>, Arc<AtomicBool>);

impl Sink for Collector {
    type Target = ();

    fn add(&mut self, _: FeedSymbol, (): (), _: Now) {}

    fn remove(&mut self, place: FeedSymbol, _: Now) {
        self.0.send(Seen::Removed(place)).unwrap();
    }

    fn may_take(&self) -> bool {
        !self.1.load(Ordering::Relaxed)
    }

    fn updates(&mut self, updates: &[Update], _: Now) {
        self.0.send(Seen::Updates(updates.iter().map(|update| update.symbol.0).collect())).unwrap();
    }

    fn outage(&mut self, reason: Reason, _: Now) {
        self.0.send(Seen::Outage(reason)).unwrap();
    }

    fn start_over(&mut self, _: Now) {}

    fn mute(&mut self, parts: Parts, _: Now) {
        self.0.send(Seen::Mute(parts)).unwrap();
    }

    fn is_halted(&self) -> bool {
        false
    }

    fn unheard(&self, _: UnixMicros, _: UnixMicros) -> Unheard {
        Unheard::default()
    }

    fn closed(&mut self, closed: bool, _: Now) {
        self.0.send(Seen::Closed(closed)).unwrap();
    }

    fn refused(&mut self, refused: &[(FeedSymbol, Reason)], _: Now) {
        self.0.send(Seen::Refused(refused.to_vec())).unwrap();
    }
}

/// A connection of two symbols that runs, and the other end of its websocket.
struct Rig {
    listener: TcpListener,
    seen_rx: mpsc::UnboundedReceiver<Seen>,
    peer: WebSocketStream<TcpStream>,
    /// Whether the sink takes no updates.
    is_full: Arc<AtomicBool>,
    relistings_tx: mpsc::Sender<Relisting<()>>,
    /// Dropping it ends the connection.
    _shutdown_tx: watch::Sender<bool>,
}

impl Rig {
    async fn start(requests: Vec<Request>, refused: Vec<(FeedSymbol, Reason)>) -> Self {
        Self::with(requests, refused, false, Change::Requests(vec![request(9)])).await
    }

    /// A connection that is replaced without a gap, if it `overlaps` with the next one. Its venue answers changes of
    /// the list by `changed`.
    async fn with(requests: Vec<Request>, refused: Vec<(FeedSymbol, Reason)>, overlaps: bool, changed: Change) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (relistings_tx, relistings) = mpsc::channel(1);
        let setup = setup(&listener, relistings, requests, refused, overlaps, changed);
        let (seen_tx, seen_rx) = mpsc::unbounded_channel();
        let (shutdown_tx, shutdown_rx) = watch::channel(false);
        let is_full = Arc::new(AtomicBool::new(false));
        tokio::spawn(Connection::new(setup, Collector(seen_tx, is_full.clone())).run(shutdown_rx));
        let (stream, _) = listener.accept().await.unwrap();
        let mut peer = accept_async(stream).await.unwrap();
        peer.next().await.unwrap().unwrap(); // the first request
        let mut rig = Self { listener, seen_rx, peer, is_full, relistings_tx, _shutdown_tx: shutdown_tx };
        assert_eq!(rig.seen().await, Seen::Closed(false), "each run says first how the hours are");
        rig
    }

    async fn says(&mut self, frame: &str) {
        self.peer.send(Wire::text(frame)).await.unwrap();
    }

    async fn seen(&mut self) -> Seen {
        tokio::time::timeout(Duration::from_secs(10), self.seen_rx.recv()).await.unwrap().unwrap()
    }
}

fn setup(
    listener: &TcpListener,
    relistings: mpsc::Receiver<Relisting<()>>,
    requests: Vec<Request>,
    refused: Vec<(FeedSymbol, Reason)>,
    overlaps: bool,
    changed: Change,
) -> ConnectionSetup<()> {
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let (mut writers, _) = FeedStatus::new(1, Vec::new(), UnixMicros(0));
    let count = if overlaps { 6 } else { 2 }; // as many as `many x` has
    let add = |number| ListChange::Add { symbol: symbol(number), target: () };
    let patience = Patience { mute_after: Duration::from_secs(60), part_mute_after: None };
    ConnectionSetup {
        name: "test".to_owned(),
        new_venue: Box::new(move || {
            let (requests, refused, changed) = (requests.clone(), refused.clone(), changed.clone());
            Box::new(Scripted { url: url.clone(), requests, refused, changed })
        }),
        key: tokio::sync::watch::channel(None).1,
        overlaps: Overlaps {
            connections_max: if overlaps { 2 } else { 0 },
            connections: Arc::new(AtomicUsize::new(1)),
        },
        first: Relisting { changes: (0..count).map(add).collect(), patience },
        relistings,
        applied: watch::channel(0).0,
        not_before: None,
        rotate_at: None,
        is_delayed: false,
        schedule: Schedule::always(),
        timing: Timing {
            acknowledgement: Duration::from_millis(100),
            stable_after: Duration::ZERO,
            ..Timing::default()
        },
        dialing: crate::feed::dial::plain(),
        pace: Default::default(),
        message_limit: MessageLimit::new(Some(1 << 20), crate::venue::DEFAULT),
        pacer: ConnectPacer::new(Duration::ZERO),
        place: 0,
        connections: 1,
        metrics: FeedMetrics::register("test"),
        status: writers.remove(0),
        recorder: None,
    }
}

/// A connection that serves on, and the next one, whose request is not answered yet.
async fn replaced() -> (Rig, WebSocketStream<TcpStream>) {
    let mut rig = Rig::with(vec![request(1)], vec![], true, Change::Reconnect).await;
    rig.says("1").await;
    assert_eq!(rig.seen().await, Seen::Refused(vec![]));
    rig.says("many x").await;
    assert_eq!(rig.seen().await, Seen::Updates((0..6).collect()));
    rig.says("closing").await;
    let mut next = accept_async(rig.listener.accept().await.unwrap().0).await.unwrap();
    next.next().await.unwrap().unwrap();
    (rig, next)
}

fn symbol(number: u32) -> ListedSymbol {
    format!("S{number}").parse::<Symbol>().unwrap().into()
}

fn request(id: u64) -> Request {
    Request::send(id, id.to_string())
}

#[tokio::test]
async fn an_answer_before_the_last_of_its_frame_completes_the_subscription_or_ends_the_connection() {
    let mut rig = Rig::start(vec![request(1)], vec![]).await;
    rig.says("1,gap,control").await;
    assert_eq!(rig.seen().await, Seen::Refused(vec![]), "it is live");
    assert_eq!(rig.seen().await, Seen::Outage(Reason::Gap), "and then it is left");

    let mut rig = Rig::start(vec![request(1)], vec![]).await;
    rig.says("denied,control").await;
    let all = [0, 1].map(|symbol| (FeedSymbol(symbol), Reason::Unauthorized));
    assert_eq!(rig.seen().await, Seen::Refused(all.to_vec()));
    assert_eq!(rig.seen().await, Seen::Outage(Reason::ConnectionLost));
}

#[tokio::test]
async fn a_venue_whose_silence_refuses_loses_the_symbols_of_the_silent_request_alone() {
    let silent = Request { silence: Silence::Refuses, ..request(1) };
    let mut rig = Rig::start(vec![request(0), silent], vec![]).await;
    rig.says("0").await;
    assert_eq!(rig.seen().await, Seen::Refused(vec![(FeedSymbol(1), Reason::NotGranted)]));
}

#[tokio::test]
async fn a_connection_without_a_granted_symbol_is_not_live_though_a_request_was_granted() {
    let refused = vec![(FeedSymbol(0), Reason::NotGranted), (FeedSymbol(1), Reason::SymbolLimit)];
    let mut rig = Rig::start(vec![request(1)], refused.clone()).await;
    rig.says("1").await;
    assert_eq!(rig.seen().await, Seen::Refused(refused));
    assert_eq!(rig.seen().await, Seen::Outage(Reason::ConnectionLost));
}

#[tokio::test]
async fn rule_10_the_updates_of_a_long_message_are_published_in_slices() {
    let mut rig = Rig::start(vec![request(1)], vec![]).await;
    rig.says("1").await;
    assert_eq!(rig.seen().await, Seen::Refused(vec![]));
    for count in [1_024, 1_025, 5_000] {
        rig.says(&format!("many {}", "x".repeat(count - 5))).await;
        let mut updates = Vec::new();
        while updates.len() < count {
            let Seen::Updates(slice) = rig.seen().await else { panic!("no updates") };
            assert!(slice.len() <= Batch::UPDATES_MAX);
            updates.extend(slice);
        }
        assert_eq!(updates, (0..count as u32).collect::<Vec<_>>());
    }
    rig.says("gap").await;
    assert_eq!(rig.seen().await, Seen::Outage(Reason::Gap), "what follows is read as before");
}

#[tokio::test]
async fn while_the_sink_takes_no_updates_none_are_lost_and_none_are_read() {
    let mut rig = Rig::start(vec![request(1)], vec![]).await;
    rig.says("1").await;
    assert_eq!(rig.seen().await, Seen::Refused(vec![]));
    rig.is_full.store(true, Ordering::Relaxed);
    rig.says("many x").await;
    rig.says("gap").await;
    // A connection that read on would leave within a round of its loop, and be replaced.
    for _ in 0..100 {
        tokio::task::yield_now().await;
        assert!(rig.seen_rx.try_recv().is_err());
    }
    rig.is_full.store(false, Ordering::Relaxed);
    assert_eq!(rig.seen().await, Seen::Updates((0..6).collect()));
    assert_eq!(rig.seen().await, Seen::Outage(Reason::Gap));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_of_the_old_connection_that_the_sink_does_not_take_waits_without_a_spin() {
    let (mut rig, mut next) = replaced().await;
    rig.is_full.store(true, Ordering::Relaxed);
    rig.says("many x").await;
    // The new connection is given up, as its request is not answered: the task has its turns.
    while let Some(Ok(_)) = next.next().await {}
    rig.is_full.store(false, Ordering::Relaxed);
    assert_eq!(rig.seen().await, Seen::Updates((0..6).collect()));
}

#[tokio::test]
async fn all_that_the_old_connection_has_sent_is_read_before_what_the_new_one_brings() {
    const FRAMES: usize = 2_000;
    let (mut rig, mut next) = replaced().await;
    next.send(Wire::text("1")).await.unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await; // until the new connection is live
    }
    rig.is_full.store(true, Ordering::Relaxed);
    let frames = (0..FRAMES).map(|_| Ok(Wire::text("many ")));
    rig.peer.send_all(&mut futures_util::stream::iter(frames)).await.unwrap();
    next.send(Wire::text("many x")).await.unwrap();
    rig.is_full.store(false, Ordering::Relaxed);
    let mut all = Vec::new();
    while !all.contains(&5) {
        let Seen::Updates(updates) = rig.seen().await else { panic!("no updates") };
        all.extend(updates);
    }
    assert_eq!(all.len(), 5 * FRAMES + 6, "only the new connection speaks of the last symbol");
    while !matches!(rig.peer.next().await, Some(Ok(Wire::Close(_)))) {}
}
