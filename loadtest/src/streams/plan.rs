//! The groups of streams, and the choice of symbols for each stream.

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use serde::{Deserialize, Serialize};

/// Streams of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name in reports.
    pub name: String,
    /// How many streams.
    pub count: u32,
    /// How many symbols each subscribes to.
    #[serde(default = "one")]
    pub symbols: usize,
    /// How symbols are chosen.
    #[serde(default)]
    pub popularity: Popularity,
    /// Options in the query, such as `max_rate=4`.
    #[serde(default)]
    pub query: String,
    /// How fast they read.
    #[serde(default)]
    pub reads: Reads,
    /// The percentage of them that leaves per minute and comes back with `Last-Event-ID`.
    #[serde(default)]
    pub churn: f64,
}

fn one() -> usize {
    1
}

/// The popularity of symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Popularity {
    /// All symbols are equally popular.
    #[default]
    Uniform,
    /// By Zipf: the second symbol is half as popular as the first, the third a third as popular, and so on.
    Zipf,
}

/// How fast a stream reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reads {
    /// Everything, at once.
    #[default]
    AtOnce,
    /// This many bytes per second.
    BytesPerSecond(u32),
    /// Nothing after the head of the answer.
    Never,
}

impl Reads {
    /// The size of the socket's receive buffer in bytes. Left alone, the kernel grows it to 6 MB on loopback. It would
    /// then hold a minute of unread ticks and hide from the gateway that its clients are slow.
    pub(super) fn receive_buffer(self) -> usize {
        match self {
            // The window of a distant client: at a usual rate, a second of ticks.
            Self::AtOnce => 32 * 1024,
            // The kernel doubles it. It adds to the age of ticks: a fifth of a second at 20 KB/s.
            Self::BytesPerSecond(_) | Self::Never => 2 * 1024,
        }
    }
}

/// Chooses the symbols of each stream, as sorted indices below `symbols`. The same seed gives the same choice.
pub fn plan(group: &Group, symbols: usize, seed: u64) -> Vec<Box<[u32]>> {
    let mut random = SmallRng::seed_from_u64(seed);
    let weights = (1..=symbols).map(|rank| match group.popularity {
        Popularity::Uniform => 1.0,
        Popularity::Zipf => 1.0 / rank as f64,
    });
    let sums: Vec<f64> = weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect();
    (0..group.count).map(|_| choose(group.symbols.min(symbols), &sums, &mut random)).collect()
}

/// Draws until `count` different symbols are chosen. After too many draws, the most popular remaining symbols fill up
/// the rest.
fn choose(count: usize, sums: &[f64], random: &mut SmallRng) -> Box<[u32]> {
    const DRAWS_PER_SYMBOL: usize = 30;
    let all = sums.last().copied().unwrap_or(0.0);
    let mut chosen: Vec<u32> = Vec::with_capacity(count);
    let drawn = (0..count * DRAWS_PER_SYMBOL).map(|_| {
        let point = random.random_range(0.0..all);
        sums.partition_point(|sum| *sum <= point) as u32
    });
    for symbol in drawn.chain(0..sums.len() as u32) {
        if chosen.len() == count {
            break;
        }
        if let Err(index) = chosen.binary_search(&symbol) {
            chosen.insert(index, symbol);
        }
    }
    chosen.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(symbols: usize, popularity: Popularity) -> Group {
        Group {
            name: "g".into(),
            count: 2_000,
            symbols,
            popularity,
            query: String::new(),
            reads: Reads::AtOnce,
            churn: 0.0,
        }
    }

    #[test]
    fn each_stream_gets_as_many_different_symbols_as_it_asks_for() {
        for (symbols, among, expected) in [(1, 1, 1), (20, 200, 20), (20, 20, 20), (20, 5, 5)] {
            for popularity in [Popularity::Uniform, Popularity::Zipf] {
                let lists = plan(&group(symbols, popularity), among, 7);
                assert_eq!(lists.len(), 2_000);
                assert!(lists.iter().all(|list| list.len() == expected && list.is_sorted_by(|a, b| a < b)));
                assert_eq!(lists, plan(&group(symbols, popularity), among, 7));
            }
        }
    }

    #[test]
    fn by_zipf_the_first_symbol_is_chosen_twice_as_often_as_the_second() {
        let mut counts = [0; 100];
        plan(&group(1, Popularity::Zipf), 100, 1).iter().for_each(|list| counts[list[0] as usize] += 1);
        assert!((300..500).contains(&counts[0]) && (140..260).contains(&counts[1]), "{counts:?}");
    }
}
