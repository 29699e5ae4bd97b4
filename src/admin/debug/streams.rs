//! `/debug/streams`: the streams that lag the most.

use super::sources::DebugSources;
use crate::{
    cache::WorkerIndex,
    fanout::{CloseReason, Counts, Missed, SlowestStreams, StreamReport},
    market::Now,
};
use serde_json::{Map, Value, json};
use std::{
    cmp::Reverse,
    sync::mpsc::{Receiver, TryRecvError},
    time::{Duration, Instant},
};

/// How long a worker may look at its streams; then it answers with what it has seen.
const LOOK: Duration = Duration::from_millis(500);
/// How much later an answer is still accepted. A worker that is silent until then is named: its turns take far too
/// long.
const ANSWER: Duration = Duration::from_millis(500);

/// How often the answers are looked for. Workers answer over a channel of the standard library, which wakes no task.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// The slowest streams, once the workers have answered or their time is over.
pub(in crate::admin) async fn streams(sources: &DebugSources, limit: usize) -> Value {
    let start = Instant::now();
    let (answers, workers) = sources.workers.ask_slowest(limit, start + LOOK);
    let mut collected = Collected::new(workers);
    collected.receive(answers, limit, start + LOOK + ANSWER).await;
    for worker in &collected.silent {
        collected.counts.add(&sources.workers.counts_of(*worker));
    }
    let Collected { slowest, looked_at, silent, counts } = collected;
    let mut closed = Map::new();
    for (reason, count) in CloseReason::ALL.into_iter().zip(counts.closed) {
        closed.insert(reason.name().to_owned(), count.into());
    }
    json!({
        "now": Now::read().unix.0,
        "totals": {
            "streams": counts.streams,
            "full": counts.full,
            "looked_at": looked_at,
            "workers": workers,
            "workers_without_answer": silent.iter().map(|worker| worker.get()).collect::<Vec<_>>(),
            "opened": counts.opened,
            "closed": closed,
            "ticks": counts.ticks,
            "missed": missed(counts.missed),
            "bytes": counts.bytes,
        },
        "streams": slowest.iter().map(stream).collect::<Vec<_>>(),
    })
}

/// The workers' answers, merged.
struct Collected {
    /// The slowest streams of all workers, the slowest first.
    slowest: Vec<StreamReport>,
    looked_at: usize,
    /// The workers that have not answered.
    silent: Vec<WorkerIndex>,
    /// The sum over those that have.
    counts: Counts,
}

impl Collected {
    fn new(workers: usize) -> Self {
        Self {
            slowest: Vec::new(),
            looked_at: 0,
            silent: WorkerIndex::first(workers).collect(),
            counts: Counts::default(),
        }
    }

    /// Receives answers until all are there or the deadline has passed.
    async fn receive(&mut self, answers: Receiver<SlowestStreams>, limit: usize, deadline: Instant) {
        while !self.silent.is_empty() {
            let answer = answers.try_recv();
            match answer {
                Ok(answer) => self.add(answer),
                Err(TryRecvError::Empty) if Instant::now() < deadline => tokio::time::sleep(LOOK_AGAIN).await,
                Err(_) => break,
            }
        }
        self.slowest.sort_by_key(|stream| Reverse((stream.oldest_unsent, stream.missed.lag + stream.missed.ring)));
        self.slowest.truncate(limit);
    }

    fn add(&mut self, answer: SlowestStreams) {
        self.silent.retain(|worker| *worker != answer.worker);
        self.looked_at += answer.looked_at;
        self.slowest.extend(answer.slowest);
        self.counts.add(&answer.counts);
    }
}

fn stream(stream: &StreamReport) -> Value {
    json!({
        "stream": stream.name.as_str(),
        "client": stream.client.address.to_string(),
        "client_id": stream.client.id(),
        "subject": stream.client.subject(),
        "peer": stream.peer.map(|peer| peer.to_string()),
        "protocol": stream.protocol.name(),
        "compressed": stream.compressed,
        "open_seconds": stream.open_for.as_secs_f64(),
        "oldest_unsent_seconds": stream.oldest_unsent.map(|age| age.as_secs_f64()),
        "full_seconds": stream.full_for.map(|span| span.as_secs_f64()),
        "missed": missed(stream.missed),
        "ticks": stream.ticks,
        "bytes": stream.bytes,
        "symbols_total": stream.symbols_total,
        "symbols": stream.symbols.iter().map(|symbol| symbol.as_str()).collect::<Vec<_>>(),
    })
}

fn missed(missed: Missed) -> Value {
    json!({"lag": missed.lag, "options": missed.options, "ring": missed.ring})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fanout::Protocol, wire::StreamName};
    use std::sync::mpsc;

    fn report(number: u64, oldest_unsent: Option<u64>, lag: u64) -> StreamReport {
        StreamReport {
            name: StreamName::new(number),
            client: std::net::IpAddr::from([127, 0, 0, 1]).into(),
            peer: None,
            protocol: Protocol::Http1,
            compressed: false,
            open_for: Duration::ZERO,
            full_for: None,
            oldest_unsent: oldest_unsent.map(Duration::from_secs),
            missed: Missed { lag, ..Missed::default() },
            ticks: 0,
            bytes: 0,
            symbols_total: 1,
            symbols: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_worker_without_an_answer_is_named_and_the_others_are_merged() {
        let (answers_tx, answers) = mpsc::channel();
        let slowest =
            [vec![report(1, Some(3), 0), report(2, None, 9)], vec![report(3, Some(5), 0), report(4, None, 10)]];
        let worker = |index| WorkerIndex::new(index).unwrap();
        for (worker, slowest) in [0, 2].map(worker).into_iter().zip(slowest) {
            let counts = Counts { ticks: 5, ..Counts::default() };
            answers_tx.send(SlowestStreams { worker, looked_at: 7, slowest, counts }).unwrap();
        }
        // The sender stays open, as a stuck worker's does: only the deadline ends the wait.
        let mut collected = Collected::new(3);
        collected.receive(answers, 3, Instant::now() + Duration::from_millis(10)).await;
        let names: Vec<_> = collected.slowest.iter().map(|stream| stream.name).collect();
        assert_eq!(names, [3, 1, 4].map(StreamName::new));
        assert_eq!((collected.looked_at, collected.silent, collected.counts.ticks), (14, vec![worker(1)], 10));
    }
}
