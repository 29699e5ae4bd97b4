//! Steps of a reload at feeds that fail, hang or die.

use super::*;
use crate::{
    cache::{RegisterError, RingLimits},
    feed::ListChange,
    gateway::{
        cluster::RunShard,
        running_feed::STOP_MAX,
        wiring::{FeedRun, Known, Wired, WiredTo, register, wire_feed},
    },
    market::{FailoverLimits, Origin, State as Shown, Symbol},
    venue::{self, ListedSymbol, LocalServer, Spec, StartServer},
    wire::Epoch,
};
use futures_util::future::BoxFuture;
use std::{
    future::{pending, ready},
    time::Instant,
};
use tokio::{sync::mpsc, task::yield_now, time::timeout};

#[path = "feed_set_delay_tests.rs"]
mod delay_lines;

type Changes = mpsc::Receiver<Vec<ListChange<Arc<crate::cache::SymbolState>>>>;

const PATIENCE: Duration = Duration::from_secs(20);

/// Never ends, as a task does whose venue hangs.
struct Hangs;

impl RunShard for Hangs {
    fn set_timing(&mut self, _: Timing) {}

    fn run(self: Box<Self>, _: watch::Receiver<bool>) -> BoxFuture<'static, io::Result<()>> {
        Box::pin(pending())
    }
}

fn set() -> FeedSet {
    let workers = WorkerPool::start(&Config::default().fanout).unwrap().0;
    let ring = RingLimits { count: 4, age: Duration::from_secs(1) };
    let permits = Permits::new(limits::fit(100_000, 100, 10, 10).unwrap(), 100);
    FeedSet::new(Arc::new(Cache::new(Epoch::new(1), ring)), workers, permits, true)
}

fn listed(symbol: &str) -> ListedSymbol {
    symbol.parse::<Symbol>().unwrap().into()
}

fn feed(name: &str, symbol: &str) -> config::Feed {
    config::Feed { name: name.to_owned(), ..config::Feed::new(venue::DEFAULT, vec![listed(symbol)]) }
}

/// A feed that never ends, and what it is told of its list: one batch at a time.
fn hanging(set: &FeedSet, config: &config::Feed) -> (RunningFeed, Changes) {
    let feed = Feed::new(config, &Config::default().limits, Now::read()).unwrap();
    let symbols = register(config, &config.symbols, &Known::new(), &set.cache, None, Now::read()).unwrap();
    let (changes_tx, changes) = mpsc::channel(1);
    let wired = Wired {
        task: FeedRun::Clustered(Box::new(Hangs)),
        status: feed.status(),
        key: feed.key(),
        symbols,
        changes: Some(changes_tx),
        standby_for: None,
        on_demand: None,
    };
    (RunningFeed::new(config, wired).unwrap(), changes)
}

fn add(feed: &str, symbol: &str) -> FeedStep {
    FeedStep::Add { feed: feed.to_owned(), symbols: vec![listed(symbol)] }
}

/// A venue like the default one, with this server.
fn venue_with(server: StartServer) -> &'static Spec {
    Box::leak(Box::new(Spec { local_server: Some(server), ..*venue::DEFAULT }))
}

#[tokio::test]
async fn a_list_changes_while_another_feed_has_no_room_for_changes() {
    let mut set = set();
    let [full, well] = [feed("full", "AAPL"), feed("well", "MSFT")];
    let (running, mut of_full) = hanging(&set, &full);
    set.add(running).unwrap();
    let (running, mut of_well) = hanging(&set, &well);
    set.add(running).unwrap();
    let config = Config { feeds: vec![full, well], ..Config::default() };
    assert_eq!(set.apply(vec![add("full", "A"), FeedStep::Tell], &config).await, []);
    let steps = vec![add("full", "B"), add("well", "C"), FeedStep::Tell];
    let told = async {
        assert_eq!(of_well.recv().await.unwrap().len(), 1);
        // Only now the other one makes room.
        of_full.recv().await.unwrap()
    };
    let (failed, first) = tokio::join!(set.apply(steps, &config), told);
    assert_eq!((failed, first.len()), (vec![], 1));
    assert_eq!(of_full.recv().await.map(|batch| batch.len()), Some(1), "it has not restarted");
}

#[tokio::test]
async fn the_stop_does_not_wait_for_a_reload_that_hangs() {
    let mut set = set();
    let old = feed("main", "AAPL");
    set.add(hanging(&set, &old).0).unwrap();
    set.run(mpsc::channel(1).0).await.unwrap();
    let new = config::Feed { mute_after: Some(Duration::from_secs(9)), ..old };
    let config = Config { feeds: vec![new.clone()], ..Config::default() };
    let begun = Instant::now();
    let stop = async {
        yield_now().await;
        set.stop().await;
    };
    let steps = vec![FeedStep::Restart(new), FeedStep::Start(feed("other", "MSFT"))];
    let (failed, ()) = tokio::join!(set.apply(steps, &config), stop);
    assert!(begun.elapsed() < STOP_MAX, "the feed has as long as this to end");
    let left = ["main", "other"].map(|feed| FailedFeed { feed: feed.to_owned(), why: STOPS.to_owned() });
    assert_eq!(failed, left);
}

