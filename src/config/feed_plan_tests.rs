//! Plans of a reload: a table of edits, and random files.

use super::*;
use crate::{
    config::{DelayLine, FeedTier, Loader, OnDemand, Overrides, Standby},
    market::FailoverLimits,
    venue::{self, Credentials, Secret},
};
use proptest::{collection::vec, prelude::*};
use std::time::Duration;

fn listed(symbols: &str) -> Vec<ListedSymbol> {
    symbols.split_whitespace().map(|symbol| symbol.parse::<Symbol>().unwrap().into()).collect()
}

pub(super) fn feed(name: &str, symbols: &str) -> Feed {
    let url = Some(format!("wss://{name}.example"));
    Feed { name: name.to_owned(), url, ..Feed::new(venue::find("binance").unwrap(), listed(symbols)) }
}

pub(super) fn standby(name: &str, primary: &str, symbols: &str) -> Feed {
    let limits = FailoverLimits { age: Duration::from_secs(1), failback_after: Duration::from_secs(1) };
    Feed { standby: Some(Standby { primary: primary.to_owned(), limits }), ..feed(name, symbols) }
}

/// The steps in one line.
fn line(steps: &[FeedStep]) -> String {
    let names = |symbols: &[Symbol]| symbols.iter().map(Symbol::as_str).collect::<Vec<_>>().join(" ");
    let line = |step: &FeedStep| match step {
        FeedStep::End(name) => format!("end {name}"),
        FeedStep::Remove { feed, symbols } => format!("{feed} -{}", names(symbols)),
        FeedStep::Restart(feed) => format!("restart {}", feed.name),
        FeedStep::Rekey(feed) => format!("rekey {}", feed.name),
        FeedStep::Failover(feed) => format!("limits of {}", feed.name),
        FeedStep::Add { feed, symbols } => {
            format!("{feed} +{}", names(&symbols.iter().map(|listed| listed.symbol.clone()).collect::<Vec<_>>()))
        }
        FeedStep::Tell => "tell".to_owned(),
        FeedStep::Start(feed) => format!("start {}", feed.name),
    };
    steps.iter().map(line).collect::<Vec<_>>().join(", ")
}

#[track_caller]
pub(super) fn check(running: &[Feed], loaded: &[Feed], steps: &str, at_restart: &str) -> FeedPlan {
    let plan = plan(running, loaded);
    let waits = plan.at_restart.iter().map(|change| format!("{} {}", change.key, change.to)).collect::<Vec<_>>();
    assert_eq!((line(&plan.steps).as_str(), waits.join("; ").as_str()), (steps, at_restart));
    assert_eq!(without_order(&apply(running, &plan.steps)), without_order(&plan.feeds));
    plan
}

/// The feeds after these steps.
fn apply(running: &[Feed], steps: &[FeedStep]) -> Vec<Feed> {
    let mut feeds = running.to_vec();
    for step in steps {
        let place = |feeds: &[Feed], name: &str| feeds.iter().position(|feed| feed.name == name).unwrap();
        match step {
            FeedStep::End(name) => _ = feeds.remove(place(&feeds, name)),
            FeedStep::Remove { feed, symbols } => {
                let place = place(&feeds, feed);
                let before = feeds[place].symbols.len();
                feeds[place].symbols.retain(|listed| !symbols.contains(&listed.symbol));
                assert_eq!(feeds[place].symbols.len() + symbols.len(), before, "{feed} has all that it removes");
            }
            FeedStep::Restart(feed) | FeedStep::Rekey(feed) | FeedStep::Failover(feed) => {
                let place = place(&feeds, &feed.name);
                let list = if matches!(step, FeedStep::Restart(_)) { &feed.symbols } else { &feeds[place].symbols };
                feeds[place] = Feed { symbols: list.clone(), ..feed.clone() };
            }
            FeedStep::Add { feed, symbols } => {
                let place = place(&feeds, feed);
                feeds[place].symbols.extend(symbols.iter().cloned());
            }
            FeedStep::Tell => {}
            FeedStep::Start(feed) => {
                assert!(feeds.iter().all(|other| other.name != feed.name), "{} runs already", feed.name);
                feeds.push(feed.clone());
            }
        }
        let places = owners(&feeds);
        let count: usize = feeds
            .iter()
            .filter(|feed| feed.standby.is_none())
            .map(|feed| feed.symbols.len() * feed.tier.tiers().len())
            .sum();
        assert_eq!(places.len(), count, "a symbol has one feed after {step:?}");
        for feed in &feeds {
            let Some(standby) = &feed.standby else { continue };
            let primary = find(&feeds, &standby.primary).expect("a standby has its primary");
            let lists = |own: &ListedSymbol| primary.symbols.iter().any(|listed| listed.symbol == own.symbol);
            assert!(feed.symbols.iter().all(lists), "{} has symbols of its primary after {step:?}", feed.name);
        }
    }
    feeds
}

