//! `POST /debug/cluster/{shard}/give?to=NODE`: gives a shard of this node to another.

use super::{debug::DebugSources, reload::is_of_a_page};
use crate::{
    cluster::successor::GiveRefused,
    server::{Parameter, Problem, Request, Response, json},
};
use http::StatusCode;
use serde_json::json as value;

/// Begins the hand-over. The answer says that it was begun: the transitions of `/debug/cluster` say how it ended.
#[expect(clippy::result_large_err, reason = "an error is made once per request of an operator")]
pub(super) fn give(sources: &DebugSources, request: &Request) -> Result<Response, Problem> {
    if is_of_a_page(&request.headers) {
        return Err(problem(
            StatusCode::FORBIDDEN,
            "of-a-page",
            "Not for web pages",
            "A web page must not move shards. Send the request from a terminal, without `Origin`.".to_owned(),
        ));
    }
    let Some(cluster) = &sources.cluster else {
        let detail = "This gateway is not a node of a cluster: its configuration has no [cluster].".to_owned();
        return Err(problem(StatusCode::CONFLICT, "no-cluster", "No cluster", detail));
    };
    request.query.check(&[Parameter::Scalar("to")]).map_err(Problem::from)?;
    let shard = request.segment.as_str();
    let to = request.query.first("to");
    cluster.give(shard, to).map_err(|refused| {
        let (status, kind) = match refused {
            GiveRefused::UnknownShard(_) => (StatusCode::NOT_FOUND, "unknown-shard"),
            GiveRefused::NotOwner { .. } => (StatusCode::CONFLICT, "not-owner"),
            GiveRefused::UnknownNode(_) => (StatusCode::NOT_FOUND, "unknown-node"),
            GiveRefused::Unsynced { .. } => (StatusCode::CONFLICT, "not-synced"),
            GiveRefused::LacksSymbols { .. } => (StatusCode::CONFLICT, "lacks-symbols"),
            GiveRefused::Stops(_) => (StatusCode::CONFLICT, "draining"),
            GiveRefused::NoneAble(_) => (StatusCode::CONFLICT, "no-successor"),
            GiveRefused::Running(_) => (StatusCode::CONFLICT, "hand-over-runs"),
            GiveRefused::NoBrokers(_) => (StatusCode::SERVICE_UNAVAILABLE, "no-brokers"),
            GiveRefused::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        };
        problem(status, kind, "The shard is not given away", refused.to_string())
    })?;
    let mut response = json(value!({"shard": shard, "to": to, "begun": true}).to_string());
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

fn problem(status: StatusCode, kind: &'static str, title: &'static str, detail: String) -> Problem {
    Problem::new(status, kind, title, detail)
}