#[tokio::test]
async fn a_feed_that_cannot_begin_fails_its_step_and_is_not_in_force() {
    let set = set();
    let fails = StartServer::Simulator(|_, _| Err(io::Error::other("no port is free")));
    let broken = config::Feed { venue: venue_with(fails), ..feed("broken", "AAPL") };
    let config = Config { feeds: vec![broken.clone(), feed("well", "MSFT")], ..Config::default() };
    let steps = vec![FeedStep::Start(broken), FeedStep::Start(config.feeds[1].clone())];
    let failed = set.apply(steps, &config).await;
    assert_eq!(failed, [FailedFeed { feed: "broken".to_owned(), why: "no port is free".to_owned() }]);
    assert_eq!(set.in_force(&config).await, config.feeds[1..], "the others start");
    assert!(set.cache.get(&"AAPL".parse().unwrap()).is_none() && set.shown.current().len() == 1);
    set.stop().await;
}

#[tokio::test]
async fn a_feed_of_a_reload_that_dies_is_told_as_one_of_the_start_is() {
    let ends = StartServer::Simulator(|_, _| {
        Ok(LocalServer { url: "ws://127.0.0.1:1/".to_owned(), serve: Box::pin(ready(())) })
    });
    for is_of_start in [true, false] {
        let mut set = set();
        let mortal = config::Feed { venue: venue_with(ends), ..feed("mortal", "AAPL") };
        let config = Config { feeds: vec![mortal.clone()], ..Config::default() };
        let (died_tx, mut died_rx) = mpsc::channel(1);
        if is_of_start {
            let to = WiredTo {
                cache: &set.cache,
                workers: &set.workers,
                limits: &config.limits,
                pace: &set.pace,
                on_demand: None,
            };
            let wired = wire_feed(&mortal, &Known::new(), to).unwrap();
            set.add(RunningFeed::new(&mortal, wired).unwrap()).unwrap();
            set.run(died_tx).await.unwrap();
        } else {
            set.run(died_tx).await.unwrap();
            assert_eq!(set.apply(vec![FeedStep::Start(mortal)], &config).await, []);
        }
        let died = timeout(PATIENCE, died_rx.recv()).await.expect("its end is told").unwrap();
        assert_eq!(died.unwrap_err().to_string(), "the local server has ended");
    }
}

#[tokio::test]
async fn between_two_steps_a_gateway_is_not_shown_without_feeds() {
    let set = set();
    let [old, new] = [feed("old", "AAPL"), feed("new", "MSFT")];
    let config = Config { feeds: vec![new.clone()], ..Config::default() };
    set.apply(vec![FeedStep::Start(old)], &config).await;
    let shown = || set.shown.current().iter().map(|feed| feed.name.to_string()).collect::<Vec<_>>();
    set.show(&State::default(), &config, Shows::Meanwhile);
    assert_eq!(shown(), ["old"]);
    set.apply(vec![FeedStep::End("old".to_owned()), FeedStep::Start(new)], &config).await;
    assert_eq!(shown(), ["new"]);
    set.show(&State::default(), &config, Shows::InTheEnd);
    assert!(shown().is_empty());
    set.stop().await;
}

/// A standby of the feed `main`.
fn standby(symbols: &[&str]) -> config::Feed {
    let limits = FailoverLimits { age: Duration::from_secs(5), failback_after: Duration::from_secs(5) };
    let standby = Some(config::Standby { primary: "main".to_owned(), limits });
    let symbols = symbols.iter().map(|symbol| listed(symbol)).collect();
    config::Feed { standby, symbols, name: "second".to_owned(), ..feed("second", "AAPL") }
}

/// A feed on another address, whose server does not start.
fn broken(feed: &config::Feed) -> config::Feed {
    let refuses = StartServer::Simulator(|_, _| Err(io::Error::other("no port is free")));
    config::Feed { venue: venue_with(refuses), ..feed.clone() }
}

fn failed(feed: &str, why: &str) -> FailedFeed {
    FailedFeed { feed: feed.to_owned(), why: why.to_owned() }
}

fn state_of(set: &FeedSet, symbol: &str) -> Arc<crate::cache::SymbolState> {
    set.cache.get(&symbol.parse().unwrap()).unwrap()
}

#[tokio::test]
async fn a_standby_whose_start_fails_half_way_starts_at_the_next_reload() {
    let set = set();
    let old = Config { feeds: vec![feed("main", "AAPL"), standby(&["AAPL"])], ..Config::default() };
    assert_eq!(set.apply(old.feeds.iter().cloned().map(FeedStep::Start).collect(), &old).await, []);
    let main = config::Feed { symbols: vec![listed("AAPL"), listed("MSFT")], ..feed("main", "AAPL") };
    let new = Config { feeds: vec![main, standby(&["AAPL", "MSFT"])], ..Config::default() };
    let again = || vec![add("main", "MSFT"), FeedStep::Tell, FeedStep::Start(new.feeds[1].clone())];
    // A symbol that is there although no feed has it.
    let taken = set.cache.register("MSFT".parse().unwrap(), "none".into(), Origin::Market, Now::read()).unwrap();
    let steps = [vec![FeedStep::End("second".to_owned())], again()].concat();
    let why = set.apply(steps, &new).await;
    assert_eq!(why.iter().map(|failed| &*failed.feed).collect::<Vec<_>>(), ["second", "main"]);
    assert!(!state_of(&set, "AAPL").has_standby(), "nothing waits for a feed that does not run");
    assert_eq!(set.in_force(&new).await, old.feeds[..1]);
    set.cache.retire(taken.symbol(), taken.tier());
    assert_eq!(set.apply(again(), &new).await, []);
    assert_eq!(set.in_force(&new).await, new.feeds);
    assert!(["AAPL", "MSFT"].iter().all(|symbol| state_of(&set, symbol).has_standby()));
    set.stop().await;
}