/// Feeds by name, with sorted symbols, at their venues' names, and without variables' names.
fn without_order(feeds: &[Feed]) -> Vec<Feed> {
    let mut feeds = feeds.to_vec();
    for feed in &mut feeds {
        for listed in &mut feed.symbols {
            listed.venue_name = listed.venue_name.take().or_else(|| (feed.venue.derive)(&listed.symbol));
        }
        feed.symbols.sort_by(|one, other| one.symbol.cmp(&other.symbol));
    }
    feeds.sort_by(|one, other| one.name.cmp(&other.name));
    feeds
}

#[test]
fn a_living_feed_gets_another_list_or_key_and_others_restart() {
    let running = [feed("a", "BTC-USDT ETH-USDT SOL-USDT"), feed("b", "XRP-USDT")];
    let [a, b] = &running;
    check(&running, &running, "", "");
    let reordered = feed("a", "SOL-USDT BTC-USDT ETH-USDT");
    let plan = check(&running, &[b.clone(), reordered], "", "");
    assert!(plan.changed.is_empty());
    assert_eq!(plan.feeds[0].name, "b", "the order is that of the file");

    let other = feed("a", "BTC-USDT ADA-USDT SOL-USDT");
    let plan = check(&running, &[other, b.clone()], "a -ETH-USDT, a +ADA-USDT, tell", "");
    assert_eq!((plan.changed[0].key.as_str(), plan.changed[0].to.as_str()), ("feed.a", "+ADA-USDT, -ETH-USDT"));

    let mut named = a.clone();
    named.symbols[1].venue_name = Some("ETHUSDT".to_owned());
    check(&running, &[named.clone(), b.clone()], "", "");
    named.symbols[1].venue_name = Some("ETHUSDC".to_owned());
    check(&running, &[named, b.clone()], "a -ETH-USDT, a +ETH-USDT, tell", "");

    let key = |key: &str| Some(Credentials { key: Secret::new(key), secret: None });
    let rekeyed = Feed { credentials: key("1"), key_env: Some("K".to_owned()), ..a.clone() };
    let plan = check(&running, &[rekeyed.clone(), b.clone()], "rekey a", "");
    assert_eq!(plan.changed[0].to, "a new key");
    let other = Feed { credentials: key("2"), symbols: listed("BTC-USDT SOL-USDT"), ..rekeyed.clone() };
    check(&[rekeyed], &[other], "a -ETH-USDT, tell, rekey a", "");

    let restarted = Feed { mute_after: Some(Duration::from_secs(7)), ..feed("b", "XRP-USDT ADA-USDT") };
    let plan = check(&running, &[restarted, a.clone()], "restart b", "");
    assert_eq!(plan.changed[0].to, "restarted with `mute_after`, +ADA-USDT");
    let other = Feed { url: Some("wss://other.example/?key=1".to_owned()), ..b.clone() };
    let secret = Feed { url: Some("wss://other.example/?key=2".to_owned()), ..b.clone() };
    let plan = check(&[other], &[secret], "restart b", "");
    assert_eq!(plan.changed[0].to, "restarted", "a part of an address that may be a secret is not shown");

    let plan = check(&running, &[b.clone(), feed("c", "ADA-USDT")], "end a, start c", "");
    let said: Vec<_> = plan.changed.iter().map(|change| change.to.as_str()).collect();
    assert_eq!(said, ["removed", "added"]);
}

