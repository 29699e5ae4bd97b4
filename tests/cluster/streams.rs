//! The clients' side: what a stream was sent, and whether that could be.

use crate::{
    checks::{Checked, Checks, Rule, violated},
    market::SYMBOLS,
    shelf::{Sent, Shelf},
};
use std::collections::BTreeMap;
use tickfan::wire::Epoch;

/// A client that has one stream of all of a shard's symbols, and comes back to any node.
#[derive(Debug, Default)]
pub(crate) struct Client {
    pub(crate) shard: usize,
    /// Where its stream is open, and in which process.
    pub(crate) at: Option<(usize, u64)>,
    hello: Option<Epoch>,
    /// The epoch of the first id since the hello.
    first_id: Option<Epoch>,
    /// The last number of each symbol since the hello.
    seqs: BTreeMap<usize, u64>,
    /// The id of the last event.
    pub(crate) last: Option<(Epoch, u64)>,
    /// For each symbol the newest of the owner's ticks that it has had.
    had: [Option<(Epoch, u64)>; SYMBOLS.len()],
    /// How many ticks were replayed to it.
    pub(crate) replayed: usize,
    /// How often it resumed behind an id of an epoch whose hello it had not had: from a node that was cut off while the
    /// epoch began.
    pub(crate) resumed_before_hello: usize,
}

impl Client {
    pub(crate) fn new(shard: usize) -> Self {
        Self { shard, ..Self::default() }
    }

    pub(crate) fn take(&mut self, event: Sent, checks: &mut Checks) -> Checked {
        let tick = match event {
            Sent::Hello(epoch) => {
                (self.hello, self.first_id) = (Some(epoch), None);
                self.seqs.clear();
                return Ok(());
            }
            Sent::Tick(tick) => tick,
        };
        let epoch = self.hello.expect("a stream begins with hello");
        let before = self.seqs.insert(tick.symbol, tick.seq);
        if before.is_some_and(|before| tick.seq <= before) {
            return violated(Rule::SeqRises, format!("{tick:?} of {epoch} came after {before:?}"));
        }
        self.last = Some(tick.id);
        self.first_id.get_or_insert(tick.id.0);
        let had = &mut self.had[tick.symbol];
        if had.is_none_or(|(epoch, seq)| epoch != tick.id.0 || seq < tick.owners) {
            *had = Some((tick.id.0, tick.owners));
        }
        checks.sent(self.shard, epoch, tick)
    }

    /// Opens its stream on a node, behind the last event that it had.
    pub(crate) fn join(&mut self, machine: usize, life: u64, shelf: &Shelf, checks: &mut Checks) -> Checked {
        let had = self.had;
        if self.last.is_some_and(|(epoch, _)| self.first_id.is_some_and(|first| first != epoch)) {
            self.resumed_before_hello += 1;
        }
        self.at = Some((machine, life));
        let events = shelf.join(self.last);
        for (symbol, had) in had.iter().enumerate() {
            let Some((epoch, seq)) = *had else { continue };
            let came = |seq| {
                let is_it = |event: &Sent| {
                    matches!(event, Sent::Tick(tick)
                        if tick.symbol == symbol && tick.id.0 == epoch && tick.owners == seq)
                };
                events.iter().any(is_it)
            };
            let mut next = seq + 1;
            while shelf.holds(symbol, epoch, next) {
                if !came(next) {
                    let text = format!("a resume at gw-{machine} behind {:?} misses {next} of {symbol}", self.last);
                    return violated(Rule::Resume, text);
                }
                self.replayed += 1;
                next += 1;
            }
        }
        events.into_iter().try_for_each(|event| self.take(event, checks))
    }
}
