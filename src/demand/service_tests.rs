use super::*;
use crate::{
    cache::{RingLimits, SymbolId, WorkerIndex, WorkerMask},
    config,
    market::{Origin, Parts, State as Shown},
    venue,
    wire::Epoch,
};
use std::{
    collections::{HashSet, VecDeque},
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};
use tokio::sync::mpsc;

const LINGER: Duration = Duration::from_secs(10);
const PER_MINUTE: usize = 1_000_000;

type Changes = mpsc::Receiver<Vec<ListChange<Arc<SymbolState>>>>;

struct Fixture {
    cache: Arc<Cache>,
    on_demand: OnDemand,
    changes: Changes,
    now: Now,
}

impl Fixture {
    fn new(symbols_max: usize) -> Self {
        let cache = Arc::new(Cache::new(Epoch::new(1), RingLimits { count: 4, age: Duration::from_secs(1) }));
        let now = Now::read();
        cache.register(name(0), "listed".into(), Origin::Sim, now).unwrap();
        let settings = config::OnDemand { patterns: vec!["S*".parse().unwrap()], symbols_max, linger: LINGER };
        let feed = config::Feed { on_demand: Some(settings), ..config::Feed::new(venue::DEFAULT, Vec::new()) };
        let (changes_tx, changes) = mpsc::channel(4);
        let feed = DemandFeed::new(&feed, changes_tx).unwrap();
        let on_demand = OnDemand::new(cache.clone(), vec![feed]).unwrap();
        Self { cache, on_demand, changes, now }
    }

    fn ask(&self, by: u32, numbers: impl IntoIterator<Item = usize>) -> (Vec<Option<Arc<SymbolState>>>, DemandLease) {
        let names: Vec<Symbol> = numbers.into_iter().map(name).collect();
        self.on_demand.ask(&names, IpAddr::V4(Ipv4Addr::from_bits(by)).into(), PER_MINUTE, self.now)
    }

    /// For a stream of one symbol.
    fn ask_one(&self, by: u32, number: usize) -> (Arc<SymbolState>, DemandLease) {
        let (mut states, lease) = self.ask(by, [number]);
        (states.remove(0).unwrap(), lease)
    }

    fn pass(&mut self, by: Duration) {
        self.now = self.now.after(by);
        self.on_demand.sweep(self.now);
    }

    /// What the feed was told, as a feed carries it out.
    fn told(&mut self) -> String {
        let mut told = Vec::new();
        while let Ok(changes) = self.changes.try_recv() {
            for change in changes {
                told.push(match change {
                    ListChange::Add { symbol, target } => {
                        assert_eq!(symbol.symbol, *target.symbol());
                        target.readmit(self.now);
                        format!("+{}", symbol.symbol)
                    }
                    ListChange::Remove(symbol) => format!("-{symbol}"),
                });
            }
        }
        told.join(" ")
    }

    fn count(&self) -> usize {
        self.on_demand.usage(venue::DEFAULT.name).unwrap().symbols
    }
}

fn name(number: usize) -> Symbol {
    format!("S{number}").parse().unwrap()
}

fn worker() -> WorkerMask {
    WorkerMask::only(WorkerIndex::new(0).unwrap())
}

fn join(state: &SymbolState) {
    state.join(worker(), Parts::ALL, &mut VecDeque::new());
}

fn shown(state: &SymbolState) -> (Shown, Option<Reason>) {
    let snapshot = state.newest().snapshot;
    (snapshot.state(), snapshot.not_live_since().map(|(_, reason)| reason))
}

#[test]
fn the_first_stream_subscribes_and_the_last_one_drops_after_it_has_lingered() {
    let mut fixture = Fixture::new(8);
    let (states, first) = fixture.ask(1, [1, 0, 2]);
    let [one, listed, two] = &states[..] else { panic!("three") };
    assert_eq!(&*listed.as_ref().unwrap().feed(), "listed", "a feed that lists it comes first");
    let [one, two] = [one, two].map(|state| state.clone().unwrap());
    assert_eq!((shown(&one), two.symbol()), ((Shown::Waiting, Some(Reason::NoData)), &name(2)));
    assert_eq!(fixture.told(), "+S1 +S2");
    let (shared, second) = fixture.ask_one(2, 1);
    assert!(Arc::ptr_eq(&shared, &one), "the second stream shares it");
    drop(first);
    fixture.pass(Duration::from_secs(1));
    fixture.pass(LINGER);
    assert_eq!((fixture.told(), fixture.count()), ("-S2".to_owned(), 1), "a stream has the other one");
    drop(second);
    fixture.pass(Duration::from_secs(1));
    fixture.pass(LINGER - Duration::from_secs(1));
    drop(fixture.ask_one(3, 1));
    fixture.pass(Duration::from_secs(9));
    assert_eq!((fixture.told(), fixture.count()), (String::new(), 1), "another one asked for it");
    fixture.pass(LINGER);
    assert_eq!((fixture.told(), fixture.count()), ("-S1".to_owned(), 0));
    assert!(fixture.cache.get(&name(1)).is_none() && fixture.cache.get(&name(2)).is_none());
}