/// The end of a feed may take seconds where its venue hangs.
#[test]
fn lists_do_not_wait_for_feeds_that_end_or_restart() {
    let slow = |symbols: &str| Feed { mute_after: Some(Duration::from_secs(7)), ..feed("b", symbols) };
    let running = [feed("a", "A B"), feed("b", "C D"), feed("c", "E"), feed("p", "F G"), standby("s", "p", "G")];
    let loaded = [feed("a", "B X"), slow("D Y"), feed("d", "Z"), feed("p", "F H")];
    let steps = "a -A, a +X, tell, end s, end c, b -C, p -G, restart b, p +H, tell, start d";
    check(&running, &loaded, steps, "");
    // Where all of them would be too many at a time, some have to leave first.
    let many = |from: usize, count: usize| {
        let names: Vec<String> = (from..from + count).map(|number| format!("A{number}-USDT")).collect();
        names.join(" ")
    };
    let half = SYMBOLS_MAX / 2;
    let running = [feed("a", &many(0, half)), feed("b", &many(half, half))];
    let more =
        Feed { symbols: running[0].symbols.iter().cloned().chain(listed("X Y")).collect(), ..running[0].clone() };
    let plan = plan(&running, &[more, slow("C")]);
    let order: Vec<_> = plan.steps.iter().map(|step| step.feed().unwrap_or("all")).collect();
    assert_eq!(order, ["b", "b", "a", "all"]);
}

#[test]
fn a_long_list_of_changes_is_told_as_a_count() {
    let many: Vec<String> = (0..9).map(|number| format!("A{number}-USDT")).collect();
    let plan = plan(&[feed("a", "BTC-USDT")], &[feed("a", &format!("BTC-USDT {}", many.join(" ")))]);
    assert_eq!(plan.changed[0].to, "+A0-USDT, +A1-USDT, +A2-USDT, +A3-USDT, +A4-USDT, +4 more");
}

#[test]
fn a_list_that_opens_a_connection_waits_for_those_that_end() {
    let of_connection = venue::find("binance").unwrap().symbols_per_connection;
    let listing = |count: usize| feed("a", &(0..count).map(|number| format!("S{number} ")).collect::<String>());
    let other = feed("b", "X");
    for (from, to, expected) in [
        (of_connection - 1, of_connection, "a +{}, tell, end b"),
        (of_connection, of_connection + 1, "end b, a +{}, tell"),
    ] {
        let plan = plan(&[listing(from), other.clone()], &[listing(to)]);
        assert_eq!(line(&plan.steps), expected.replace("{}", &format!("S{from}")));
    }
}

#[test]
fn what_cannot_change_at_once_waits_with_what_depends_on_it() {
    let running =
        [feed("a", "BTC-USDT ETH-USDT"), standby("s", "a", "ETH-USDT"), feed("b", "SOL-USDT"), feed("c", "ADA-USDT")];
    let [a, s, b, c] = &running;
    // A symbol moves: both feeds keep all that they have. Others change.
    let moved = [feed("a", "ETH-USDT"), s.clone(), feed("b", "SOL-USDT BTC-USDT"), feed("c", "ADA-USDT XRP-USDT")];
    let why = "BTC-USDT moves from `a` to `b`";
    let plan = check(&running, &moved, "c +XRP-USDT, tell", &format!("feed.a changed: {why}; feed.b changed: {why}"));
    assert_eq!(plan.feeds[..3], running[..3]);
    let renamed = [Feed { name: "d".to_owned(), ..a.clone() }, b.clone(), c.clone()];
    let why = "BTC-USDT moves from `a` to `d`";
    let waits = format!("feed.a removed: {why}; feed.s removed: `a` waits; feed.d added: {why}");
    check(&running, &renamed, "", &waits);
    let with = |tier| [Feed { tier, ..a.clone() }, s.clone(), b.clone(), c.clone()];
    let line = DelayLine { delay: Duration::from_secs(9), step: Duration::from_secs(1) };
    check(&running, &with(FeedTier::LiveAndDelayed(line)), "", "feed.a changed: the delay changes");
    let late = FeedTier::Delayed { by: Duration::from_secs(9) };
    check(
        &running,
        &[Feed { tier: late, ..b.clone() }, a.clone(), s.clone(), c.clone()],
        "",
        "feed.b changed: `tier` changes",
    );
    let delayed = Feed { tier: late, ..feed("late", "BTC-USDT") };
    check(&running, &[a.clone(), s.clone(), b.clone(), c.clone(), delayed], "start late", "");
}

