//! `/debug/streams`, `/debug/symbols`, `/debug/feeds`: what is slow, hot or stale right now, as JSON for people and
//! `tickfan top`. Sorted, the worst first, and cut to `?limit=`.

use super::states::{by_state, state_label};
use crate::{
    cache::{Cache, SymbolState, WorkerIndex},
    fanout::{CloseReason, Counts, Missed, SlowestStreams, StreamReport},
    feed::{FeedCounts, FeedReport, FeedState, FeedStatus, Note},
    market::{Now, UnixMicros},
    telemetry::labels::{Label, Tally},
};
use serde_json::{Map, Value, json};
use std::{
    cmp::Reverse,
    sync::{Arc, mpsc::Receiver},
    time::{Duration, Instant},
};

/// How many entries a list has unless the operator says.
pub(super) const LISTED: usize = 20;
/// How many at most: a page that a person can still search.
pub(super) const LISTED_MAX: usize = 1_000;
/// How long a worker may look at its streams; then it answers with what it has seen.
const LOOK: Duration = Duration::from_millis(500);
/// How much later an answer is still taken. A worker that is silent until then is named: its turns take far too long.
const ANSWER: Duration = Duration::from_millis(500);
/// Over how long the ticks of each symbol are counted for its rate.
const RATE_SPAN: Duration = Duration::from_millis(500);

/// Asks the workers for so many of their slowest streams, as far as they have looked by then; returns where the answers
/// come, and how many workers were asked.
pub type AskWorkers = Arc<dyn Fn(usize, Instant) -> (Receiver<SlowestStreams>, usize) + Send + Sync>;

/// What operators may look into.
#[derive(Clone)]
pub struct DebugSources {
    /// All symbols.
    pub cache: Arc<Cache>,
    /// The feeds, in the order of the configuration, with their venues and symbols.
    pub feeds: Arc<[DebugFeed]>,
    /// The workers' streams.
    pub ask_workers: AskWorkers,
    /// What a worker has counted, a second ago at most: for one that does not answer.
    pub counts: Arc<dyn Fn(WorkerIndex) -> Counts + Send + Sync>,
}

/// A feed that operators may look into.
pub struct DebugFeed {
    /// Its name.
    pub name: Arc<str>,
    /// The name of its venue.
    pub venue: &'static str,
    /// How it is doing.
    pub status: FeedStatus,
    /// Its symbols.
    pub symbols: Vec<Arc<SymbolState>>,
}

/// The slowest streams. It blocks until the workers have answered, or their time is over.
pub(super) fn streams(inside: &DebugSources, limit: usize) -> Value {
    let start = Instant::now();
    let (answers, workers) = (inside.ask_workers)(limit, start + LOOK);
    let (slowest, looked_at, silent, mut counts) = collect(&answers, workers, limit, start + LOOK + ANSWER);
    silent.iter().for_each(|worker| counts.add(&(inside.counts)(*worker)));
    let closed =
        CloseReason::ALL.into_iter().zip(counts.closed).map(|(why, count)| (why.name().to_owned(), count.into()));
    json!({
        "now": Now::read().unix.0,
        "totals": {
            "streams": counts.streams,
            "full": counts.full,
            "looked_at": looked_at,
            "workers": workers,
            "workers_without_answer": silent.iter().map(|worker| worker.get()).collect::<Vec<_>>(),
            "opened": counts.opened,
            "closed": closed.collect::<Map<_, _>>(),
            "ticks": counts.ticks,
            "missed": missed(counts.missed),
            "bytes": counts.bytes,
        },
        "streams": slowest.iter().map(stream).collect::<Vec<_>>(),
    })
}

