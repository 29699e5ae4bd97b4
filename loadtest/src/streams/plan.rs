//! Which streams there are, and what each asks for.

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
    /// How many symbols each asks for.
    #[serde(default = "one")]
    pub symbols: usize,
    /// Which ones.
    #[serde(default)]
    pub popularity: Popularity,
    /// Options in the query, such as `max_rate=4`.
    #[serde(default)]
    pub query: String,
    /// How they read.
    #[serde(default)]
    pub reads: Reads,
    /// How many percent of them leave per minute, and come back with `Last-Event-ID`.
    #[serde(default)]
    pub churn: f64,
}

fn one() -> usize {
    1
}

/// How likely each symbol is to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Popularity {
    /// All the same.
    #[default]
    Uniform,
    /// By Zipf: the second half as likely as the first, the third a third, ...
    Zipf,
}

/// How a stream reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reads {
    /// All that comes, at once.
    #[default]
    AtOnce,
    /// So many bytes a second.
    BytesPerSecond(u32),
    /// Nothing, once it has opened.
    Never,
}

impl Reads {
    /// The receive buffer that it is given, in bytes. By itself the kernel lets one grow to 6 MB on loopback: it would hold ticks
    /// for a minute that nobody has read, and hide from the gateway that its clients are slow.
    pub(super) fn receive_buffer(self) -> usize {
        match self {
            // As much as a far client's window holds; at a usual rate that is a second.
            Self::AtOnce => 32 * 1024,
            // The kernel doubles it. What it holds is old by the client's own fault: at 20 KB/s a fifth of a second.
            Self::BytesPerSecond(_) | Self::Never => 2 * 1024,
        }
    }
}

/// Chooses the symbols of each stream, as sorted places in a list of `among`; the same for the same seed.
pub fn plan(group: &Group, among: usize, seed: u64) -> Vec<Box<[u32]>> {
    let mut random = SmallRng::seed_from_u64(seed);
    let weights = (1..=among).map(|rank| match group.popularity {
        Popularity::Uniform => 1.0,
        Popularity::Zipf => 1.0 / rank as f64,
    });
    let sums: Vec<f64> = weights
        .scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        })
        .collect();
    (0..group.count).map(|_| choose(group.symbols.min(among), &sums, &mut random)).collect()
}

/// Draws until there are enough different ones. Where the popular ones are used up, the most popular of the rest follow.
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
        if let Err(place) = chosen.binary_search(&symbol) {
            chosen.insert(place, symbol);
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
    fn each_stream_has_as_many_different_symbols_as_it_wants() {
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
    fn by_zipf_the_first_is_asked_for_twice_as_often_as_the_second() {
        let mut counts = [0; 100];
        plan(&group(1, Popularity::Zipf), 100, 1).iter().for_each(|list| counts[list[0] as usize] += 1);
        assert!((300..500).contains(&counts[0]) && (140..260).contains(&counts[1]), "{counts:?}");
    }
}