#[test]
fn a_feed_on_demand_gets_another_key_and_waits_with_all_else() {
    let on_demand =
        |symbols_max| OnDemand { patterns: vec!["*".parse().unwrap()], symbols_max, linger: Duration::from_secs(9) };
    let any = Feed { on_demand: Some(on_demand(9)), ..feed("any", "") };
    let key = Some(Credentials { key: Secret::new("1"), secret: None });
    let rekeyed = Feed { credentials: key.clone(), ..any.clone() };
    let running = [any.clone()];
    check(&running, std::slice::from_ref(&rekeyed), "rekey any", "");
    let why = "a feed on demand changes";
    for other in [
        Feed { on_demand: Some(on_demand(8)), credentials: key, ..any.clone() },
        Feed { mute_after: Some(Duration::from_secs(9)), ..any.clone() },
    ] {
        check(&running, &[other], "", &format!("feed.any changed: {why}"));
    }
    check(&running, &[], "", &format!("feed.any removed: {why}"));
    check(&[], &running, "", &format!("feed.any added: {why}"));
}

#[test]
fn rule_10_feeds_that_wait_count_with_those_that_would_come() {
    let running: Vec<_> =
        (0..FEEDS_MAX).map(|number| feed(&format!("f{number}"), &format!("A{number}-USDT"))).collect();
    let mut loaded = running.clone();
    // Two feeds become one of another name, and one is added: while the two wait, that is one too many.
    let last = loaded.split_off(FEEDS_MAX - 2);
    loaded.push(feed("all", &format!("{} {}", last[0].symbols[0].symbol, last[1].symbols[0].symbol)));
    loaded.push(feed("new", "BTC-USDT"));
    let plan = plan(&running, &loaded);
    assert!(plan.steps.is_empty() && plan.changed.is_empty() && plan.feeds == running);
    assert_eq!(plan.at_restart.len(), 4);
    assert!(plan.at_restart[3].to.contains("too many"), "{:?}", plan.at_restart);
}

#[test]
fn each_key_applies_as_the_documentation_says() {
    let load = |more: &str| {
        let text = format!("[[feed]]\nname = \"a\"\nvenue = \"binance\"\nsymbols = [\"BTC-USDT\"]\n{more}\n");
        let overrides = Overrides { text: Some(text), ..Overrides::default() };
        Loader { overrides, ..Loader::default() }.load().unwrap_or_else(|error| panic!("{error}")).feeds
    };
    let running = load("");
    for (more, steps, at_restart) in [
        ("", "", ""),
        ("connections_max = 3", "restart a", ""),
        ("hours = \"us-equities\"", "restart a", ""),
        ("mute_after = \"9s\"", "restart a", ""),
        ("part_mute_after = \"1m\"", "restart a", ""),
        ("rotate_at = \"05:00 UTC\"", "restart a", ""),
        ("proxy = \"http://proxy.example.com:3128\"", "restart a", ""),
        ("delay = \"15m\"", "", "feed.a changed: the delay changes"),
    ] {
        check(&running, &load(more), steps, at_restart);
    }
}