/// Takes the workers' answers until all are there or the deadline has passed; returns the slowest of all, how many
/// streams were looked at, which workers did not answer, and what the others have counted.
fn collect(
    answers: &Receiver<SlowestStreams>,
    workers: usize,
    limit: usize,
    deadline: Instant,
) -> (Vec<StreamReport>, usize, Vec<WorkerIndex>, Counts) {
    let mut slowest = Vec::new();
    let mut looked_at = 0;
    let mut silent: Vec<WorkerIndex> = WorkerIndex::first(workers).collect();
    let mut counts = Counts::default();
    while !silent.is_empty()
        && let Ok(answer) = answers.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    {
        silent.retain(|worker| *worker != answer.worker);
        looked_at += answer.looked_at;
        slowest.extend(answer.slowest);
        counts.add(&answer.counts);
    }
    slowest.sort_by_key(|stream| Reverse((stream.oldest_unsent, stream.missed.lag + stream.missed.ring)));
    slowest.truncate(limit);
    (slowest, looked_at, silent, counts)
}

fn stream(stream: &StreamReport) -> Value {
    json!({
        "stream": stream.name.as_str(),
        "peer": stream.peer.map(|peer| peer.to_string()),
        "open_seconds": stream.open_for.as_secs_f64(),
        "oldest_unsent_seconds": stream.oldest_unsent.map(|age| age.as_secs_f64()),
        "full_seconds": stream.full_for.map(|span| span.as_secs_f64()),
        "missed": missed(stream.missed),
        "bytes": stream.bytes,
        "symbols_total": stream.symbols_total,
        "symbols": stream.symbols.iter().map(|symbol| symbol.as_str()).collect::<Vec<_>>(),
    })
}

fn missed(missed: Missed) -> Value {
    json!({"lag": missed.lag, "options": missed.options, "ring": missed.ring})
}

/// The symbols with the most ticks a second, and those whose last update is the oldest. It blocks while ticks are counted.
pub(super) fn symbols(inside: &DebugSources, limit: usize) -> Value {
    let symbols: Vec<_> = inside.feeds.iter().flat_map(|feed| &feed.symbols).collect();
    let before: Vec<u64> = symbols.iter().map(|symbol| symbol.newest().seq).collect();
    let start = Instant::now();
    std::thread::sleep(RATE_SPAN);
    let seconds = start.elapsed().as_secs_f64();
    let mut looks: Vec<_> = symbols.iter().zip(before).map(|(symbol, before)| Look::new(symbol, before)).collect();
    let ticks: u64 = looks.iter().map(|look| look.ticks).sum();
    looks.sort_by_key(|look| Reverse(look.ticks));
    let hottest: Vec<_> = looks.iter().take(limit).map(|look| look.show(seconds)).collect();
    // One that never had an update is waiting, not stale: the totals count it.
    looks.retain(|look| look.recv.is_some());
    looks.sort_by_key(|look| look.recv);
    let stalest: Vec<_> = looks.iter().take(limit).map(|look| look.show(seconds)).collect();
    json!({
        "now": Now::read().unix.0,
        "totals": {
            "symbols": symbols.len(),
            "states": states(symbols),
            "ticks_per_second": ticks as f64 / seconds,
            "frames_encoded": inside.cache.frames_encoded(),
        },
        "hottest": hottest,
        "stalest": stalest,
    })
}

/// A symbol at two moments.
struct Look<'a> {
    state: &'a SymbolState,
    seq: u64,
    ticks: u64,
    recv: Option<UnixMicros>,
    is: &'static str,
}

impl<'a> Look<'a> {
    fn new(state: &'a SymbolState, before: u64) -> Self {
        let newest = state.newest();
        let snapshot = &newest.snapshot;
        Self { state, seq: newest.seq, ticks: newest.seq - before, recv: snapshot.recv, is: state_label(snapshot) }
    }

    fn show(&self, seconds: f64) -> Value {
        json!({
            "symbol": self.state.symbol().as_str(),
            "feed": &*self.state.feed(),
            "state": self.is,
            "seq": self.seq,
            "ticks_per_second": self.ticks as f64 / seconds,
            "recv": self.recv.map(|recv| recv.0),
            "ring": self.state.ring_len(),
        })
    }
}

/// Feeds by what they want of an operator: a quiet one does as it should, and may stand behind those that work.
const WORST_FIRST: [FeedState; 4] = [FeedState::Failed, FeedState::Connecting, FeedState::Live, FeedState::Quiet];