#[test]
fn a_state_that_was_found_before_it_was_dropped_is_subscribed_again() {
    let mut fixture = Fixture::new(8);
    let (found, lease) = fixture.ask_one(1, 1);
    drop(lease);
    fixture.pass(Duration::from_secs(1));
    fixture.pass(LINGER);
    assert_eq!(fixture.told(), "+S1 -S1");
    found.remove(Reason::Removed, fixture.now); // as its connection does
    let (again, _lease) = fixture.ask_one(1, 1);
    assert!(Arc::ptr_eq(&found, &again));
    assert_eq!((fixture.told(), fixture.count()), ("+S1".to_owned(), 1));
    assert_eq!(shown(&again), (Shown::Waiting, Some(Reason::NoData)));
}

#[test]
fn rule_10_a_name_too_many_is_refused_and_an_address_pushes_no_other_out() {
    let mut fixture = Fixture::new(8);
    let refused = |states: &[Option<Arc<SymbolState>>]| {
        let of_limit = |state: &&Arc<SymbolState>| shown(state) == (Shown::Refused, Some(Reason::Limit));
        states.iter().flatten().filter(of_limit).count()
    };
    let (greedy, lease) = fixture.ask(1, 1..=20);
    assert_eq!((fixture.count(), refused(&greedy)), (2, 2), "a quarter, and so many are told");
    assert_eq!(greedy.iter().filter(|state| state.is_none()).count(), 16, "the others are unknown");
    let others: Vec<_> = (2..5).map(|by| fixture.ask(by, [by as usize * 100, by as usize * 100 + 1])).collect();
    assert!(others.iter().all(|(states, _)| refused(states) == 0));
    assert_eq!(fixture.count(), 8);
    let (states, _full) = fixture.ask(9, [900]);
    assert_eq!(refused(&states), 1);
    let (states, _joins) = fixture.ask(9, [1, 2, 200]);
    assert_eq!(refused(&states), 1, "what others have is there, but no more than its share");
    drop((greedy, lease, others));
    fixture.pass(Duration::from_secs(1));
    fixture.pass(LINGER);
    assert_eq!(fixture.count(), 2, "it keeps its own");
    let lists = &fixture.on_demand.lock().lists[0];
    assert!(lists.orphans_of.len() == 1, "what the others were told is forgotten");
}

#[test]
fn a_name_that_the_venue_has_refused_is_not_asked_for_again_soon() {
    let mut fixture = Fixture::new(8);
    let refused = |fixture: &mut Fixture, names: &[(usize, Reason)]| {
        let mut leases = Vec::new();
        for &(number, reason) in names {
            let (state, first) = fixture.ask_one(1, number);
            fixture.told();
            state.set_refused(Some(reason), fixture.now);
            let (shared, second) = fixture.ask_one(2, number);
            assert!(Arc::ptr_eq(&shared, &state), "as long as the feed has it, its own state says so");
            leases.push((first, second));
        }
        drop(leases);
        fixture.pass(Duration::from_secs(1));
        fixture.pass(LINGER);
        fixture.told();
        assert_eq!(fixture.count(), 0, "the feed has given them up");
    };
    refused(&mut fixture, &[(1, Reason::NotGranted), (2, Reason::NotEntitled)]);
    for by in 1..4 {
        let (states, _lease) = fixture.ask(by, [1, 2, 3]);
        let states: Vec<_> = states.into_iter().map(Option::unwrap).collect();
        let told: Vec<_> = states.iter().map(|state| shown(state)).collect();
        let by_venue = |reason| (Shown::Refused, Some(reason));
        let waiting = (Shown::Waiting, Some(Reason::NoData));
        assert_eq!(told, [by_venue(Reason::NotGranted), by_venue(Reason::NotEntitled), waiting]);
        assert_eq!(fixture.count(), 1, "it takes no place");
    }
    assert_eq!(fixture.told(), "+S3", "nor does the venue see it");
    fixture.pass(Duration::from_secs(1));
    fixture.pass(LINGER);
    fixture.told();
    assert_eq!(shown(&fixture.ask_one(4, 1).0).0, Shown::Waiting);
    assert_eq!(fixture.told(), "+S1", "it may have come to the venue since");
    // That the key is refused, or the account has no room, says nothing of the name.
    for (number, reason) in [(5, Reason::Unauthorized), (6, Reason::SymbolLimit)] {
        fixture.pass(Duration::from_secs(1));
        fixture.pass(LINGER);
        fixture.told();
        refused(&mut fixture, &[(number, reason)]);
        assert_eq!(shown(&fixture.ask_one(2, number).0).0, Shown::Waiting, "{reason:?}");
    }
}

