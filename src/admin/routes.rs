//! The operators' routes.

use super::{
    debug::{self, DebugSources},
    give,
    health::NotReady,
    prefer,
    reload::{self, Reload},
    status::GatewayStatus,
};
use crate::{
    config::{self, Live},
    server::{Answer, Elsewhere, Parameter, Request, RequestError, Response, Router, Routes, html, json},
    telemetry::{Metrics, labels::labels},
};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;
use std::{convert::Infallible, sync::Arc};

labels! {
    /// What an operator's request is counted as.
    pub(super) enum Route {
        /// The list of the pages.
        Index = "index",
        /// Whether the process answers at all.
        Live = "livez",
        /// Whether clients should be sent here.
        Ready = "readyz",
        /// All metrics.
        Metrics = "metrics",
        /// What is slow, hot or stale.
        Debug = "debug",
        /// A reload of the configuration.
        Reload = "reload",
    }
}

/// What the routes need.
pub(super) struct Context {
    pub(super) metrics: Metrics,
    pub(super) status: Arc<dyn GatewayStatus>,
    pub(super) sources: DebugSources,
    pub(super) reload: Arc<dyn Reload>,
    pub(super) live: Live,
}

/// A listener without streams.
type OperatorAnswer = Answer<Infallible>;

const ELSEWHERE: Elsewhere = Elsewhere {
    prefixes: &["/v1", "/openapi.json"],
    place: "Clients' routes are on another listener: see `listen` under [server].",
};

/// What the index page says of each page.
const PAGES: &[(&str, &str)] = &[
    ("/livez", "the process lives"),
    ("/readyz", "clients may be sent here"),
    ("/metrics", "for Prometheus"),
    ("/debug/feeds", "how feeds do"),
    ("/debug/streams", "the slowest streams"),
    ("/debug/symbols", "what is hot or stale"),
    ("/debug/keys", "the keys that verify tokens"),
    ("/debug/cluster", "the nodes and shards of the cluster"),
    ("/debug/config", "the configuration in force"),
];

/// The operators' routes.
pub(super) fn routes(context: Context) -> Routes<Infallible> {
    Router::new(context, ELSEWHERE)
        .get(Route::Index, "/", index)
        .get(Route::Live, "/livez", live)
        .get(Route::Ready, "/readyz", ready)
        .get(Route::Metrics, "/metrics", metrics)
        .get_async(Route::Debug, "/debug/streams", debug_streams)
        .get_async(Route::Debug, "/debug/symbols", debug_symbols)
        .get(Route::Debug, "/debug/feeds", debug_feeds)
        .get(Route::Debug, "/debug/keys", debug_keys)
        .get(Route::Debug, "/debug/cluster", debug_cluster)
        .get(Route::Debug, "/debug/config", debug_config)
        .post_async(Route::Debug, "/debug/cluster/{shard}/give", give_shard)
        .post_async(Route::Debug, "/debug/feeds/{name}/prefer", prefer_feed)
        .post_async(Route::Reload, "/reload", reload_config)
        .build()
}

fn index(_: &Context, _: Request) -> OperatorAnswer {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>tickfan</title>\n<h1>tickfan {}</h1>\n<ul>\n",
        env!("CARGO_PKG_VERSION")
    );
    for (path, about) in PAGES {
        page.push_str(&format!("<li><a href=\"{path}\">{path}</a> {about}\n"));
    }
    page.push_str(
        "</ul>\n<p><code>tickfan top</code> shows the same in a terminal.\n\
         <p><code>curl -X POST .../reload</code> reads the configuration file again.\n\
         <p><code>curl -X POST .../debug/feeds/{name}/prefer</code> shows the prices of this feed, not of its standby or \
         primary.\n</html>\n",
    );
    Answer::Whole(html(page))
}

fn live(_: &Context, _: Request) -> OperatorAnswer {
    Answer::Whole(json(serde_json::json!({"live": true}).to_string()))
}

