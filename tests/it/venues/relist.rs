//! Each venue while its list changes: under traffic, at its pace, and over a reconnect.

use super::{address, credentials, spec, symbols};
use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tickfan::{
    config::{self, Config},
    feed::{Feed, FeedMetrics, ListChange, Sink, Timing, Unheard},
    market::{FeedSymbol, Now, Parts, Reason, Schedule, UnixMicros, Update},
    venue::{self, ListedSymbol, Rules, Setup},
};
use tokio::sync::{mpsc, oneshot, watch};
use venue_sim::{Connection, DIALECTS, Line, Manner, PATIENCE, Venue, serve, within};

/// What a sink is told, with the names of the symbols.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Update(String),
    Stale(Reason),
    Refused(Vec<String>),
    Removed(String),
}

#[derive(Clone)]
struct Watcher {
    names: Vec<Option<String>>,
    seen: mpsc::UnboundedSender<Seen>,
}

impl Watcher {
    fn see(&self, seen: Seen) {
        let _ = self.seen.send(seen);
    }

    fn name(&self, place: FeedSymbol) -> String {
        self.names[place.index()].clone().expect("a symbol of the list")
    }
}

impl Sink for Watcher {
    type Target = String;

    fn add(&mut self, place: FeedSymbol, name: String, _: Now) {
        self.names.resize(self.names.len().max(place.index() + 1), None);
        assert_eq!(self.names[place.index()].replace(name), None, "the place was taken");
    }

    fn remove(&mut self, place: FeedSymbol, _: Now) {
        self.see(Seen::Removed(self.name(place)));
        self.names[place.index()] = None;
    }

    fn updates(&mut self, updates: &[Update], _: Now) {
        updates.iter().for_each(|update| self.see(Seen::Update(self.name(update.symbol))));
    }

    fn outage(&mut self, reason: Reason, _: Now) {
        self.see(Seen::Stale(reason));
    }

    fn start_over(&mut self, _: Now) {}

    fn mute(&mut self, _: Parts, _: Now) {
        self.see(Seen::Stale(Reason::Mute));
    }

    fn is_halted(&self) -> bool {
        false
    }

    fn unheard(&self, _: UnixMicros, _: UnixMicros) -> Unheard {
        Unheard::default()
    }

    fn closed(&mut self, _: bool, _: Now) {}

    fn refused(&mut self, refused: &[(FeedSymbol, Reason)], _: Now) {
        self.see(Seen::Refused(refused.iter().map(|(place, _)| self.name(*place)).collect()));
    }
}

/// A feed of a venue that is played.
struct Rig {
    manner: &'static Manner,
    rules: Rules,
    line: Line,
    lines: mpsc::UnboundedReceiver<Line>,
    /// When the venue got each frame of the feed.
    frames: Arc<Mutex<Vec<Instant>>>,
    changes: mpsc::Sender<Vec<ListChange<String>>>,
    seen: mpsc::UnboundedReceiver<Seen>,
    number: u64,
}

/// The venue's names of symbols, sorted.
fn names(manner: &Manner, symbols: &[ListedSymbol]) -> Vec<String> {
    let mut names: Vec<_> = symbols.iter().map(|listed| (spec(manner).derive)(&listed.symbol).unwrap()).collect();
    names.sort_unstable();
    names
}

fn add(symbol: &ListedSymbol) -> ListChange<String> {
    ListChange::Add { symbol: symbol.clone(), target: symbol.symbol.to_string() }
}

fn remove(symbol: &ListedSymbol) -> ListChange<String> {
    ListChange::Remove(symbol.symbol.clone())
}