/// A name that has no room is told so, whatever was said of it before.
#[test]
fn a_refused_name_is_told_the_reason_that_holds_now() {
    let mut fixture = Fixture::new(4);
    let (_state, _lease) = fixture.ask_one(1, 1);
    let (limited, _) = fixture.ask_one(1, 2);
    assert_eq!(shown(&limited), (Shown::Refused, Some(Reason::Limit)));
    let (asked, lease) = fixture.ask_one(2, 2);
    asked.set_refused(Some(Reason::NotGranted), fixture.now);
    drop(lease);
    fixture.pass(Duration::from_secs(1));
    fixture.pass(LINGER);
    assert_eq!(shown(&fixture.ask_one(2, 2).0), (Shown::Refused, Some(Reason::NotGranted)));
    assert_eq!(shown(&limited), (Shown::Refused, Some(Reason::Limit)), "the stream that has it keeps it");
}

#[test]
fn rule_10_a_feed_that_takes_no_changes_gets_no_more_names() {
    let mut fixture = Fixture::new(100);
    for by in 0..100 {
        assert_eq!(shown(&fixture.ask_one(by, 1 + by as usize).0).0, Shown::Waiting);
    }
    let pending = |fixture: &Fixture| fixture.on_demand.lock().lists[0].pending.len();
    assert_eq!(pending(&fixture), 96, "what the channel has no room for");
    fixture.pass(Duration::from_secs(1));
    fixture.pass(LINGER);
    assert_eq!((fixture.count(), pending(&fixture)), (0, 196));
    assert_eq!(shown(&fixture.ask_one(1, 999).0).0, Shown::Refused);
    assert_eq!(fixture.told().split_whitespace().count(), 4);
    fixture.pass(Duration::from_secs(1));
    assert_eq!((fixture.told().split_whitespace().count(), pending(&fixture)), (196, 0));
    assert_eq!(shown(&fixture.ask_one(1, 998).0).0, Shown::Waiting);
}

#[test]
fn a_symbol_that_a_feed_lists_from_now_on_leaves_the_streams_that_have_it_on_demand() {
    let mut fixture = Fixture::new(8);
    let (states, lease) = fixture.ask(1, [1, 2]);
    assert_eq!(fixture.told(), "+S1 +S2");
    let own = states[0].clone().unwrap();
    let names = [name(1), name(3)];
    let register = || fixture.cache.register(name(1), "lists-it".into(), Origin::Sim, fixture.now);
    let listed = fixture.on_demand.give_way(names.iter(), fixture.now, register).unwrap();
    assert!(!Arc::ptr_eq(&listed, &own), "a state of its own: the connections of both feeds live on");
    assert_eq!((fixture.told(), fixture.count()), ("-S1".to_owned(), 1));
    let (again, other) = fixture.ask(2, [1]);
    assert!(Arc::ptr_eq(again[0].as_ref().unwrap(), &listed));
    // Neither stream has a part in it.
    drop((lease, other));
    fixture.pass(Duration::from_secs(1));
    fixture.pass(LINGER);
    assert_eq!((fixture.told(), fixture.count()), ("-S2".to_owned(), 0));
    assert!(fixture.cache.get(&name(1)).is_some());
}

#[test]
fn a_feed_that_cannot_list_its_symbols_takes_none_from_the_streams_that_have_them() {
    let mut fixture = Fixture::new(8);
    let (states, _lease) = fixture.ask(1, [1, 2]);
    assert_eq!(fixture.told(), "+S1 +S2");
    let taken = fixture.cache.register(name(3), "third".into(), Origin::Sim, fixture.now).unwrap();
    let names = [name(1), name(3)];
    let (cache, now) = (fixture.cache.clone(), fixture.now);
    let register = || cache.register(name(1), "lists-it".into(), Origin::Sim, now);
    let refused = fixture.on_demand.give_way(names.iter(), now, register).err();
    assert_eq!(refused.map(|error| error.to_string()), Some(RegisterError::Twice(name(3)).to_string()));
    assert_eq!((fixture.told(), fixture.count()), (String::new(), 2));
    assert!(Arc::ptr_eq(states[0].as_ref().unwrap(), &fixture.cache.get(&name(1)).unwrap()));
    fixture.cache.retire(taken.symbol(), taken.tier());
    assert!(fixture.on_demand.give_way(names.iter(), now, register).is_ok());
    assert_eq!((fixture.told(), fixture.count()), ("-S1".to_owned(), 1));
}

