//! The groups of streams, and the choice of symbols for each stream.

use crate::{h2::Windows, scenario::Stage};
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
    /// Whether they are compressed with the gateway's dictionary.
    #[serde(default)]
    pub compress: bool,
    /// How fast they read.
    #[serde(default)]
    pub reads: Reads,
    /// How many of them are open during the load; empty: all, from before the load to its end.
    #[serde(default)]
    pub stages: Vec<Stage>,
    /// The percentage of them that leaves per minute and comes back with `Last-Event-ID`.
    #[serde(default)]
    pub churn: f64,
    /// Their protocol.
    #[serde(default)]
    pub protocol: Protocol,
    /// How many of them share a connection of HTTP/2.
    #[serde(default = "one")]
    pub streams_per_connection: usize,
    /// The group whose connections they share: as many of them ride on each as they have streams per connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beside: Option<String>,
    /// Their windows, and when they give bytes back.
    #[serde(default)]
    pub windows: Windows,
}

impl Group {
    /// The option for ticks as patches.
    pub const PATCH: &str = "patch=1";

    /// Whether its streams get each tick as it comes.
    pub fn is_whole(&self) -> bool {
        matches!(self.query.as_str(), "" | Self::PATCH) && self.reads == Reads::AtOnce
    }

    /// Has its streams ask for patches.
    pub fn patch(&mut self) {
        if !self.query.split('&').any(|option| option == Self::PATCH) {
            let before = if self.query.is_empty() { "" } else { "&" };
            self.query += before;
            self.query += Self::PATCH;
        }
    }
}

impl Default for Group {
    /// One stream of a symbol.
    fn default() -> Self {
        Self {
            name: String::new(),
            count: 1,
            symbols: 1,
            popularity: Popularity::default(),
            query: String::new(),
            compress: false,
            reads: Reads::default(),
            stages: Vec::new(),
            churn: 0.0,
            protocol: Protocol::default(),
            streams_per_connection: 1,
            beside: None,
            windows: Windows::default(),
        }
    }
}

/// The protocol of streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub enum Protocol {
    /// HTTP/1.1, with a connection for each stream.
    #[default]
    #[serde(rename = "h1")]
    Http1,
    /// HTTP/2, over TLS only, as in browsers.
    #[serde(rename = "h2")]
    Http2,
}

impl std::fmt::Display for Protocol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        })
    }
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
    /// This many bytes per second, of each connection.
    BytesPerSecond(u32),
    /// Nothing after the heads of a connection's streams.
    Never,
    /// Everything, but after this many bytes the stream's page is blocked: its browser gives none of them back to the
    /// server.
    BlockedAfter(u32),
}

impl Reads {
    /// Whether the server may close such a stream, which then does not come back and is not lost.
    pub fn may_be_closed(self) -> bool {
        matches!(self, Self::Never | Self::BlockedAfter(_))
    }

    /// The size of the socket's receive buffer in bytes. Left alone, the kernel grows it to 6 MB on loopback. It would
    /// then hold a minute of unread ticks and hide from the gateway that its clients are slow.
    pub(super) fn receive_buffer(self) -> usize {
        match self {
            // The window of a distant client: at a usual rate, a second of ticks.
            Self::AtOnce | Self::BlockedAfter(_) => 32 * 1024,
            // The kernel doubles it. It adds to the age of ticks: a fifth of a second at 20 KB/s.
            Self::BytesPerSecond(_) | Self::Never => 2 * 1024,
        }
    }
}

/// The connection of each stream, by group. Connections are numbered in the order of the streams that open them.
pub fn plan_connections(groups: &[Group]) -> Vec<Vec<u32>> {
    let mut planned: Vec<Vec<u32>> = Vec::new();
    let mut count = 0;
    for group in groups {
        let each = group.streams_per_connection.max(1) as u32;
        let owner = group.beside.as_ref().and_then(|name| groups.iter().position(|group| group.name == *name));
        let begin = match owner.and_then(|owner| planned.get(owner)?.first()) {
            Some(first) => *first,
            None => {
                let begin = count;
                count += group.count.div_ceil(each);
                begin
            }
        };
        planned.push((0..group.count).map(|stream| begin + stream / each).collect());
    }
    planned
}

/// Chooses the symbols of each stream, as sorted indices below `symbols`. The same seed gives the same choice.
pub(super) fn plan_streams(group: &Group, symbols: usize, seed: u64) -> Vec<Box<[u32]>> {
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
        Group { count: 2_000, symbols, popularity, ..Group::default() }
    }

    #[test]
    fn each_stream_gets_as_many_different_symbols_as_it_asks_for() {
        for (symbols, among, expected) in [(1, 1, 1), (20, 200, 20), (20, 20, 20), (20, 5, 5)] {
            for popularity in [Popularity::Uniform, Popularity::Zipf] {
                let lists = plan_streams(&group(symbols, popularity), among, 7);
                assert_eq!(lists.len(), 2_000);
                assert!(lists.iter().all(|list| list.len() == expected && list.is_sorted_by(|a, b| a < b)));
                assert_eq!(lists, plan_streams(&group(symbols, popularity), among, 7));
            }
        }
    }

    #[test]
    fn by_zipf_the_first_symbol_is_chosen_twice_as_often_as_the_second() {
        let mut counts = [0; 100];
        plan_streams(&group(1, Popularity::Zipf), 100, 1).iter().for_each(|list| counts[list[0] as usize] += 1);
        assert!((300..500).contains(&counts[0]) && (140..260).contains(&counts[1]), "{counts:?}");
    }

    #[test]
    fn streams_share_connections_and_ride_beside_another_group() {
        let of = |name: &str, count, streams_per_connection, beside: Option<&str>| Group {
            name: name.to_owned(),
            count,
            streams_per_connection,
            beside: beside.map(str::to_owned),
            ..Group::default()
        };
        let groups = [of("a", 3, 1, None), of("tab", 5, 2, None), of("next", 2, 1, Some("tab")), of("b", 1, 1, None)];
        assert_eq!(plan_connections(&groups), [vec![0, 1, 2], vec![3, 3, 4, 4, 5], vec![3, 4], vec![6]]);
    }
}
