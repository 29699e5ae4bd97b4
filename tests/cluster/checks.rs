//! What must hold after each step of a simulation.

use std::collections::BTreeMap;
use tickfan::{cluster::token::Token, wire::Epoch};

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    pub(crate) rule: Rule,
    pub(crate) text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// At most one node may publish a shard, unless the store forgets.
    OneOwner,
    /// The tokens that a node takes only rise.
    TokensRise,
    /// Each batch of an epoch is published once, and none is left out.
    BatchesOnce,
    /// Some seconds after the last fault, all nodes follow one owner.
    Agreement,
}

pub(crate) type Checked = Result<(), Violation>;

pub(crate) fn violated(rule: Rule, text: String) -> Checked {
    Err(Violation { rule, text })
}

/// What was published, and what each process took.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    /// By shard and epoch: the last batch.
    batches: BTreeMap<(usize, Epoch), u64>,
    /// By shard and process.
    taken: BTreeMap<(usize, u64), Token>,
}

impl Checks {
    pub(crate) fn published(&mut self, shard: usize, token: Token, batch: u64) -> Checked {
        let last = self.batches.insert((shard, token.epoch), batch).unwrap_or_default();
        if batch == last + 1 {
            return Ok(());
        }
        violated(Rule::BatchesOnce, format!("feed-{shard}.0 publishes batch {batch} of {token:?} behind {last}"))
    }

    pub(crate) fn took(&mut self, shard: usize, life: u64, token: Token) -> Checked {
        match self.taken.insert((shard, life), token) {
            Some(taken) if token < taken => {
                violated(Rule::TokensRise, format!("process {life} takes {token:?} of feed-{shard}.0 after {taken:?}"))
            }
            _ => Ok(()),
        }
    }
}