#[test]
fn names_that_no_venue_has_are_not_asked_for() {
    let fixture = Fixture::new(8);
    assert!(fixture.on_demand.covers(&name(1)) && !fixture.on_demand.covers(&"AAPL".parse().unwrap()));
    assert!(fixture.on_demand.has(venue::DEFAULT.name) && !fixture.on_demand.has("listed"));
    assert_eq!(fixture.on_demand.usage("listed"), None);
    let (none, _) =
        fixture.on_demand.ask(&["AAPL".parse().unwrap()], IpAddr::V4(Ipv4Addr::LOCALHOST).into(), 9, fixture.now);
    assert!(none[0].is_none());
}

/// Where a venue's name has no separator, one symbol is meant by it.
#[test]
fn a_name_that_means_another_symbol_is_not_asked_for() {
    for (venue, meant, others) in [
        ("binance", "BTC-USDT X-FDUSD ETH-BTC", "BT-CUSDT BTCUSDT B-TCUSDT XFD-USD -BTCUSDT BTC-XYZ"),
        ("binance-usdm", "BTC-USDT-PERP ETH-BTC-PERP", "BT-CUSDT-PERP BTCUSDT-PERP"),
        ("bitstamp", "DOT-USD BTC-EUR", "DO-TUSD DOTU-SD"),
        ("bybit-spot", "BTC-USDT", "BTCUSDT BTCU-SDT"),
        ("bybit-linear", "BTC-USDT-PERP", ""),
        ("kraken", "BTC-USD XYZ-ABC", ""),
        ("okx", "BTC-USDT-PERP BTC-USDT", ""),
    ] {
        let spec = venue::find(venue).unwrap_or_else(|| panic!("{venue}"));
        let is_meant = |symbol: &str| symbol.parse().is_ok_and(|symbol| spec.is_canonical(&symbol));
        assert!(meant.split_whitespace().all(is_meant), "{venue}: {meant}");
        assert!(!others.split_whitespace().any(is_meant), "{venue}: {others}");
    }
}

/// A hundred thousand names through a limit of a thousand: nothing grows.
#[test]
fn rule_10_names_that_come_and_go_leave_nothing_behind() {
    const LIMIT: usize = 1_000;
    let mut fixture = Fixture::new(LIMIT);
    let mut ids: HashSet<SymbolId> = HashSet::new();
    let mut subscribed: HashSet<String> = HashSet::new();
    let mut highest = 0;
    for round in 0..400_u32 {
        let numbers = (0..250).map(|place| 1 + place + 250 * round as usize);
        let (states, lease) = fixture.ask(round, numbers);
        let states: Vec<_> = states.into_iter().map(Option::unwrap).collect();
        for state in &states {
            assert_eq!(shown(state).0, Shown::Waiting);
            join(state);
            let seq = state.newest().seq;
            assert!(seq >= highest, "rule 1: {seq} after {highest}");
            highest = seq;
            ids.insert(state.id());
            let trade = crate::market::TradeUpdate::default();
            state.publish(&crate::market::Update { trade: Some(trade), ..Default::default() }, fixture.now);
        }
        states.iter().for_each(|state| state.leave(worker(), Parts::ALL, fixture.now));
        drop((states, lease));
        fixture.pass(LINGER / 2);
        for change in fixture.told().split_whitespace() {
            let (add, name) = change.split_at(1);
            assert!(if add == "+" { subscribed.insert(name.to_owned()) } else { subscribed.remove(name) });
        }
        assert_eq!(subscribed.len(), fixture.count());
    }
    let most = ids.iter().map(|id| id.index()).max().unwrap();
    assert!(most <= LIMIT, "{most} is the highest of {} ids", ids.len());
    fixture.pass(LINGER);
    assert_eq!((fixture.count(), fixture.cache.len()), (0, 1), "and the one that is listed");
    fixture.told();
    let lists = &fixture.on_demand.lock().lists[0];
    assert!(lists.orphans.is_empty() && lists.pending.is_empty());
    assert!(fixture.on_demand.released.lock().unwrap().is_empty());
}