fn ready(context: &Context, _: Request) -> OperatorAnswer {
    Answer::Whole(readiness(context.status.health().judge()))
}

fn readiness(judged: Result<(), NotReady>) -> Response {
    match judged {
        Ok(()) => json(serde_json::json!({"ready": true}).to_string()),
        Err(why) => {
            let mut response = json(serde_json::json!({"ready": false, "reason": why.to_string()}).to_string());
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        }
    }
}

/// All metrics as text. For thousands of symbols that takes milliseconds; the operators' runtime has threads for it. A
/// blocking task would need a thread that the system may refuse, and the process would abort.
fn metrics(context: &Context, _: Request) -> OperatorAnswer {
    let text = context.metrics.render_with(|rendered| context.status.publish_metrics(rendered));
    let text = context.sources.feeds.without_gone(text);
    let mut response = Response::new(Bytes::from(text).into());
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    Answer::Whole(response)
}

/// The configuration in force. An address is shown without what may be a secret.
fn debug_config(context: &Context, _: Request) -> OperatorAnswer {
    let config = context.live.current();
    let keys: Vec<Value> = config::keys_in_force(&config)
        .into_iter()
        .map(|key| {
            let at_restart = key.applies == config::Applies::Restart;
            serde_json::json!({"key": key.key, "value": key.value, "at_restart": at_restart})
        })
        .collect();
    let feeds: Vec<serde_json::Map<String, Value>> = config
        .feeds
        .iter()
        .map(|feed| {
            let keys = config::feed_in_force(feed).into_iter();
            keys.map(|(key, value)| (key.to_owned(), value.into())).collect()
        })
        .collect();
    Answer::Whole(json(serde_json::json!({"keys": keys, "feeds": feeds}).to_string()))
}

async fn reload_config(context: Arc<Context>, request: Request) -> OperatorAnswer {
    match reload::reload(context.reload.clone(), request).await {
        Ok(response) => Answer::Whole(response),
        Err(problem) => Answer::Problem(problem),
    }
}

async fn debug_streams(context: Arc<Context>, request: Request) -> OperatorAnswer {
    match listed(&request) {
        Ok(limit) => Answer::Whole(json(debug::streams(&context.sources, limit).await.to_string())),
        Err(error) => Answer::Problem(error.into()),
    }
}

async fn debug_symbols(context: Arc<Context>, request: Request) -> OperatorAnswer {
    match listed(&request) {
        Ok(limit) => Answer::Whole(json(debug::symbols(&context.sources, limit).await.to_string())),
        Err(error) => Answer::Problem(error.into()),
    }
}

fn debug_feeds(context: &Context, request: Request) -> OperatorAnswer {
    match listed(&request) {
        Ok(limit) => Answer::Whole(json(debug::feeds(&context.sources, limit).to_string())),
        Err(error) => Answer::Problem(error.into()),
    }
}

fn debug_keys(context: &Context, _: Request) -> OperatorAnswer {
    Answer::Whole(json(debug::keys(&context.sources).to_string()))
}

fn debug_cluster(context: &Context, _: Request) -> OperatorAnswer {
    Answer::Whole(json(debug::cluster(&context.sources).to_string()))
}

async fn give_shard(context: Arc<Context>, request: Request) -> OperatorAnswer {
    match give::give(&context.sources, &request) {
        Ok(response) => Answer::Whole(response),
        Err(problem) => Answer::Problem(problem),
    }
}

async fn prefer_feed(context: Arc<Context>, request: Request) -> OperatorAnswer {
    match prefer::prefer(&context.sources, &request) {
        Ok(response) => Answer::Whole(response),
        Err(problem) => Answer::Problem(problem),
    }
}

/// How many rows are asked for.
fn listed(request: &Request) -> Result<usize, RequestError> {
    request.query.check(&[Parameter::Scalar("limit")])?;
    request.query.limit(debug::LISTED, debug::LISTED_MAX)
}
