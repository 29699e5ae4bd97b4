//! What holds for every request, whatever its route: who may ask, what is refused before routing, what each answer
//! carries, and whether a stream finds room. The routes behind it are warp's.

use super::{
    cors::Cors,
    forwarded,
    host::Hosts,
    problem::Problem,
    routes::{Route, Routes},
    stream_head::{busy_bytes, opening_bytes},
    stream_request::StreamRequest,
};
use crate::{
    fanout::{Opening, Resume},
    limits::{Addresses, ClientAddress, Gate, Stream},
    market::Now,
    telemetry::names::{HTTP_REQUESTS, STREAMS_REJECTED},
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
    time::Duration,
};
use warp::reply::Response;

/// The longest path and query, in bytes: 500 symbols of 20 characters, with room for options.
pub(crate) const URI_BYTES_MAX: usize = 12 * 1024;

/// What answers a listener's requests.
pub(crate) struct Front {
    pub(crate) routes: Routes,
    pub(crate) hosts: Hosts,
    pub(crate) cors: Cors,
    /// Whose word counts on where a request comes from.
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// `None` on a listener without streams.
    pub(crate) streams: Option<Streams>,
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
}

/// How a request is answered.
pub(crate) enum Answer {
    /// By hyper, as always.
    Whole(Response),
    /// By the engine, on the request's connection.
    Stream(Opening),
}

impl Front {
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
        self.cors.permit(origin.as_ref(), response.headers_mut());
        add_common_headers(&mut response);
        let answer = match response.extensions_mut().remove::<Arc<StreamRequest>>() {
            Some(request) if method == Method::GET => self.open(Arc::unwrap_or_clone(request), client, response),
            _ => Answer::Whole(response),
        };
        count(&method, &answer);
        answer
    }

    /// Opens a stream if there is room; else it ends as soon as it has begun.
    fn open(&self, request: StreamRequest, client: ClientAddress, mut response: Response) -> Answer {
        let Some(streams) = &self.streams else { return Answer::Whole(response) };
        match streams.admit(client) {
            Ok(permit) => {
                let StreamRequest { selection, choices } = request;
                let name = StreamName::new(rand::random());
                let head = opening_bytes(response.headers(), name, &selection, streams.epoch, Now::read());
                Answer::Stream(Opening {
                    name,
                    head,
                    symbols: selection.known.into_boxed_slice(),
                    options: choices.options(streams.heartbeat),
                    resume: choices.after(streams.epoch).map(|after| Resume { after, bytes: streams.replay_bytes }),
                    permit,
                })
            }
            Err(reason) => {
                metrics::counter!(STREAMS_REJECTED, "reason" => reason).increment(1);
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
    /// Why there is no room for it: the label of its count.
    fn admit(&self, client: ClientAddress) -> Result<Box<dyn Send>, &'static str> {
        if self.draining.load(Ordering::Relaxed) {
            return Err("draining");
        }
        let of_all = self.gate.try_acquire().ok_or("limit")?;
        let Some(addresses) = &self.addresses else { return Ok(Box::new(of_all)) };
        let of_address = addresses.try_acquire(client).ok_or("address")?;
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
    metrics::counter!(HTTP_REQUESTS, "route" => route.name(), "code" => status.as_str().to_owned()).increment(1);
}
