//! `/debug/feeds`: how the feeds are doing.

use super::sources::{DebugFeed, DebugSources};
use crate::{
    admin::state_counts::by_state_json,
    cache::FailoverCounts,
    feed::{FeedCounts, FeedReport, FeedState, Note, Unheard},
    market::{Now, Symbol},
    telemetry::labels::{Label, Tally},
};
use serde_json::{Map, Value, json};

/// The state of a feed that another node of the cluster runs, or none.
const FOLLOWING: &str = "following";
/// Feeds in the order in which they need an operator. A quiet feed behaves as it should, so it comes last.
const WORST_FIRST: [FeedState; 5] =
    [FeedState::Failed, FeedState::Mute, FeedState::Connecting, FeedState::Live, FeedState::Quiet];

/// The feeds, the worst first; feeds in the same state keep the order of the configuration.
pub(in crate::admin) fn feeds(sources: &DebugSources, limit: usize) -> Value {
    let all = sources.feeds.current();
    let reports = all.iter().enumerate().map(|(place, feed)| (feed.status.report(), followed(sources, place)));
    let mut reports: Vec<_> = all.iter().zip(reports).collect();
    reports.sort_by_key(|(_, (report, followed))| {
        let place = WORST_FIRST.iter().position(|state| *state == report.state);
        // One that another node runs behaves as it should.
        place.filter(|_| followed.is_none()).unwrap_or(WORST_FIRST.len())
    });
    let mut states = Map::new();
    for state in WORST_FIRST {
        let is_it = |(report, followed): &(FeedReport, Option<String>)| report.state == state && followed.is_none();
        let count = reports.iter().filter(|(_, of)| is_it(of)).count();
        states.insert(state.name().to_owned(), count.into());
    }
    if sources.cluster.is_some() {
        let count = reports.iter().filter(|(_, (_, followed))| followed.is_some()).count();
        states.insert(FOLLOWING.to_owned(), count.into());
    }
    json!({
        "now": Now::read().unix.0,
        "totals": {"feeds": all.len(), "states": states},
        "feeds": reports.iter().take(limit).map(|(about, (report, followed))| feed(about, report, followed.as_deref()))
            .collect::<Vec<_>>(),
    })
}

/// Of a feed that this node of a cluster does not run: which one does, as far as it knows.
fn followed(sources: &DebugSources, place: usize) -> Option<String> {
    let cluster = sources.cluster.as_ref()?;
    let facts = cluster.facts_of(place).filter(|facts| !facts.owns)?;
    Some(match facts.owner {
        _ if !cluster.reaches_brokers() => {
            "this node is not connected to its brokers, so it does not know which node runs the feed".to_owned()
        }
        Some(owner) => match facts.feed.filter(|_| facts.fresh) {
            Some(state) => format!("{owner} runs the feed: {}", state.name()),
            None => format!("{owner} runs the feed, and is not heard"),
        },
        None => "no node runs the feed".to_owned(),
    })
}

fn feed(feed: &DebugFeed, report: &FeedReport, followed: Option<&str>) -> Value {
    let FeedCounts { connects, disconnects, rotations, snapshots, messages, decode_errors, at } = &report.counts;
    json!({
        "feed": &*feed.name,
        "venue": feed.venue,
        "url": report.url,
        "tried": report.tried,
        "connections": report.connections,
        "connections_up": report.connections_up,
        "state": followed.map_or(report.state.name(), |_| FOLLOWING),
        "since": report.since.0,
        "reason": followed.or(report.reason.as_deref()),
        "next_attempt": report.next_attempt.map(|at| at.0),
        "last_message": report.last_message.map(|at| at.0),
        "symbols": feed.listed().len(),
        "on_demand": feed.on_demand.get().and_then(|on_demand| on_demand.usage(&feed.name)).map(|usage| json!({"symbols": usage.symbols, "limit": usage.limit})),
        "unheard": unheard(&report.unheard),
        "symbol_states": by_state_json(feed.said()),
        "standby_for": feed.standby_for.as_ref().map(|(primary, _)| &**primary),
        "symbols_with_standby": feed.symbols_of_two(),
        "active_symbols": feed.active_symbols(),
        "failovers": feed.standby_for.as_ref().map(|(_, counts)| failovers(counts)),
        "counters": {
            "connects": tallied(connects),
            "disconnects": tallied(disconnects),
            "rotations": tallied(rotations),
            "snapshots": tallied(snapshots),
            "messages": tallied(messages),
            "decode_errors": tallied(decode_errors),
            "at": at.0,
        },
        "last_messages": report.messages.iter().map(note).collect::<Vec<_>>(),
        "last_troubles": report.troubles.iter().map(note).collect::<Vec<_>>(),
    })
}

/// How many symbols have had no data since their connection subscribed, and the first of them.
fn unheard(unheard: &Unheard) -> Value {
    let symbols: Vec<_> = unheard.examples.iter().map(Symbol::as_str).collect();
    json!({"count": unheard.count, "symbols": symbols})
}

/// How often the standby took over, and how often its primary, by cause.
fn failovers(counts: &FailoverCounts) -> Value {
    let mut to = [Map::new(), Map::new()];
    for (source, cause, count) in counts.each().into_iter().filter(|(_, _, count)| *count > 0) {
        to[source as usize].insert(cause.to_owned(), count.into());
    }
    let [back, over] = to;
    json!({"to_standby": over, "to_primary": back})
}

fn note(note: &Note) -> Value {
    let shown = json!({"at": note.at.0, "text": note.text});
    if note.what.is_empty() { shown } else { json!({"at": note.at.0, "what": note.what, "text": note.text}) }
}

/// The counts by label, without zeros.
fn tallied<L: Label>(tally: &Tally<L>) -> Value {
    let counted = L::ALL.iter().map(|label| (label.label().to_owned(), tally.of(*label)));
    Value::Object(counted.filter(|(_, count)| *count > 0).map(|(label, count)| (label, count.into())).collect())
}
