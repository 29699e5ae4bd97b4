//! What must hold on every stream, checked with each tick that arrives.

use super::venue::{Market, lock};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::RangeInclusive,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

/// What all streams of a test share.
#[derive(Debug)]
pub(crate) struct Ledger {
    market: Arc<Market>,
    /// The longest that a part may be shown as live after the venue has sent it.
    age_max: Duration,
    /// Each tick that any stream was sent, by epoch, symbol and `seq`.
    blocks: Mutex<HashMap<(String, String, u64), String>>,
    faults: Mutex<Vec<String>>,
}

impl Ledger {
    pub(crate) fn new(market: Arc<Market>, age_max: Duration) -> Self {
        Self { market, age_max, blocks: Mutex::default(), faults: Mutex::default() }
    }

    /// What was wrong so far.
    pub(crate) fn faults(&self) -> Vec<String> {
        lock(&self.faults).clone()
    }

    /// How many different ticks any stream was sent.
    pub(crate) fn ticks(&self) -> usize {
        lock(&self.blocks).len()
    }

    fn fault(&self, text: String) {
        let mut faults = lock(&self.faults);
        // The first ones tell most.
        if faults.len() < 20 {
            faults.push(text);
        }
    }
}

/// A stream as its client sees it.
#[derive(Debug)]
pub(crate) struct Watch {
    name: String,
    ledger: Arc<Ledger>,
    epoch: String,
    rows: BTreeMap<String, Row>,
    /// The epochs of the greetings since the last reset.
    pub(crate) hellos: Vec<String>,
    /// The id of the newest tick.
    pub(crate) last_id: String,
    /// Ticks that were skipped between two greetings.
    pub(crate) holes: u64,
    /// Which ticks it was sent, and which it skipped.
    pub(crate) seen: Seen,
    /// Ticks that a resume did not bring.
    pub(crate) not_resumed: u64,
    /// The longest time between two live ticks of a symbol since the last reset.
    pub(crate) silent: Duration,
    /// The oldest part that was shown as live.
    pub(crate) oldest: Duration,
    /// When the stream ended.
    pub(crate) ended: Option<Instant>,
    /// Nothing may be live, however young: no node may own.
    forbids_live: bool,
    resumes: bool,
    pause: Option<Pause>,
}

/// A symbol's numbers in an epoch.
type Line = (String, String);

/// The ticks of a stream, by their numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// What it was sent, as ranges without a hole.
    sent: HashMap<Line, Vec<RangeInclusive<u64>>>,
    /// What it skipped between two greetings.
    skipped: Vec<(Line, RangeInclusive<u64>)>,
}

/// What the streams of one gateway skipped.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Skipped {
    /// Ticks that none of them was sent.
    pub(crate) by_all: u64,
    /// Ticks that another one was sent, by each that skipped them.
    pub(crate) by_some: u64,
}

impl Seen {
    fn add(&mut self, line: Line, before: Option<u64>, seq: u64) {
        if let Some(before) = before.filter(|before| before + 1 < seq) {
            self.skipped.push((line.clone(), before + 1..=seq - 1));
        }
        let sent = self.sent.entry(line).or_default();
        match sent.last_mut() {
            Some(last) if last.end() + 1 == seq => *last = *last.start()..=seq,
            _ => sent.push(seq..=seq),
        }
    }

    fn has(&self, line: &Line, seq: u64) -> bool {
        self.sent.get(line).is_some_and(|sent| sent.iter().any(|range| range.contains(&seq)))
    }

    /// Compares the streams of a gateway. What it lost itself, none of them can have been sent.
    pub(crate) fn compare(streams: &[Self]) -> Skipped {
        let (mut by_all, mut by_some) = (BTreeSet::new(), 0);
        for (line, range) in streams.iter().flat_map(|stream| &stream.skipped) {
            for seq in range.clone() {
                if streams.iter().any(|other| other.has(line, seq)) {
                    by_some += 1;
                } else {
                    by_all.insert((line, seq));
                }
            }
        }
        Skipped { by_all: by_all.len() as u64, by_some }
    }
}

/// A pause of the gateway of a stream.
#[derive(Debug, Clone, Copy)]
struct Pause {
    began: Instant,
    /// `None` as long as it lasts.
    ended: Option<Instant>,
}

/// What the client shows of a symbol.
#[derive(Debug, Default)]
struct Row {
    seq: Option<u64>,
    /// The `seq` before the stream broke off.
    seq_before: Option<u64>,
    /// The numbers that are shown as live.
    live: Vec<u64>,
    /// The newest number that was ever live, and when it came.
    newest: Option<(u64, Instant)>,
    /// The stream was resumed at a node that may know less as yet.
    may_lag: bool,
}

