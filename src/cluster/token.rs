//! Who owns a shard: a token, which orders all owners that there ever are.

use crate::wire::Epoch;

/// The token of a shard's owner. Of two owners the one with the higher token counts, on every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// Counts the shard's owners, from 1.
    pub term: u64,
    /// The epoch of its sequence numbers. It decides only if the lease's store has lost a term that was given out.
    pub epoch: Epoch,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_term_orders_tokens_and_within_a_term_the_epoch() {
        let token = |term, epoch| Token { term, epoch: Epoch::from_bits(epoch).unwrap() };
        let rising = [token(1, 9), token(2, 3), token(2, 4), token(10, 0)];
        assert!(rising.is_sorted() && rising.windows(2).all(|pair| pair[0] < pair[1]));
    }
}