impl Rig {
    async fn start(manner: &'static Manner, listed: &[ListedSymbol]) -> (Self, watch::Sender<bool>) {
        let venue = Venue::bind().await;
        let spec = spec(manner);
        let feed = config::Feed {
            url: Some(address(manner, &venue.url)),
            schedule: Schedule::always(),
            credentials: credentials(spec),
            ..config::Feed::new(spec, listed.to_vec())
        };
        let backoff = Duration::from_millis(20);
        let timing = Timing {
            between_connects: Some(Duration::ZERO),
            acknowledgement: PATIENCE,
            backoff_first: backoff,
            backoff_max: backoff,
            ..Timing::default()
        };
        let credentials = feed.credentials.as_ref();
        let setup = Setup { url: feed.url.as_deref(), symbols: listed, credentials, playback: None };
        let rules = venue::new(spec, &setup).unwrap().rules();
        let runs = Feed::new(&feed, &Config::default().limits, Now::read()).unwrap().with_timing(timing);
        let (seen_tx, seen) = mpsc::unbounded_channel();
        let (changes, changes_rx) = mpsc::channel(4);
        let (shutdown_tx, shutdown_rx) = watch::channel(false);
        let targets = listed.iter().map(|listed| listed.symbol.to_string()).collect();
        let sinks = move || Watcher { names: Vec::new(), seen: seen_tx.clone() };
        tokio::spawn(runs.run(sinks, targets, changes_rx, FeedMetrics::register(spec.name), shutdown_rx));
        let (lines_tx, mut lines) = mpsc::unbounded_channel();
        let frames = Arc::<Mutex<Vec<Instant>>>::default();
        let seen_frames = frames.clone();
        tokio::spawn(async move {
            loop {
                let connection = Connection::accept(venue.next_tcp().await).await;
                let (line, acts) = venue_sim::line();
                lines_tx.send(line).unwrap();
                let frames = seen_frames.clone();
                serve(connection, (manner.new)(&[manner.refused.1]), acts, |_| {
                    frames.lock().unwrap().push(Instant::now());
                })
                .await;
            }
        });
        let line = within("the feed connects", lines.recv()).await.unwrap();
        (Self { manner, rules, line, lines, frames, changes, seen, number: 0 }, shutdown_tx)
    }

    /// A trade of each of these symbols.
    fn trade(&mut self, symbols: &[ListedSymbol]) {
        self.number += 1;
        let number = self.number;
        for name in names(self.manner, symbols) {
            self.line.send(move |dialect| dialect.trade(&name, number, "1.5", "2"));
        }
    }

    async fn subscribed(&self) -> Vec<String> {
        let (tell, told) = oneshot::channel();
        self.line.act(|dialect| {
            let _ = tell.send(dialect.subscribed());
            Vec::new()
        });
        let mut names = told.await.unwrap_or_default();
        names.sort_unstable();
        names
    }

