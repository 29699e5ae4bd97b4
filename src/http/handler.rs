//! What holds for every request, whatever its route: who may ask, what is refused before routing, what each answer
//! carries, and whether a stream finds room. The routes behind it are warp's.

use super::{
    cors::Cors,
    forwarded,
    host::Hosts,
    problem::Problem,
    request_id::RequestId,
    routes::{Route, Routes},
    stream_head::{busy_bytes, hello_block, response_head},
    stream_request::StreamRequest,
};
use crate::{
    fanout::{NewStream, Resume},
    limits::{Addresses, ClientAddress, Gate, Stream},
    market::Now,
    telemetry::{
        SharedLogLimit,
        catalog::{HTTP_REQUESTS, STREAMS_REJECTED},
    },
    wire::{Epoch, StreamName},
};
use http::{HeaderValue, Method, Request, StatusCode, header, request::Parts};
use http_body::Body;
use hyper::body::Incoming;
use ipnet::IpNet;
use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};
use warp::reply::Response;

/// The longest path and query, in bytes: 500 symbols of 20 characters, with room for options.
pub(crate) const URI_BYTES_MAX: usize = 12 * 1024;

/// What answers a listener's requests.
pub(crate) struct RequestHandler {
    pub(crate) routes: Routes,
    pub(crate) hosts: Hosts,
    pub(crate) cors: Cors,
    /// Whose word counts on where a request comes from.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// `None` on a listener without streams.
    pub(crate) streams: Option<Streams>,
    /// Lets through the lines about problems.
    pub(crate) problems: SharedLogLimit,
}

/// What a stream needs to be opened.
pub(crate) struct Streams {
    pub(crate) gate: Gate<Stream>,
    /// `None` where an address may have as many as there are.
    pub(crate) addresses: Option<Addresses>,
    /// Set while the gateway ends its streams: it takes no new ones.
    pub(crate) draining: Arc<AtomicBool>,
    pub(crate) epoch: Epoch,
    pub(crate) heartbeat: Duration,
    pub(crate) replay_bytes: usize,
    pub(crate) refusals: Refusals,
}

/// How often a line is written about requests that got a problem, and about streams that found no room.
const PROBLEM_LOG_EVERY: Duration = Duration::from_secs(1);
const REFUSAL_LOG_EVERY: Duration = Duration::from_secs(10);

/// A limit of the lines about a listener's problems: of more than one a second the rest is for `debug`.
pub(crate) fn problem_lines() -> SharedLogLimit {
    SharedLogLimit::new(PROBLEM_LOG_EVERY)
}

/// Why a stream finds no room.
#[derive(Debug, Clone, Copy)]
pub(super) enum Refusal {
    Limit,
    Address,
    Draining,
}

impl Refusal {
    fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::Address => "address",
            Self::Draining => "draining",
        }
    }
}

/// The lines about streams that find no room: limited by reason, so that no reason hides another.
pub(crate) struct Refusals([SharedLogLimit; 3]);

impl Refusals {
    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| SharedLogLimit::new(REFUSAL_LOG_EVERY)))
    }

    fn note(&self, reason: Refusal, client: ClientAddress) {
        STREAMS_REJECTED.handle([reason.name().into()]).increment(1);
        if let Some(held_back) = self.0[reason as usize].admit(Instant::now()) {
            tracing::warn!(reason = reason.name(), %client, held_back, "a stream finds no room");
        }
    }
}

/// How a request is answered.
pub(crate) enum Answer {
    /// By hyper, as always.
    Whole(Response),
    /// By the engine, on the request's connection.
    Stream(NewStream),
}

impl RequestHandler {
    /// Answers a request that came from `peer`.
    pub(crate) async fn answer(&self, request: Request<Incoming>, peer: IpAddr) -> Answer {
        let (mut parts, body) = request.into_parts();
        let method = parts.method.clone();
        let client = forwarded::client(peer, &parts.headers, &self.trusted_proxies);
        let origin = parts.headers.get(header::ORIGIN).cloned();
        let mut response = match check(&self.hosts, &parts, &body) {
            Err(problem) => problem.into_response(),
            Ok(()) if method == Method::OPTIONS => Cors::preflight(),
            Ok(()) => {
                if method == Method::HEAD {
                    // Routed as GET; hyper leaves the body out, for it knows what was asked.
                    parts.method = Method::GET;
                }
                (self.routes)(Request::from_parts(parts, body)).await
            }
        };
        if let Some(problem) = response.extensions_mut().remove::<Problem>() {
            self.write_problem(&problem, &mut response, client);
        }
        self.cors.permit(origin.as_ref(), response.headers_mut());
        add_common_headers(&mut response);
        let answer = match response.extensions_mut().remove::<Arc<StreamRequest>>() {
            Some(request) if method == Method::GET => self.open(Arc::unwrap_or_clone(request), client, response),
            _ => Answer::Whole(response),
        };
        count(&method, &answer);
        answer
    }

