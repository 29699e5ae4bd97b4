//! Feeds that a reload of the file changes, under open streams.

mod churn;
mod demand;
mod many;
mod pairs;
mod standbys;

use crate::support::{
    Answer, Client, PATIENCE,
    certificates::folder,
    running::Running,
    stream::{Event, Stream, Tick},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};
use tickfan::{
    config::{Loader, Overrides},
    feed::Timing,
    gateway::Reloader,
};
use venue_sim::blocking::Venue;

/// A gateway with a file that its test edits.
pub(super) struct Rig {
    file: PathBuf,
    pub(super) gateway: Running,
}

impl Rig {
    pub(super) fn start(name: &str, text: &str) -> Self {
        Self::start_with(name, text, &[])
    }

    fn start_with(name: &str, text: &str, variables: &[(&str, &str)]) -> Self {
        let file = folder(&format!("reload-{name}")).join("tickfan.toml");
        let free = || Some("127.0.0.1:0".parse().unwrap());
        let overrides = Overrides { listen: free(), admin_listen: free(), text: None };
        write(&file, text);
        let variables = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let loader = Loader { file: Some(file.clone()), variables, overrides };
        let config = loader.load().unwrap_or_else(|error| panic!("{error}"));
        // A venue that a test leaves without an answer keeps its feed connecting, also on a busy machine.
        let connect = Duration::from_secs(3_600);
        let timing = Timing { between_connects: Some(Duration::from_millis(1)), connect, ..Timing::default() };
        let gateway = Running::start_reloadable(Reloader::new(config, loader, None), timing);
        Self { file, gateway }
    }

    /// Writes the file and asks for a reload.
    pub(super) fn post(&self, text: &str) -> Answer {
        write(&self.file, text);
        Client::connect(self.gateway.admin).request("POST", "/reload", "content-length: 0\r\n")
    }

    /// The same, which must be applied: what has changed, and what waits for a restart, by feed.
    #[track_caller]
    pub(super) fn reload(&self, text: &str) -> [BTreeMap<String, String>; 2] {
        let answer = self.post(text);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let report = answer.json();
        ["changed", "at_restart"].map(|list| {
            let list = report[list].as_array().unwrap().iter();
            list.map(|change| (text_of(&change["key"]), text_of(&change["to"]))).collect()
        })
    }

    pub(super) fn stream(&self, symbols: &str) -> Watched {
        let mut stream = Stream::open(self.gateway.address, &format!("/v1/stream?symbols={symbols}"));
        stream.named("hello");
        Watched { stream, seqs: BTreeMap::new() }
    }

    pub(super) fn listed(&self) -> Vec<String> {
        let all = Client::connect(self.gateway.address).get("/v1/symbols?limit=1000").json();
        all["symbols"].as_array().unwrap().iter().map(|listed| text_of(&listed["symbol"])).collect()
    }

    pub(super) fn feed(&self, name: &str) -> Option<Value> {
        let all = Client::connect(self.gateway.admin).get("/debug/feeds").json();
        all["feeds"].as_array().unwrap().iter().find(|feed| feed["feed"] == name).cloned()
    }
}

