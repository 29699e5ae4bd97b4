//! Steps of a reload at feeds with delay lines, which may not take a change.

use super::*;
use crate::gateway::delay::Asked;

const LINE: config::DelayLine = config::DelayLine { delay: Duration::from_secs(9), step: Duration::from_secs(1) };
const REFUSED: &str = "the delay lines do not take the change";

fn with_line(name: &str, symbols: &[&str]) -> config::Feed {
    let symbols = symbols.iter().map(|symbol| listed(symbol)).collect();
    config::Feed { tier: config::FeedTier::LiveAndDelayed(LINE), symbols, ..feed(name, "AAPL") }
}

fn with_feeds(feeds: &[config::Feed]) -> Config {
    Config { feeds: feeds.to_vec(), ..Config::default() }
}

/// A set with this feed, which runs with its delay line.
async fn set_with(feed: &config::Feed) -> FeedSet {
    let set = set();
    assert_eq!(set.apply(vec![FeedStep::Start(feed.clone())], &with_feeds(std::slice::from_ref(feed))).await, []);
    set
}

/// From now on the lines take no changes, until what it returns is put back.
fn deafen(set: &FeedSet) -> mpsc::Sender<Asked> {
    set.replace_way_to_delay(mpsc::channel(1).0)
}

/// Whether a symbol has a live state and a delayed one.
fn states_of(set: &FeedSet, symbol: &str) -> [bool; 2] {
    let symbol = symbol.parse().unwrap();
    [set.cache.get(&symbol).is_some(), set.cache.delayed(&symbol).is_some()]
}

#[tokio::test]
async fn a_delay_line_follows_a_list_that_is_replaced() {
    let main = with_line("main", &["AAPL"]);
    let set = set_with(&main).await;
    assert_eq!(["AAPL", "MSFT"].map(|symbol| states_of(&set, symbol)), [[true; 2], [false; 2]]);
    let remove = FeedStep::Remove { feed: "main".to_owned(), symbols: vec!["AAPL".parse().unwrap()] };
    let config = with_feeds(&[with_line("main", &["MSFT"])]);
    assert_eq!(set.apply(vec![remove, add("main", "MSFT"), FeedStep::Tell], &config).await, []);
    assert_eq!(["AAPL", "MSFT"].map(|symbol| states_of(&set, symbol)), [[false; 2], [true; 2]]);
    set.stop().await;
}

#[tokio::test]
async fn a_symbol_that_the_delay_line_does_not_leave_is_removed_and_may_come_back() {
    let main = with_line("main", &["AAPL", "MSFT"]);
    let set = set_with(&main).await;
    let late = set.cache.delayed(&"AAPL".parse().unwrap()).unwrap();
    let hears = deafen(&set);
    let [without, with] =
        [vec!["MSFT"], vec!["MSFT", "AAPL"]].map(|symbols| with_feeds(&[with_line("main", &symbols)]));
    let remove = FeedStep::Remove { feed: "main".to_owned(), symbols: vec!["AAPL".parse().unwrap()] };
    assert_eq!(set.apply(vec![remove, FeedStep::Tell], &without).await, [], "it is as in the file");
    assert_eq!(set.in_force(&without).await, without.feeds);
    assert_eq!((states_of(&set, "AAPL"), late.newest().snapshot.state()), ([false; 2], Shown::Refused));
    set.replace_way_to_delay(hears);
    assert_eq!(set.apply(vec![add("main", "AAPL"), FeedStep::Tell], &with).await, []);
    assert_eq!((states_of(&set, "AAPL"), set.in_force(&with).await), ([true; 2], with.feeds));
    set.stop().await;
}

#[tokio::test]
async fn a_symbol_that_the_delay_line_does_not_follow_is_not_added_and_the_next_reload_tries_again() {
    let main = with_line("main", &["AAPL"]);
    let set = set_with(&main).await;
    let config = with_feeds(&[with_line("main", &["AAPL", "MSFT"])]);
    let steps = || vec![add("main", "MSFT"), FeedStep::Tell];
    let hears = deafen(&set);
    assert_eq!(set.apply(steps(), &config).await, [failed("main", REFUSED)]);
    assert_eq!((states_of(&set, "MSFT"), set.in_force(&config).await), ([false; 2], vec![main]));
    assert_eq!(states_of(&set, "AAPL"), [true; 2], "what it has stays");
    set.replace_way_to_delay(hears);
    assert_eq!(set.apply(steps(), &config).await, []);
    assert_eq!((states_of(&set, "MSFT"), set.in_force(&config).await), ([true; 2], config.feeds));
    set.stop().await;
}

#[tokio::test]
async fn a_feed_whose_delay_line_does_not_start_is_as_if_it_had_ended() {
    let main = with_line("main", &["AAPL"]);
    let set = set_with(&main).await;
    let config = with_feeds(&[main.clone(), with_line("second", &["NVDA", "TSLA"])]);
    let start = || vec![FeedStep::Start(config.feeds[1].clone())];
    let hears = deafen(&set);
    assert_eq!(set.apply(start(), &config).await, [failed("second", REFUSED)]);
    assert_eq!(["NVDA", "TSLA"].map(|symbol| states_of(&set, symbol)), [[false; 2]; 2]);
    assert_eq!(set.in_force(&config).await, [main]);
    set.replace_way_to_delay(hears);
    assert_eq!(set.apply(start(), &config).await, []);
    assert_eq!((states_of(&set, "NVDA"), set.in_force(&config).await), ([true; 2], config.feeds));
    set.stop().await;
}

#[tokio::test]
async fn a_feed_that_restarts_with_symbols_that_the_delay_line_does_not_follow_ends_and_starts_again() {
    let main = with_line("main", &["AAPL"]);
    let set = set_with(&main).await;
    let held = state_of(&set, "AAPL");
    let new = config::Feed { mute_after: Some(Duration::from_secs(9)), ..with_line("main", &["AAPL", "MSFT"]) };
    let config = with_feeds(std::slice::from_ref(&new));
    let hears = deafen(&set);
    assert_eq!(set.apply(vec![FeedStep::Restart(new.clone())], &config).await, [failed("main", REFUSED)]);
    assert_eq!(["AAPL", "MSFT"].map(|symbol| states_of(&set, symbol)), [[false; 2]; 2]);
    assert_eq!(held.newest().snapshot.state(), Shown::Refused, "its streams are told");
    assert_eq!(set.in_force(&config).await, []);
    set.replace_way_to_delay(hears);
    assert_eq!(set.apply(vec![FeedStep::Start(new)], &config).await, []);
    assert_eq!((states_of(&set, "MSFT"), set.in_force(&config).await), ([true; 2], config.feeds));
    set.stop().await;
}