    /// Writes the problem into the answer, and a line with the same id into the log.
    fn write_problem(&self, problem: &Problem, response: &mut Response, client: ClientAddress) {
        let id = RequestId::next();
        problem.write_to(response, id);
        let (status, kind) = (response.status().as_u16(), problem.kind());
        // Of the client's own words nothing: the answer repeats them.
        match self.problems.admit(Instant::now()) {
            Some(held_back) => {
                tracing::info!(request_id = %id, %client, status, kind, held_back, "refused a request");
            }
            None => tracing::debug!(request_id = %id, %client, status, kind, "refused a request"),
        }
    }

    /// Opens a stream if there is room; else it ends as soon as it has begun.
    fn open(&self, request: StreamRequest, client: ClientAddress, mut response: Response) -> Answer {
        let Some(streams) = &self.streams else { return Answer::Whole(response) };
        match streams.admit(client) {
            Ok(permit) => {
                let StreamRequest { selection, params } = request;
                let name = StreamName::new(rand::random());
                let now = Now::read();
                Answer::Stream(NewStream {
                    name,
                    head: response_head(response.headers(), now.unix),
                    hello: hello_block(name, &selection, streams.epoch, now),
                    symbols: selection.known.into_boxed_slice(),
                    options: params.options(streams.heartbeat),
                    resume: params.after(streams.epoch).map(|after| Resume { after, bytes: streams.replay_bytes }),
                    permit,
                })
            }
            Err(reason) => {
                streams.refusals.note(reason, client);
                *response.body_mut() = busy_bytes().into();
                Answer::Whole(response)
            }
        }
    }
}

impl Streams {
    /// What a stream holds as long as it lives.
    ///
    /// # Errors
    /// Why there is no room for it.
    fn admit(&self, client: ClientAddress) -> Result<Box<dyn Send>, Refusal> {
        if self.draining.load(Ordering::Relaxed) {
            return Err(Refusal::Draining);
        }
        let of_all = self.gate.try_acquire().ok_or(Refusal::Limit)?;
        let Some(addresses) = &self.addresses else { return Ok(Box::new(of_all)) };
        let of_address = addresses.try_acquire(client).ok_or(Refusal::Address)?;
        Ok(Box::new((of_all, of_address)))
    }
}

/// Whether a request may go to the routes.
fn check(hosts: &Hosts, request: &Parts, body: &Incoming) -> Result<(), Problem> {
    // Before all else: behind a body that nobody reads, no second request may be read from the connection.
    let headers = &request.headers;
    let says_length = headers.get_all(header::CONTENT_LENGTH).iter().any(|length| length.as_bytes() != b"0");
    if says_length || headers.contains_key(header::TRANSFER_ENCODING) || !body.is_end_stream() {
        return Err(Problem::Body);
    }
    hosts.check(request)?;
    if request.uri.path_and_query().is_some_and(|text| text.as_str().len() > URI_BYTES_MAX) {
        return Err(Problem::UriTooLong { limit: URI_BYTES_MAX });
    }
    Ok(())
}

fn add_common_headers(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

fn count(method: &Method, answer: &Answer) {
    let (route, status) = match answer {
        Answer::Stream(_) => (Route::Stream, StatusCode::OK),
        Answer::Whole(response) if *method == Method::OPTIONS => (Route::Preflight, response.status()),
        Answer::Whole(response) => (response.extensions().get().copied().unwrap_or(Route::Other), response.status()),
    };
    count_request(route, status);
}

/// Counts a request.
pub(crate) fn count_request(route: Route, status: StatusCode) {
    HTTP_REQUESTS.handle([route.name().into(), status.as_str().to_owned().into()]).increment(1);
}
