//! What must hold after each step of a simulation.

use crate::shelf::{Record, SentTick};
use std::collections::{BTreeMap, HashMap, hash_map::Entry};
use tickfan::{
    cluster::{
        message::{Kind, Message},
        token::Token,
    },
    wire::Epoch,
};

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) rule: Rule,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// 1: at most one node may publish a shard, unless the store forgets.
    OneOwner,
    /// 2: the tokens that a node takes only rise.
    TokensRise,
    /// 3 and 7: the same epoch and number is the same tick, and the same batch, everywhere.
    SameTick,
    /// 7: a successor goes on behind the last batch of the owner before.
    Succession,
    /// 4: between two hellos a symbol's number only rises.
    SeqRises,
    /// 5: what is shown as live is not old.
    Age,
    /// 6: a resume misses nothing that the ring holds.
    Resume,
    /// 8: some seconds after the last fault, all nodes follow one owner and are live.
    Agreement,
    /// 9: buffers have limits.
    Limits,
}

pub(crate) type Checked = Result<(), Violation>;

pub(crate) fn violated(rule: Rule, text: String) -> Checked {
    Err(Violation { rule, text })
}

/// What was published, and what each process took.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// By shard and epoch: the highest batch that was published, and the term.
    batches: BTreeMap<(usize, Epoch), (u64, u64)>,
    /// The bytes of each batch.
    bytes: HashMap<(usize, Epoch, u64), u32>,
    /// By shard and epoch: the last batch that was sealed.
    sealed: BTreeMap<(usize, Epoch), u64>,
    /// By shard and process.
    taken: BTreeMap<(usize, u64), Token>,
    /// The ticks of owners, by shard, epoch, symbol and number.
    ticks: HashMap<(usize, Epoch, usize, u64), Record>,
    /// What streams were sent, by shard, epoch of the hello, symbol and number.
    sent: HashMap<(usize, Epoch, usize, u64), SentTick>,
}

impl Checks {
    /// A batch of an owner, which is not a beat. All of an epoch's batches are published in order, each once; a hole is
    /// what was skipped while the connection was down.
    pub(crate) fn published(&mut self, shard: usize, bytes: &[u8]) -> Checked {
        let head = Message::open(bytes).expect("an owner writes messages").head;
        if !matches!(head.kind, Kind::Batch | Kind::Opening) {
            return Ok(());
        }
        let of = self.batches.entry((shard, head.token.epoch)).or_default();
        if head.batch <= of.0 {
            return violated(Rule::SameTick, format!("feed-{shard}.0: batch {} of {:?} again", head.batch, head.token));
        }
        *of = (head.batch, head.token.term);
        self.batch(shard, head.token.epoch, head.batch, bytes)
    }

    /// A batch that was published, or answers an ask.
    fn batch(&mut self, shard: usize, epoch: Epoch, batch: u64, bytes: &[u8]) -> Checked {
        let crc = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        match self.bytes.entry((shard, epoch, batch)) {
            Entry::Occupied(known) if *known.get() != crc => {
                violated(Rule::SameTick, format!("feed-{shard}.0: another batch {batch} of {epoch}"))
            }
            Entry::Occupied(_) => Ok(()),
            Entry::Vacant(place) => {
                place.insert(crc);
                Ok(())
            }
        }
    }

    /// The last batch of an owner.
    pub(crate) fn sealed(&mut self, shard: usize, epoch: Epoch, batch: u64) {
        let last = self.sealed.entry((shard, epoch)).or_default();
        *last = (*last).max(batch);
    }

    /// An owner begins behind this batch of the epoch; its first one is the next.
    pub(crate) fn succeeded(&mut self, shard: usize, epoch: Epoch, last: u64) -> Checked {
        let sealed = self.sealed.get(&(shard, epoch)).copied().unwrap_or_default();
        if sealed == last {
            return Ok(());
        }
        violated(Rule::Succession, format!("feed-{shard}.0 goes on behind {last} of {epoch}, whose last was {sealed}"))
    }

    pub(crate) fn took(&mut self, shard: usize, life: u64, token: Token) -> Checked {
        match self.taken.insert((shard, life), token) {
            Some(taken) if token < taken => {
                violated(Rule::TokensRise, format!("process {life} takes {token:?} of feed-{shard}.0 after {taken:?}"))
            }
            _ => Ok(()),
        }
    }

    /// A tick that a node has, as its owner numbered it.
    pub(crate) fn record(&mut self, shard: usize, record: Record) -> Checked {
        let key = (shard, record.epoch, record.symbol, record.seq);
        let known = *self.ticks.entry(key).or_insert(record);
        if known == record {
            return Ok(());
        }
        violated(Rule::SameTick, format!("feed-{shard}.0: {record:?} is elsewhere {known:?}"))
    }

    /// A tick that a stream was sent under this epoch.
    pub(crate) fn sent(&mut self, shard: usize, epoch: Epoch, tick: SentTick) -> Checked {
        let known = *self.sent.entry((shard, epoch, tick.symbol, tick.seq)).or_insert(tick);
        if known == tick {
            return Ok(());
        }
        violated(Rule::SameTick, format!("feed-{shard}.0: a stream was sent {tick:?}, another {known:?}"))
    }

    /// Whether each batch of the token's epoch was published, the last of them under it.
    pub(crate) fn is_whole(&self, shard: usize, token: Token) -> bool {
        let (last, term) = self.batches.get(&(shard, token.epoch)).copied().unwrap_or_default();
        term == token.term && (1..=last).all(|batch| self.bytes.contains_key(&(shard, token.epoch, batch)))
    }
}