/// The feeds, the worst first, those of the same state in the order of the configuration.
pub(super) fn feeds(inside: &DebugSources, limit: usize) -> Value {
    let mut reports: Vec<_> = inside.feeds.iter().map(|feed| (feed, feed.status.report())).collect();
    reports.sort_by_key(|(_, report)| WORST_FIRST.iter().position(|state| *state == report.state));
    let in_state = |state: FeedState| reports.iter().filter(|(_, report)| report.state == state).count();
    let states = WORST_FIRST.into_iter().map(|state| (state.name().to_owned(), in_state(state).into()));
    json!({
        "now": Now::read().unix.0,
        "totals": {"feeds": inside.feeds.len(), "states": states.collect::<Map<_, _>>()},
        "feeds": reports.iter().take(limit).map(|(about, report)| feed(about, report)).collect::<Vec<_>>(),
    })
}

fn feed(feed: &DebugFeed, report: &FeedReport) -> Value {
    let FeedCounts { connects, disconnects, messages, decode_errors, at } = &report.counts;
    json!({
        "feed": &*feed.name,
        "venue": feed.venue,
        "url": report.url,
        "state": report.state.name(),
        "since": report.since.0,
        "reason": report.reason,
        "last_message": report.last_message.map(|at| at.0),
        "symbols": feed.symbols.len(),
        "symbol_states": states(&feed.symbols),
        "counters": {
            "connects": tallied(connects),
            "losses": tallied(disconnects),
            "messages": tallied(messages),
            "decode_errors": tallied(decode_errors),
            "at": at.0,
        },
        "last_messages": report.messages.iter().map(note).collect::<Vec<_>>(),
        "last_troubles": report.troubles.iter().map(note).collect::<Vec<_>>(),
    })
}

fn note(note: &Note) -> Value {
    let shown = json!({"at": note.at.0, "text": note.text});
    if note.what.is_empty() { shown } else { json!({"at": note.at.0, "what": note.what, "text": note.text}) }
}

/// What was counted, without zeros.
fn tallied<L: Label>(tally: &Tally<L>) -> Value {
    let counted = L::ALL.iter().map(|label| (label.label().to_owned(), tally.of(*label)));
    Value::Object(counted.filter(|(_, count)| *count > 0).map(|(label, count)| (label, count.into())).collect())
}

/// How many symbols are in each state, without zeros.
fn states<'a>(symbols: impl IntoIterator<Item = &'a Arc<SymbolState>>) -> Value {
    let counted = by_state(symbols).into_iter().filter(|(_, count)| *count > 0);
    Value::Object(counted.map(|(name, count)| (name.to_owned(), count.into())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::StreamName;
    use std::sync::mpsc;

    fn report(number: u64, oldest_unsent: Option<u64>, lag: u64) -> StreamReport {
        StreamReport {
            name: StreamName::new(number),
            peer: None,
            open_for: Duration::ZERO,
            full_for: None,
            oldest_unsent: oldest_unsent.map(Duration::from_secs),
            missed: Missed { lag, ..Missed::default() },
            bytes: 0,
            symbols_total: 1,
            symbols: Vec::new(),
        }
    }

    #[test]
    fn a_worker_without_an_answer_is_named_and_the_others_are_merged() {
        let (answers_tx, answers) = mpsc::channel();
        let slowest =
            [vec![report(1, Some(3), 0), report(2, None, 9)], vec![report(3, Some(5), 0), report(4, None, 10)]];
        let worker = |index| WorkerIndex::new(index).unwrap();
        for (worker, slowest) in [0, 2].map(worker).into_iter().zip(slowest) {
            let counts = Counts { ticks: 5, ..Counts::default() };
            answers_tx.send(SlowestStreams { worker, looked_at: 7, slowest, counts }).unwrap();
        }
        // The sender lives on, as that of a stuck worker does: only the deadline ends it.
        let (slowest, looked_at, silent, counts) = collect(&answers, 3, 3, Instant::now() + Duration::from_millis(10));
        let names: Vec<_> = slowest.iter().map(|stream| stream.name).collect();
        assert_eq!(names, [3, 1, 4].map(StreamName::new));
        assert_eq!((looked_at, silent, counts.ticks), (14, vec![worker(1)], 10));
    }
}