#[derive(Deserialize)]
struct Tick<'a> {
    symbol: &'a str,
    seq: u64,
    state: &'a str,
    price: Option<u64>,
    bid: Option<u64>,
    #[serde(default)]
    stale: Vec<&'a str>,
}

#[derive(Deserialize)]
struct Hello<'a> {
    epoch: &'a str,
    symbols: Vec<&'a str>,
}

impl Watch {
    pub(crate) fn new(name: String, ledger: Arc<Ledger>) -> Self {
        Self {
            name,
            ledger,
            epoch: String::new(),
            rows: BTreeMap::new(),
            hellos: Vec::new(),
            last_id: String::new(),
            holes: 0,
            seen: Seen::default(),
            not_resumed: 0,
            silent: Duration::ZERO,
            oldest: Duration::ZERO,
            ended: None,
            forbids_live: false,
            resumes: false,
            pause: None,
        }
    }

    /// Takes a block of the stream.
    pub(crate) fn on(&mut self, block: &str, at: Instant) {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let data = field("data").unwrap_or_default();
        match field("event") {
            None => self.tick(block, field("id"), data, at),
            Some("hello") => self.hello(data, at),
            Some("bye") => self.ended = Some(at),
            Some(_) => {}
        }
    }

    /// The stream is over.
    pub(crate) fn end(&mut self, at: Instant) {
        self.ended.get_or_insert(at);
        self.look(at);
    }

    /// The client opens another stream with the last id.
    pub(crate) fn resume(&mut self) {
        (self.resumes, self.ended) = (true, None);
        // A client shows nothing as live without a connection.
        for row in self.rows.values_mut() {
            row.live.clear();
            row.may_lag = true;
        }
    }

    /// The gateway of the stream is paused. What it had by then may be shown, or be on its way to the client: that
    /// counts from the end of the pause.
    pub(crate) fn begin_pause(&mut self, at: Instant) {
        self.pause = Some(Pause { began: at, ended: None });
    }

    /// The gateway runs again.
    pub(crate) fn end_pause(&mut self, at: Instant) {
        if let Some(pause) = &mut self.pause {
            pause.ended = Some(at);
        }
    }

    /// From now on nothing may be shown as live, or all that is young.
    pub(crate) fn forbid_live(&mut self, forbids: bool) {
        self.forbids_live = forbids;
    }

    /// A fault begins: what is measured starts over.
    pub(crate) fn reset(&mut self) {
        self.hellos.clear();
        (self.silent, self.oldest) = (Duration::ZERO, Duration::ZERO);
    }

    /// Whether each symbol has been live with a number above this one.
    pub(crate) fn is_live_after(&self, number: u64) -> bool {
        !self.rows.is_empty()
            && self.rows.values().all(|row| row.newest.is_some_and(|(newest, _)| newest > number) && row.is_live())
    }

    /// Whether no symbol is live.
    pub(crate) fn is_stale(&self) -> bool {
        !self.rows.is_empty() && self.rows.values().all(|row| !row.is_live())
    }

    /// Looks at the age of all that is shown.
    pub(crate) fn look(&mut self, at: Instant) {
        let names: Vec<String> = self.rows.keys().cloned().collect();
        names.iter().for_each(|symbol| self.ages(symbol, at));
    }