fn write(file: &PathBuf, text: &str) {
    fs::write(file, format!("[server]\ndrain = \"0s\"\n{text}")).unwrap();
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Ends the threads of a test, also where it fails.
pub(super) struct Ends<'a>(pub(super) &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A stream that checks each tick: of each symbol `seq` rises.
pub(super) struct Watched {
    stream: Stream,
    seqs: BTreeMap<String, u64>,
}

impl Watched {
    /// The next tick.
    #[track_caller]
    pub(super) fn tick(&mut self) -> Tick {
        let tick = self.stream.tick();
        let seq = tick.number("seq");
        let before = self.seqs.insert(tick.text("symbol").to_owned(), seq);
        assert!(before.is_none_or(|before| before < seq), "{seq} after {before:?}: {tick:?}");
        tick
    }

    /// Reads until a symbol is so; returns all ticks up to that one.
    #[track_caller]
    pub(super) fn until(&mut self, symbol: &str, state: &str) -> Vec<Tick> {
        let deadline = Instant::now() + PATIENCE;
        let mut ticks = Vec::new();
        loop {
            assert!(Instant::now() < deadline, "{symbol} is never {state}: {:?}", ticks.last());
            let tick = self.tick();
            let is_so = tick.text("symbol") == symbol && tick.text("state") == state;
            ticks.push(tick);
            if is_so {
                return ticks;
            }
        }
    }

    /// Reads until each of these symbols is live.
    fn all_live(&mut self, symbols: &[&str]) {
        for symbol in symbols {
            self.until(symbol, "live");
        }
    }

    /// Reads until each of these symbols has ticked so often.
    pub(super) fn some_of(&mut self, symbols: &[&str], count: usize) -> Vec<Tick> {
        let mut ticks: Vec<Tick> = Vec::new();
        let has = |ticks: &[Tick], symbol: &str| ticks.iter().filter(|tick| tick.text("symbol") == symbol).count();
        while symbols.iter().any(|symbol| has(&ticks, symbol) < count) {
            ticks.push(self.tick());
        }
        ticks
    }
}

/// The states of a symbol in these ticks, without repeats, with their reasons.
fn states(ticks: &[Tick], symbol: &str) -> Vec<String> {
    let own = ticks.iter().filter(|tick| tick.text("symbol") == symbol);
    let mut states: Vec<String> =
        own.map(|tick| format!("{} {}", tick.text("state"), tick.text("reason")).trim().to_owned()).collect();
    states.dedup();
    states
}

/// Whether the ticks of a symbol have no hole.
fn is_whole(ticks: &[Tick], symbol: &str) -> bool {
    let seqs: Vec<u64> =
        ticks.iter().filter(|tick| tick.text("symbol") == symbol).map(|tick| tick.number("seq")).collect();
    seqs.windows(2).all(|pair| pair[1] == pair[0] + 1)
}

/// A simulated feed.
pub(super) fn sim(name: &str, symbols: &str, more: &str) -> String {
    let symbols: Vec<_> = symbols.split_whitespace().map(|symbol| format!("\"{symbol}\"")).collect();
    format!("[[feed]]\nname = \"{name}\"\nvenue = \"sim\"\nsymbols = [{}]\n{more}\n", symbols.join(", "))
}

fn of<const N: usize>(changes: [(&str, &str); N]) -> BTreeMap<String, String> {
    changes.into_iter().map(|(key, to)| (format!("feed.{key}"), to.to_owned())).collect()
}

#[test]
fn symbols_come_and_go_under_open_streams() {
    let other = sim("other", "NVDA", "");
    let rig = Rig::start("list", &format!("{}{other}", sim("main", "AAPL MSFT", "")));
    let mut stream = rig.stream("AAPL,MSFT,NVDA");
    stream.all_live(&["AAPL", "MSFT", "NVDA"]);

    let [changed, at_restart] = rig.reload(&format!("{}{other}", sim("main", "AAPL GOOGL", "")));
    assert_eq!((changed, at_restart), (of([("main", "+GOOGL, -MSFT")]), BTreeMap::new()));
    assert_eq!(rig.listed(), ["AAPL", "GOOGL", "NVDA"]);
    assert_eq!(rig.feed("main").unwrap()["symbols"], 2);
    let mut ticks = stream.until("MSFT", "refused");
    assert_eq!(ticks.last().unwrap().text("reason"), "removed");
    ticks.extend(stream.some_of(&["AAPL", "NVDA"], 20));
    for symbol in ["AAPL", "NVDA"] {
        assert_eq!(states(&ticks, symbol), ["live"], "nothing is torn");
        assert!(is_whole(&ticks, symbol));
    }
    assert_eq!(states(&ticks, "MSFT").last().unwrap(), "refused removed");
    rig.stream("GOOGL").until("GOOGL", "live");

    // What comes back goes on in the streams that still have it.
    let [changed, _] = rig.reload(&format!("{}{other}", sim("main", "MSFT AAPL GOOGL", "")));
    assert_eq!(changed, of([("main", "+MSFT")]));
    let mut ticks = stream.until("MSFT", "live");
    ticks.extend(stream.some_of(&["AAPL", "MSFT"], 10));
    assert_eq!([states(&ticks, "AAPL"), states(&ticks, "NVDA")], [["live"], ["live"]]);
    assert_eq!(states(&ticks, "MSFT").last().unwrap(), "live");
    rig.gateway.stop().unwrap();
}

#[test]
fn a_feed_with_other_settings_restarts_alone_and_its_seq_goes_on() {
    let other = sim("other", "NVDA", "");
    let rig = Rig::start("restart", &format!("{}{other}", sim("main", "AAPL MSFT", "")));
    let mut stream = rig.stream("AAPL,NVDA");
    stream.all_live(&["AAPL", "NVDA"]);
    let [changed, at_restart] =
        rig.reload(&format!("{}{other}", sim("main", "AAPL GOOGL", "rate = 50.0\nmute_after = \"20s\"")));
    assert!(at_restart.is_empty());
    assert_eq!(changed, of([("main", "restarted with `mute_after`, `rate`, +GOOGL, -MSFT")]));
    let mut ticks = stream.until("AAPL", "stale");
    ticks.extend(stream.until("AAPL", "live"));
    ticks.extend(stream.some_of(&["AAPL", "NVDA"], 10));
    // It was live before: `all_live` has read at least one such tick, and perhaps the last one.
    let mut begun = vec!["live".to_owned()];
    begun.extend(states(&ticks, "AAPL").iter().map(|state| state.split(' ').next().unwrap().to_owned()));
    begun.dedup();
    assert_eq!(begun, ["live", "stale", "live"]);
    assert!(is_whole(&ticks, "AAPL") && is_whole(&ticks, "NVDA"));
    assert_eq!(states(&ticks, "NVDA"), ["live"], "nothing else is torn");
    assert_eq!(rig.listed(), ["AAPL", "GOOGL", "NVDA"]);
    assert_eq!(
        rig.reload(&format!("{}{other}", sim("main", "AAPL GOOGL", "rate = 50.0\nmute_after = \"20s\""))),
        [BTreeMap::new(), BTreeMap::new()]
    );
    rig.gateway.stop().unwrap();
}

#[test]
fn a_feed_ends_and_comes_back() {
    let stays = sim("reload-stays", "NVDA", "");
    let rig = Rig::start("ends", &format!("{}{stays}", sim("reload-goes", "AAPL", "")));
    let series = |name: &str| {
        let metrics = Client::connect(rig.gateway.admin).get("/metrics").body;
        metrics.lines().filter(|line| line.contains(&format!("feed=\"{name}\""))).count()
    };
    let mut stream = rig.stream("AAPL,NVDA");
    stream.all_live(&["AAPL", "NVDA"]);
    assert!(series("reload-goes") > 0);
    let [changed, at_restart] = rig.reload(&stays);
    assert_eq!((changed, at_restart), (of([("reload-goes", "removed")]), BTreeMap::new()));
    let mut ticks = stream.until("AAPL", "refused");
    assert_eq!(ticks.last().unwrap().text("reason"), "removed");
    ticks.extend(stream.some_of(&["NVDA"], 10));
    assert_eq!(states(&ticks, "NVDA"), ["live"]);
    assert!(rig.feed("reload-goes").is_none() && rig.listed() == ["NVDA"]);
    assert_eq!(series("reload-goes"), 0, "a feed that is gone is not one that is down");
    assert!(series("reload-stays") > 0);
    assert_eq!(Client::connect(rig.gateway.admin).get("/readyz").status, 200);
    let gone = Client::connect(rig.gateway.address).get("/v1/quotes/AAPL");
    assert_eq!(gone.status, 404, "{}", gone.body);

    let [changed, _] = rig.reload(&format!("{stays}{}", sim("reload-goes", "AAPL MSFT", "")));
    assert_eq!(changed, of([("reload-goes", "added")]));
    let mut ticks = stream.until("AAPL", "live");
    ticks.extend(stream.some_of(&["NVDA"], 10));
    assert_eq!(states(&ticks, "NVDA"), ["live"]);
    rig.stream("AAPL,MSFT").until("MSFT", "live");
    assert_eq!(rig.feed("reload-goes").unwrap()["symbols"], 2);
    assert!(series("reload-goes") > 0);
    let in_force = Client::connect(rig.gateway.admin).get("/debug/config").json();
    let names: Vec<_> = in_force["feeds"].as_array().unwrap().iter().map(|feed| text_of(&feed["name"])).collect();
    assert_eq!(names, ["\"reload-stays\"", "\"reload-goes\""], "the order of the file");
    rig.gateway.stop().unwrap();
}

#[test]
fn a_wrong_file_and_one_whose_changes_wait_change_nothing() {
    let rig = Rig::start("wrong", &format!("{}{}", sim("main", "AAPL MSFT", ""), sim("other", "NVDA", "")));
    let mut stream = rig.stream("AAPL,MSFT,NVDA");
    stream.all_live(&["AAPL", "MSFT", "NVDA"]);
    for (text, said) in [
        (format!("{}{}", sim("main", "AAPL", ""), sim("other", "AAPL", "")), "is listed twice"),
        (format!("{}{}", sim("main", "AAPL", ""), sim("other", "NVDA", "rate = -1.0")), "out of range"),
        (sim("main", "AAPL", "standby_for = \"nothing\""), "no feed has the name"),
    ] {
        let answer = rig.post(&text);
        assert_eq!(answer.status, 422, "{}", answer.body);
        assert!(answer.body.contains(said), "{}", answer.body);
    }
    let moves = format!("{}{}", sim("main", "AAPL", ""), sim("other", "NVDA MSFT", ""));
    let why = "changed: MSFT moves from `main` to `other`";
    for _ in 0..2 {
        let [changed, at_restart] = rig.reload(&moves);
        assert_eq!((changed, at_restart), (BTreeMap::new(), of([("main", why), ("other", why)])));
    }
    let ticks = stream.some_of(&["AAPL", "MSFT", "NVDA"], 20);
    for symbol in ["AAPL", "MSFT", "NVDA"] {
        assert_eq!(states(&ticks, symbol), ["live"]);
        assert!(is_whole(&ticks, symbol));
    }
    assert_eq!(rig.listed(), ["AAPL", "MSFT", "NVDA"]);
    // What does not depend on the move does not wait for it.
    let [changed, at_restart] = rig.reload(&format!("{moves}{}", sim("third", "GOOGL", "")));
    assert_eq!((changed, at_restart.len()), (of([("third", "added")]), 2));
    rig.stream("GOOGL").until("GOOGL", "live");
    rig.gateway.stop().unwrap();
}

/// Clients without a token have the delayed prices alone.
#[test]
fn a_delay_line_follows_the_list_of_its_feed() {
    let late = "delay = \"1s\"\ndelay_step = \"100ms\"";
    let text = |feeds: &[(&str, &str)]| {
        let feeds: String = feeds.iter().map(|(name, symbols)| sim(name, symbols, late)).collect();
        format!("{feeds}[auth]\nmode = \"optional\"\nissuer = \"https://login.example\"\nsecret_env = \"SECRET\"\n")
    };
    let variables = [("SECRET", "a secret of more than thirty-two bytes")];
    let rig = Rig::start_with("delay", &text(&[("main", "AAPL MSFT")]), &variables);
    let shows = |symbol: &str| {
        let mut stream = rig.stream(symbol);
        let ticks = stream.until(symbol, "live");
        assert_eq!(ticks.last().unwrap().number("delay_seconds"), 1, "{symbol}");
        stream
    };
    shows("AAPL");
    let mut leaves = shows("MSFT");
    let [changed, _] = rig.reload(&text(&[("main", "AAPL GOOGL"), ("second", "NVDA")]));
    assert_eq!(changed, of([("main", "+GOOGL, -MSFT"), ("second", "added")]));
    assert_eq!(leaves.until("MSFT", "refused").last().unwrap().text("reason"), "removed");
    let mut ends = ["GOOGL", "NVDA"].map(&shows);
    let [changed, _] = rig.reload(&text(&[("main", "AAPL")]));
    assert_eq!(changed, of([("main", "-GOOGL"), ("second", "removed")]));
    for (stream, symbol) in ends.iter_mut().zip(["GOOGL", "NVDA"]) {
        stream.until(symbol, "refused");
    }
    assert_eq!(rig.listed(), ["AAPL"], "neither a live nor a delayed state is left");
    // All of it is another list.
    let [changed, at_restart] = rig.reload(&text(&[("main", "TSLA AMZN")]));
    assert_eq!((changed, at_restart), (of([("main", "+TSLA, +AMZN, -AAPL")]), BTreeMap::new()));
    assert_eq!(rig.listed(), ["AMZN", "TSLA"]);
    shows("AMZN");
    let [changed, _] = rig.reload(&text(&[("main", "AAPL")]));
    assert_eq!(changed, of([("main", "+AAPL, -TSLA, -AMZN")]));
    shows("AAPL");
    rig.gateway.stop().unwrap();
}

#[test]
fn a_stream_that_ends_meanwhile_ends_by_itself() {
    let rig = Rig::start("ended", &sim("main", "AAPL MSFT", ""));
    let mut stream = rig.stream("MSFT");
    stream.until("MSFT", "live");
    rig.reload(&sim("main", "AAPL", ""));
    stream.until("MSFT", "refused");
    drop(stream);
    // A new stream on it is one on an unknown symbol.
    let mut client = Client::connect(rig.gateway.address);
    assert_eq!(client.get("/v1/stream/MSFT").status, 404);
    let mut both = Stream::open(rig.gateway.address, "/v1/stream?symbols=AAPL,MSFT");
    assert_eq!(both.named("hello")["unknown"], json!(["MSFT"]));
    assert!(matches!(both.next(), Some(Event::Tick(_))));
    rig.gateway.stop().unwrap();
}

#[test]
fn a_new_key_counts_from_the_next_connection_on_and_neither_is_told() {
    let venue = Venue::bind();
    let text = |key: &str| {
        let url = &venue.url;
        format!(
            "[[feed]]\nname = \"stocks\"\nvenue = \"alpaca\"\nurl = \"{url}\"\nsymbols = [\"AAPL\"]\nhours = \"always\"\n\
             key_env = \"{key}\"\nsecret_env = \"SECRET\"\n"
        )
    };
    let variables = [("KEY_A", "PKFIRST"), ("KEY_B", "PKSECOND"), ("SECRET", "hush-hush")];
    let rig = Rig::start_with("key", &text("KEY_A"), &variables);
    let signs_on_with = |key: &str| {
        venue.run(async |venue| {
            let mut connection = venue.accept().await;
            connection.send(r#"[{"T":"success","msg":"connected"}]"#).await;
            let login = connection.text().await;
            assert!(login.contains(key), "{login} is not with {key}");
            connection.send(&format!(r#"[{{"T":"error","code":500,"msg":"internal error of {key}"}}]"#)).await;
            connection
        })
    };
    let first = signs_on_with("PKFIRST");
    let [changed, at_restart] = rig.reload(&text("KEY_B"));
    assert_eq!((changed, at_restart), (of([("stocks", "a new key")]), BTreeMap::new()));
    drop(first);
    drop(signs_on_with("PKSECOND"));
    drop(signs_on_with("PKSECOND"));
    let shown = Client::connect(rig.gateway.admin).get("/debug/feeds").body;
    assert!(shown.contains("(hidden)") && !shown.contains("PKFIRST") && !shown.contains("PKSECOND"), "{shown}");
    rig.gateway.stop().unwrap();
}