    /// Waits until the venue sends all of this list, and nothing else, while these symbols trade.
    async fn has(&mut self, list: &[ListedSymbol], trading: &[ListedSymbol]) {
        let wanted = names(self.manner, list);
        let venue = self.manner.venue;
        let wait = async {
            while self.subscribed().await != wanted {
                self.trade(trading);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!("{venue}: {:?} instead of {wanted:?}", self.subscribed().await);
        }
    }

    /// What was seen until this; an outage must not be among it.
    async fn until(&mut self, last: &Seen) -> Vec<Seen> {
        let venue = self.manner.venue;
        let mut all = Vec::new();
        while all.last() != Some(last) {
            let seen = tokio::time::timeout(PATIENCE, self.seen.recv()).await;
            let seen = seen.unwrap_or_else(|_| panic!("{venue}: no {last:?} after {:?}", all.last())).unwrap();
            assert!(!matches!(seen, Seen::Stale(_)), "{venue}: {seen:?} before {last:?}");
            all.push(seen);
        }
        all
    }

    /// Changes the list, and checks that the requests keep the venue's pace: each comes so much later than the one
    /// before, counted from before the feed knows of the change, so a busy machine can only make it seem slower.
    async fn change(&mut self, changes: Vec<ListChange<String>>, list: &[ListedSymbol], trading: &[ListedSymbol]) {
        let venue = self.manner.venue;
        let before = self.frames.lock().unwrap().len();
        let begin = Instant::now();
        self.changes.send(changes).await.unwrap();
        self.has(list, trading).await;
        let frames = self.frames.lock().unwrap();
        assert!(frames.len() > before, "{venue}: it asks");
        for (number, at) in frames[before..].iter().enumerate() {
            let needed = self.rules.between_requests * number as u32;
            assert!(*at - begin >= needed, "{venue}: request {number} before {needed:?}");
        }
    }
}

async fn changes(manner: &'static Manner) {
    let [one, two, three, four] = {
        let listed = symbols(manner, ["ONE", "TWO", "THREE", "FOUR"].map(str::to_owned).into_iter());
        <[ListedSymbol; 4]>::try_from(listed).unwrap()
    };
    let bad = ListedSymbol::from(manner.refused.0.parse::<tickfan::market::Symbol>().unwrap());
    let name = |listed: &ListedSymbol| listed.symbol.to_string();
    let (mut rig, _shutdown) = Rig::start(manner, &[one.clone(), two.clone()]).await;
    rig.has(&[one.clone(), two.clone()], &[]).await;
    rig.until(&Seen::Refused(vec![])).await;

    let trading = [one.clone()];
    let list = [one.clone(), three.clone(), four.clone()];
    rig.change(vec![add(&three), remove(&two), add(&four)], &list, &trading).await;
    rig.until(&Seen::Removed(name(&two))).await;
    // Data of the removed symbol were on their way.
    rig.trade(std::slice::from_ref(&two));
    rig.trade(&list);
    let seen = rig.until(&Seen::Update(name(&three))).await;
    assert!(!seen.contains(&Seen::Update(name(&two))), "{}: {seen:?}", manner.venue);
    rig.trade(std::slice::from_ref(&one));
    rig.until(&Seen::Update(name(&one))).await;

    // A symbol that the venue refuses is refused alone, and the one that came with it is not.
    let bad: Vec<&ListedSymbol> = [&bad].into_iter().filter(|_| manner.checks_names).collect();
    let list = [one.clone(), two.clone(), three.clone(), four.clone()];
    rig.change(bad.iter().map(|bad| add(bad)).chain([add(&two)]).collect(), &list, &trading).await;
    if let Some(bad) = bad.first() {
        rig.until(&Seen::Refused(vec![name(bad)])).await;
    }
    rig.trade(std::slice::from_ref(&two));
    rig.until(&Seen::Update(name(&two))).await;
    // Removed and added again in one go: it is asked for once more.
    let list = [one.clone(), two.clone(), four.clone()];
    let bad = bad.into_iter().map(remove);
    rig.change(bad.chain([remove(&three), remove(&four), add(&four)]).collect(), &list, &trading).await;
    rig.until(&Seen::Removed(name(&four))).await;
    // What comes before its end was on its way.
    let heard = async {
        loop {
            rig.trade(&list);
            while let Ok(Some(seen)) = tokio::time::timeout(Duration::from_millis(20), rig.seen.recv()).await {
                assert!(!matches!(seen, Seen::Stale(_)), "{}: {seen:?}", manner.venue);
                if seen == Seen::Update(name(&four)) {
                    return;
                }
            }
        }
    };
    within(&format!("{} sends the symbol again", manner.venue), heard).await;

    // The next connection asks for the list as it is then, also for what changes meanwhile.
    let (line, _) = venue_sim::line();
    drop(std::mem::replace(&mut rig.line, line));
    let lost = async { while !matches!(rig.seen.recv().await, Some(Seen::Stale(_))) {} };
    within("the loss", lost).await;
    rig.changes.send(vec![remove(&one), add(&three)]).await.unwrap();
    rig.line = within("the feed connects", rig.lines.recv()).await.unwrap();
    let list = [two, three, four];
    rig.has(&list, &[]).await;
    rig.until(&Seen::Removed(name(&one))).await;
    rig.trade(&list);
    rig.until(&Seen::Update(name(&list[1]))).await;
}

#[tokio::test]
async fn a_list_changes_on_a_living_connection_of_each_venue() {
    futures_util::future::join_all(DIALECTS.iter().map(changes)).await;
}