    fn hello(&mut self, data: &str, at: Instant) {
        let Ok(hello) = serde_json::from_str::<Hello<'_>>(data) else {
            return self.ledger.fault(format!("{}: a greeting that is not valid: {data}", self.name));
        };
        self.look(at);
        let goes_on = self.resumes && hello.epoch == self.epoch;
        self.resumes = false;
        hello.epoch.clone_into(&mut self.epoch);
        self.hellos.push(self.epoch.clone());
        for symbol in hello.symbols {
            let row = self.rows.entry(symbol.to_owned()).or_default();
            row.seq_before = row.seq.take().filter(|_| goes_on);
            // What was shown stays until the tick that follows at once; its age was looked at.
            row.live.clear();
        }
    }

    fn tick(&mut self, block: &str, id: Option<&str>, data: &str, at: Instant) {
        let Ok(tick) = serde_json::from_str::<Tick<'_>>(data) else {
            return self.ledger.fault(format!("{}: a tick that is not valid: {data}", self.name));
        };
        if let Some(id) = id {
            id.clone_into(&mut self.last_id);
        }
        self.ages(tick.symbol, at);
        self.same(block, &tick);
        self.order(&tick);
        let row = self.rows.entry(tick.symbol.to_owned()).or_default();
        row.live.clear();
        if tick.state != "live" {
            return;
        }
        if self.forbids_live {
            self.ledger.fault(format!("{}: live though no node may own: {data}", self.name));
        }
        let parts = [("trade", tick.price), ("quote", tick.bid)];
        row.live.extend(parts.iter().filter(|(part, _)| !tick.stale.contains(part)).filter_map(|(_, number)| *number));
        let shown = row.live.iter().copied().max();
        match (row.newest, shown) {
            (Some((newest, came)), Some(number)) if number > newest => {
                self.silent = self.silent.max(at - came);
                (row.newest, row.may_lag) = (Some((number, at)), false);
            }
            (Some((newest, _)), Some(number)) if number < newest && !row.may_lag => {
                self.ledger.fault(format!("{}: {number} is live after {newest}: {data}", self.name));
            }
            (None, Some(number)) => row.newest = Some((number, at)),
            _ => {}
        }
        self.ages(tick.symbol, at);
    }

    /// The same epoch and `seq` are the same bytes on all streams.
    fn same(&self, block: &str, tick: &Tick<'_>) {
        // A symbol without data has no number.
        if tick.seq == 0 {
            return;
        }
        let key = (self.epoch.clone(), tick.symbol.to_owned(), tick.seq);
        let mut blocks = lock(&self.ledger.blocks);
        let known = blocks.entry(key).or_insert_with(|| block.to_owned());
        if known != block {
            self.ledger.fault(format!("{}: {block:?} was {known:?} elsewhere, in {}", self.name, self.epoch));
        }
    }

    fn order(&mut self, tick: &Tick<'_>) {
        let row = self.rows.entry(tick.symbol.to_owned()).or_default();
        match (row.seq, row.seq_before.take()) {
            (Some(seq), _) if tick.seq <= seq => {
                let text = format!("{}: {} goes from {seq} to {}", self.name, tick.symbol, tick.seq);
                self.ledger.fault(text);
            }
            (Some(seq), _) => {
                self.holes += tick.seq - seq - 1;
                self.seen.add((self.epoch.clone(), tick.symbol.to_owned()), Some(seq), tick.seq);
            }
            (None, before) => {
                self.not_resumed += before.map_or(0, |before| tick.seq.saturating_sub(before + 1));
                self.seen.add((self.epoch.clone(), tick.symbol.to_owned()), None, tick.seq);
            }
        }
        row.seq = Some(tick.seq);
    }

    /// The age at this moment of what a symbol shows as live.
    fn ages(&mut self, symbol: &str, at: Instant) {
        let Some(row) = self.rows.get(symbol) else { return };
        for &number in &row.live {
            let Some(sent) = self.ledger.market.sent(number) else {
                self.ledger.fault(format!("{}: {symbol} shows {number}, which was never sent", self.name));
                continue;
            };
            let since = match self.pause {
                Some(Pause { began, ended }) if sent <= began => ended.unwrap_or(at).max(sent),
                _ => sent,
            };
            let age = at.saturating_duration_since(since);
            self.oldest = self.oldest.max(age);
            if age > self.ledger.age_max {
                self.ledger.fault(format!("{}: {symbol} shows {number} as live, {age:?} old", self.name));
            }
        }
    }
}

