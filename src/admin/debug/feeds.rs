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

/// Feeds in the order in which they need an operator. A quiet feed behaves as it should, so it comes last.
const WORST_FIRST: [FeedState; 5] =
    [FeedState::Failed, FeedState::Mute, FeedState::Connecting, FeedState::Live, FeedState::Quiet];

/// The feeds, the worst first; feeds in the same state keep the order of the configuration.
pub(in crate::admin) fn feeds(sources: &DebugSources, limit: usize) -> Value {
    let all = sources.feeds.current();
    let mut reports: Vec<_> = all.iter().map(|feed| (feed, feed.status.report())).collect();
    reports.sort_by_key(|(_, report)| WORST_FIRST.iter().position(|state| *state == report.state));
    let mut states = Map::new();
    for state in WORST_FIRST {
        let count = reports.iter().filter(|(_, report)| report.state == state).count();
        states.insert(state.name().to_owned(), count.into());
    }
    json!({
        "now": Now::read().unix.0,
        "totals": {"feeds": all.len(), "states": states},
        "feeds": reports.iter().take(limit).map(|(about, report)| feed(about, report)).collect::<Vec<_>>(),
    })
}

fn feed(feed: &DebugFeed, report: &FeedReport) -> Value {
    let FeedCounts { connects, disconnects, rotations, messages, decode_errors, at } = &report.counts;
    json!({
        "feed": &*feed.name,
        "venue": feed.venue,
        "url": report.url,
        "tried": report.tried,
        "connections": report.connections,
        "connections_up": report.connections_up,
        "state": report.state.name(),
        "since": report.since.0,
        "reason": report.reason,
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
