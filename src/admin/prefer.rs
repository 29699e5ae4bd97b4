//! `POST /debug/feeds/{name}/prefer`: shows the prices of a feed rather than those of its standby or primary.

use super::{
    debug::{DebugFeed, DebugSources},
    reload::is_of_a_page,
};
use crate::{
    cache::Published,
    market::Now,
    server::{Problem, Request, Response, json},
};
use http::StatusCode;
use serde_json::json as value;
use std::sync::Arc;
use tracing::info;

/// Prefers the feed for each of its symbols that has two. Those for which it is up pass to it at once, and the others
/// once it has been healthy for long enough.
#[expect(clippy::result_large_err, reason = "an error is made once per request of an operator")]
pub(super) fn prefer(sources: &DebugSources, request: &Request) -> Result<Response, Problem> {
    let problem = |status, kind, detail| Err(Problem::new(status, kind, "The feed is not preferred", detail));
    if is_of_a_page(&request.headers) {
        let detail = "A web page must not move symbols. Send the request from a terminal, without `Origin`.".to_owned();
        return problem(StatusCode::FORBIDDEN, "of-a-page", detail);
    }
    request.query.check(&[]).map_err(Problem::from)?;
    let name = request.segment.as_str();
    let feeds = sources.feeds.current();
    let Some(feed) = feeds.iter().find(|feed| &*feed.name == name) else {
        return problem(StatusCode::NOT_FOUND, "unknown-feed", format!("No feed has the name `{name}`."));
    };
    let is_standby_of_it = |other: &Arc<DebugFeed>| other.primary().is_some_and(|primary| **primary == *name);
    if feed.standby_for.is_none() && !feeds.iter().any(is_standby_of_it) {
        let detail = format!("The feed `{name}` has no standby: see `standby_for` under [[feed]].");
        return problem(StatusCode::CONFLICT, "no-standby", detail);
    }
    let mut announcer = sources.workers.clone().announcer();
    let now = Now::read();
    let mut moved = 0;
    for symbol in &feed.symbols {
        if let Published::Tick { interest } = symbol.through(None).of(feed.source()).prefer(now) {
            announcer.add(symbol, interest);
            moved += 1;
        }
    }
    announcer.flush();
    info!(feed = name, moved, "an operator prefers this feed to the other one of its symbols");
    let (symbols, active) = (feed.symbols_of_two(), feed.active_symbols());
    let answer = value!({"feed": name, "symbols_with_standby": symbols, "moved": moved, "active_symbols": active});
    Ok(json(answer.to_string()))
}