impl Row {
    fn is_live(&self) -> bool {
        !self.live.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream of a market that sends a number each second from 100 s ago, and its greeting.
    fn watch(name: &str, ledger: &Arc<Ledger>) -> (Watch, Instant) {
        let mut watch = Watch::new(name.to_owned(), ledger.clone());
        let now = Instant::now();
        watch.on("event: hello\ndata: {\"epoch\":\"a\",\"symbols\":[\"S\"]}\n\n", now);
        (watch, now)
    }

    fn ledger(now: Instant) -> Arc<Ledger> {
        let sent = (0..100).map(|number| now - Duration::from_secs(100 - number)).collect();
        Arc::new(Ledger::new(Arc::new(Market::of_numbers(sent)), Duration::from_millis(2_500)))
    }

    fn tick(seq: u64, state: &str, price: u64) -> String {
        format!("id: a-{seq}\ndata: {{\"symbol\":\"S\",\"seq\":{seq},\"state\":\"{state}\",\"price\":{price}}}\n\n")
    }

    /// What the check says of a stream with these ticks.
    #[track_caller]
    fn check(ticks: &[(u64, &str, u64)], wait: Duration, words: &[&str]) {
        let ledger = ledger(Instant::now());
        let (mut watch, now) = watch("gw/0", &ledger);
        for &(seq, state, price) in ticks {
            watch.on(&tick(seq, state, price), now);
        }
        watch.look(now + wait);
        let faults = ledger.faults().join("\n");
        assert_eq!(faults.is_empty(), words.is_empty(), "{faults}");
        assert!(words.iter().all(|word| faults.contains(word)), "{faults}");
    }

    #[test]
    fn a_stream_that_does_all_right_has_no_faults() {
        check(&[(1, "live", 99), (2, "live", 100), (5, "stale", 100)], Duration::from_secs(60), &[]);
    }

    #[test]
    fn what_is_old_or_was_never_sent_must_not_be_live() {
        check(&[(1, "live", 97)], Duration::ZERO, &["97 as live", "old"]);
        check(&[(1, "live", 100)], Duration::from_secs(2), &["100 as live"]);
        check(&[(1, "stale", 97)], Duration::from_secs(60), &[]);
        check(&[(1, "live", 101)], Duration::ZERO, &["never sent"]);
    }

    #[test]
    fn what_a_paused_gateway_had_counts_from_the_end_of_the_pause() {
        let ledger = ledger(Instant::now());
        let (mut watch, now) = watch("gw/0", &ledger);
        watch.on(&tick(1, "live", 90), now - Duration::from_secs(9));
        watch.begin_pause(now - Duration::from_secs(8));
        watch.end_pause(now - Duration::from_secs(1));
        watch.on(&tick(2, "live", 91), now);
        assert!(ledger.faults().is_empty(), "{:?}", ledger.faults());
        // It came while the gateway was paused.
        watch.on(&tick(3, "live", 95), now);
        assert_eq!(ledger.faults().len(), 1);
    }

    #[test]
    fn nothing_is_live_while_no_node_may_own() {
        let ledger = ledger(Instant::now());
        let (mut watch, now) = watch("gw/0", &ledger);
        watch.on(&tick(1, "live", 99), now);
        watch.forbid_live(true);
        watch.on(&tick(2, "stale", 99), now);
        assert!(ledger.faults().is_empty(), "{:?}", ledger.faults());
        watch.on(&tick(3, "live", 100), now);
        watch.on(&tick(4, "stale", 100), now);
        assert_eq!(ledger.faults().len(), 1, "a flicker");
        watch.forbid_live(false);
        watch.on(&tick(5, "live", 100), now);
        assert_eq!(ledger.faults().len(), 1);
    }

    #[test]
    fn numbers_only_rise() {
        check(&[(2, "live", 99), (2, "live", 100)], Duration::ZERO, &["goes from 2 to 2"]);
        check(&[(1, "live", 100), (2, "live", 99)], Duration::ZERO, &["99 is live after 100"]);
    }

    #[test]
    fn equal_numbers_are_equal_bytes() {
        let ledger = ledger(Instant::now());
        let (mut one, now) = watch("gw-1/0", &ledger);
        let (mut two, _) = watch("gw-2/0", &ledger);
        one.on(&tick(1, "live", 100), now);
        two.on(&tick(1, "live", 100), now);
        assert!(ledger.faults().is_empty());
        one.on(&tick(2, "stale", 100), now);
        two.on(&tick(2, "stale", 99), now);
        assert_eq!(ledger.faults().len(), 1);
    }

    #[test]
    fn what_one_stream_skips_is_told_from_what_its_gateway_lost() {
        let ledger = ledger(Instant::now());
        let streams = [&[1, 2, 5, 6, 9][..], &[1, 2, 5, 8, 9], &[6, 7]].map(|seqs| {
            let (mut watch, now) = watch("gw/0", &ledger);
            seqs.iter().for_each(|&seq| watch.on(&tick(seq, "stale", 100), now));
            watch.seen
        });
        // 3 and 4 reached none of them; 7 and 8 one each, 6 two.
        assert_eq!(Seen::compare(&streams), Skipped { by_all: 2, by_some: 4 });
        assert_eq!(Seen::compare(&streams[..1]), Skipped { by_all: 4, by_some: 0 });
    }

    #[test]
    fn holes_and_what_a_resume_misses_are_counted() {
        let ledger = ledger(Instant::now());
        let (mut watch, now) = watch("gw/0", &ledger);
        watch.on(&tick(1, "live", 99), now);
        watch.on(&tick(4, "live", 100), now);
        assert_eq!((watch.holes, watch.not_resumed), (2, 0));
        watch.end(now);
        watch.resume();
        watch.on("event: hello\ndata: {\"epoch\":\"a\",\"symbols\":[\"S\"]}\n\n", now);
        watch.on(&tick(7, "stale", 100), now);
        assert_eq!((watch.holes, watch.not_resumed), (2, 2));
    }
}