/// A valid file: which feed each symbol is of, which symbols have a standby, and settings.
#[derive(Debug, Clone)]
struct File {
    owner: Vec<usize>,
    standby: Vec<bool>,
    mute_after: Vec<u64>,
    key: Vec<u8>,
    delayed: Vec<bool>,
}

const FEEDS: usize = 4;
const SYMBOLS: usize = 12;

fn file() -> impl Strategy<Value = File> {
    let owner = vec(prop_oneof![3 => 0..FEEDS, 1 => Just(FEEDS)], SYMBOLS);
    let settings = (vec(1_u64..3, 2 * FEEDS), vec(0_u8..2, 2 * FEEDS), vec(prop::bool::weighted(0.1), FEEDS));
    (owner, vec(any::<bool>(), SYMBOLS), settings).prop_map(|(owner, standby, (mute_after, key, delayed))| File {
        owner,
        standby,
        mute_after,
        key,
        delayed,
    })
}

impl File {
    fn feeds(&self) -> Vec<Feed> {
        let symbol = |number: usize| format!("A{number}-USDT");
        let mut feeds = Vec::new();
        for place in 0..FEEDS {
            let own: Vec<usize> = (0..SYMBOLS).filter(|number| self.owner[*number] == place).collect();
            if own.is_empty() {
                continue;
            }
            let settings = |place: usize, feed: Feed| Feed {
                mute_after: Some(Duration::from_secs(self.mute_after[place])),
                credentials: Some(Credentials { key: Secret::new(self.key[place].to_string()), secret: None }),
                ..feed
            };
            let names = |list: &[usize]| list.iter().map(|number| symbol(*number)).collect::<Vec<_>>().join(" ");
            let stood_in: Vec<usize> = own.iter().copied().filter(|number| self.standby[*number]).collect();
            let late = FeedTier::Delayed { by: Duration::from_secs(9) };
            let tier = if self.delayed[place] { late } else { FeedTier::Live };
            if !stood_in.is_empty() && tier == FeedTier::Live {
                let name = format!("s{place}");
                feeds.push(settings(FEEDS + place, standby(&name, &format!("p{place}"), &names(&stood_in))));
            }
            feeds.push(Feed { tier, ..settings(place, feed(&format!("p{place}"), &names(&own))) });
        }
        feeds
    }
}

proptest! {
    #[test]
    fn a_plan_leads_to_its_feeds_and_tears_nothing_that_stays(one in file(), other in file()) {
        let [running, loaded] = [one.feeds(), other.feeds()];
        let plan = plan(&running, &loaded);
        prop_assert_eq!(without_order(&apply(&running, &plan.steps)), without_order(&plan.feeds));
        let waits = |name: &str| plan.at_restart.iter().any(|change| change.key == format!("feed.{name}"));
        for feed in &plan.feeds {
            let source = if waits(&feed.name) { &running } else { &loaded };
            prop_assert!(source.contains(feed), "{} is as one of the files has it", feed.name);
        }
        for step in &plan.steps {
            match step {
                FeedStep::End(name) => {
                    let stays = running.iter().find(|feed| feed.name == *name).is_some_and(|feed| plan.feeds.contains(feed));
                    prop_assert!(!stays, "{name} ends for nothing");
                }
                FeedStep::Restart(feed) => {
                    let old = running.iter().find(|old| old.name == feed.name).unwrap();
                    prop_assert!(old.mute_after != feed.mute_after, "{} restarts for nothing", feed.name);
                }
                _ => {}
            }
        }
        // The same file again changes nothing more.
        let again = super::plan(&plan.feeds, &loaded);
        prop_assert!(again.steps.is_empty() && again.changed.is_empty(), "{:?}", again);
        // If no symbol moves and no tier changes, nothing waits.
        let free = super::waiting(&running, &loaded).is_empty();
        prop_assert!(!free || plan.at_restart.is_empty());
    }
}