#[tokio::test]
async fn a_standby_ends_with_its_primary_whose_restart_fails_and_both_start_again() {
    let set = set();
    let old = Config { feeds: vec![feed("main", "AAPL"), standby(&["AAPL"])], ..Config::default() };
    let start = || old.feeds.iter().cloned().map(FeedStep::Start).collect();
    assert_eq!(set.apply(start(), &old).await, []);
    let held = state_of(&set, "AAPL");
    let new = Config { feeds: vec![broken(&old.feeds[0]), old.feeds[1].clone()], ..Config::default() };
    let why = set.apply(vec![FeedStep::Restart(new.feeds[0].clone())], &new).await;
    let both = [failed("main", "no port is free"), failed("second", "its primary `main` does not run")];
    assert_eq!(why, both);
    assert_eq!(set.in_force(&new).await, [], "a standby without its primary would not pass as a file");
    assert!(!held.has_standby() && held.newest().snapshot.state() == Shown::Refused);
    assert!(set.cache.get(held.symbol()).is_none());
    assert_eq!(set.apply(start(), &old).await, []);
    assert_eq!(set.in_force(&old).await, old.feeds);
    set.stop().await;
}

#[tokio::test]
async fn a_feed_whose_restart_finds_a_new_symbol_taken_ends_and_its_streams_are_told() {
    let set = set();
    let old = Config { feeds: vec![feed("main", "AAPL")], ..Config::default() };
    assert_eq!(set.apply(vec![FeedStep::Start(old.feeds[0].clone())], &old).await, []);
    let held = state_of(&set, "AAPL");
    let taken = set.cache.register("MSFT".parse().unwrap(), "none".into(), Origin::Market, Now::read()).unwrap();
    let main = config::Feed { symbols: vec![listed("AAPL"), listed("MSFT")], ..old.feeds[0].clone() };
    let new = Config { feeds: vec![config::Feed { mute_after: Some(Duration::from_secs(9)), ..main }], ..old };
    let twice = RegisterError::Twice(taken.symbol().clone());
    let failed = [failed("main", &twice.to_string())];
    assert_eq!(set.apply(vec![FeedStep::Restart(new.feeds[0].clone())], &new).await, failed);
    assert_eq!(held.newest().snapshot.state(), Shown::Refused);
    assert!(set.cache.get(held.symbol()).is_none());
    assert!(Arc::ptr_eq(&state_of(&set, "MSFT"), &taken), "it is not this feed's");
    assert_eq!(set.in_force(&new).await, []);
    set.cache.retire(taken.symbol(), taken.tier());
    assert_eq!(set.apply(vec![FeedStep::Start(new.feeds[0].clone())], &new).await, []);
    assert_eq!(set.in_force(&new).await, new.feeds);
    set.stop().await;
}

#[tokio::test]
async fn a_feed_is_told_once_with_what_is_done_and_restarts_with_the_list_that_it_has() {
    let mut set = set();
    let main = config::Feed { symbols: vec![listed("AAPL"), listed("MSFT")], ..feed("main", "AAPL") };
    let (running, changes) = hanging(&set, &main);
    drop(changes);
    set.add(running).unwrap();
    let taken = set.cache.register("NVDA".parse().unwrap(), "none".into(), Origin::Market, Now::read()).unwrap();
    let new = config::Feed { symbols: vec![listed("MSFT"), listed("NVDA")], ..main.clone() };
    let config = Config { feeds: vec![new.clone()], ..Config::default() };
    let remove = FeedStep::Remove { feed: "main".to_owned(), symbols: vec![listed("AAPL").symbol] };
    let steps = vec![remove, add("main", "NVDA"), add("main", "NVDA"), FeedStep::Tell];
    let twice = RegisterError::Twice(taken.symbol().clone());
    let why = format!("{twice}; done: -AAPL, restarted");
    assert_eq!(set.apply(steps, &config).await, [failed("main", &why)]);
    let has = config::Feed { symbols: vec![listed("MSFT")], ..main };
    assert_eq!(set.in_force(&config).await, [has], "the next reload takes only what has failed");
    set.cache.retire(taken.symbol(), taken.tier());
    assert_eq!(set.apply(vec![add("main", "NVDA"), FeedStep::Tell], &config).await, []);
    assert_eq!(set.in_force(&config).await, [new]);
    set.stop().await;
}
