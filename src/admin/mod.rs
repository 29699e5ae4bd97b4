//! HTTP for operators, on a listener of its own: is it alive, should it get clients, what does it measure.
//!
//! The same accept loop and host check as for clients; no streams, no CORS.

mod debug;
mod health;
mod states;

pub use debug::{AskWorkers, DebugFeed, DebugSources};
pub use health::{FIRST_VERDICTS_MAX, FeedHealth, HealthInputs, NotReady};
pub use states::by_state;

use crate::{
    config,
    http::{
        Acceptor, BindError, Connections, Cors, Hosts, Query, RequestHandler, Route, Routes, Serving, ShutdownSignal,
        into_routes, json, limit, listen, problem_lines,
    },
    limits::{Admin, Gate},
    telemetry::Metrics,
};
use http::{HeaderValue, StatusCode, header};
use std::{io, net::SocketAddr, str::FromStr, sync::Arc};
use tokio::sync::watch;
use warp::{Filter, Rejection, reply::Response};

/// Tells what readiness depends on, as of now. It is asked per probe and must not block.
pub type HealthSource = Arc<dyn Fn() -> HealthInputs + Send + Sync>;

/// The operators' listener, bound.
pub struct Server {
    acceptor: Acceptor<Admin>,
    address: SocketAddr,
    metrics: Metrics,
}

impl Server {
    /// Binds the listener. It needs no runtime.
    ///
    /// # Errors
    /// [`BindError`], such as an address in use.
    pub fn bind(
        server: &config::Server,
        limits: &config::Limits,
        gate: Gate<Admin>,
        metrics: Metrics,
        situations: HealthSource,
        inside: DebugSources,
    ) -> Result<Self, BindError> {
        let listener = listen(server.admin_listen, limits.write_timeout)?;
        let address = listener.local_addr().map_err(|source| BindError { address: server.admin_listen, source })?;
        let handler = RequestHandler {
            routes: routes(metrics.clone(), situations, inside),
            hosts: Hosts::new(&server.hosts),
            cors: Cors::new(&[]),
            trusted_proxies: Vec::new(),
            streams: None,
            problems: problem_lines(),
        };
        let connections = Connections {
            handler: Arc::new(handler),
            head_timeout: limits.head_timeout,
            head_bytes: limits.head_bytes,
            write_timeout: limits.write_timeout,
        };
        let serving = Serving::new(connections, Arc::new(|_, _| Err(io::ErrorKind::Unsupported.into())));
        let acceptor = Acceptor { listener, gate, serving };
        Ok(Self { acceptor, address, metrics })
    }

    /// Where it listens: the port is known also where 0 was asked for.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` is true or its sender is gone, and keeps the metrics small meanwhile.
    ///
    /// # Errors
    /// What the system says where the listener cannot be watched.
    pub async fn run(self, shutdown: watch::Receiver<bool>) -> io::Result<()> {
        tokio::select! {
            ended = self.acceptor.run(ShutdownSignal::new(shutdown)) => ended,
            never = self.metrics.keep_up() => match never {},
        }
    }
}

fn routes(metrics: Metrics, situations: HealthSource, inside: DebugSources) -> Routes {
    let live = warp::path!("livez")
        .and(warp::get())
        .map(|| Route::Live.answer(Ok(json(serde_json::json!({"live": true}).to_string()))));
    let ready =
        warp::path!("readyz").and(warp::get()).map(move || Route::Ready.answer(Ok(readiness(situations().judge()))));
    let metrics = warp::path!("metrics").and(warp::get()).then(move || exposition(metrics.clone()));
    into_routes(live.or(ready).unify().or(metrics).unify().or(debug_routes(inside)).unify())
}

fn debug_routes(
    inside: DebugSources,
) -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    let subject = warp::path!("debug" / Subject).and(warp::get()).and(warp::query::<Query>());
    subject.then(move |subject, query: Query| {
        let inside = inside.clone();
        async move {
            let answer = match limit(&query, debug::LISTED, debug::LISTED_MAX) {
                Ok(limit) => Ok(json(look(subject, inside, limit).await.to_string())),
                Err(problem) => Err(problem),
            };
            Route::Debug.answer(answer)
        }
    })
}

/// What of the inside is asked for: the last part of the path.
#[derive(Debug, Clone, Copy)]
enum Subject {
    Streams,
    Symbols,
    Feeds,
}

impl FromStr for Subject {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "streams" => Ok(Self::Streams),
            "symbols" => Ok(Self::Symbols),
            "feeds" => Ok(Self::Feeds),
            _ => Err(()),
        }
    }
}

/// Each waits, or looks at thousands of symbols, and so may not hold up one of the runtime's threads, nor a feed on it.
async fn look(subject: Subject, inside: DebugSources, limit: usize) -> serde_json::Value {
    let look = match subject {
        Subject::Streams => debug::streams,
        Subject::Symbols => debug::symbols,
        Subject::Feeds => debug::feeds,
    };
    tokio::task::spawn_blocking(move || look(&inside, limit))
        .await
        .unwrap_or_else(|error| serde_json::json!({"error": error.to_string()}))
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

/// All metrics as text. Of thousands of symbols that takes milliseconds, for which no feed may wait.
async fn exposition(metrics: Metrics) -> Response {
    let Ok(text) = tokio::task::spawn_blocking(move || metrics.render()).await else {
        let mut stopping = Response::default(); // the runtime is about to end
        *stopping.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        return Route::Metrics.answer(Ok(stopping));
    };
    let mut response = Response::new(text.into());
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    Route::Metrics.answer(Ok(response))
}
