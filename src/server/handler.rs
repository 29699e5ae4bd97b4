//! What holds for every request, whatever its route: it is checked before it is routed, and every answer gets the same
//! headers and is counted. Both listeners, and every protocol that brings requests, use the same handler.

use super::{
    answer::{Answer, Outcome},
    body::{self, RequestBody},
    cors::Cors,
    forwarded,
    hosts::Hosts,
    peer::{Peer, Scheme},
    problem::Problem,
    request::Rights,
    request_error::RequestError,
    request_id::RequestId,
    requests::{self, Unrouted},
    response::Response,
    router::{Routed, Routes},
    sign_on::SignOn,
    streams::Streams,
};
use crate::{
    config::{self, AuthMode, Config, Live},
    limits::ClientAddress,
    telemetry::{ClientName, SharedLogLimit, labels::Label as _},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header, request::Parts};
use http_body::Body;
use ipnet::IpNet;
use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

/// Of a listener's rejected requests, one in this time is logged at `info`; the rest are for `debug`.
const PROBLEM_LOG_EVERY: Duration = Duration::from_secs(1);

/// Of the pages whose origin is not listed, one in this time is logged at `info`: each of them asks again and again.
const ORIGIN_LOG_EVERY: Duration = Duration::from_secs(10);
/// What the line says.
const ORIGIN_REFUSED: &str = "a page may not read the answer: `cors_origins` does not list its origin";
/// The most characters of an origin that are logged. A name has at most 253.
const ORIGIN_CHARACTERS_MAX: usize = 100;

/// Whom a listener answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Audience {
    /// As configured.
    Clients,
    /// The same hosts, but no other site's page may read the answers, and no proxy is expected.
    Operators,
}

impl Audience {
    /// As the label of a metric.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Clients => "clients",
            Self::Operators => "operators",
        }
    }

    /// The proxies that speak for many clients.
    pub(super) fn trusted_proxies(self, server: &config::Server) -> &[IpNet] {
        match self {
            Self::Clients => &server.trusted_proxies,
            Self::Operators => &[],
        }
    }
}

/// Which requests are answered, and which pages may read the answers.
struct Policy<'a> {
    hosts: Hosts<'a>,
    cors: Cors<'a>,
    /// The proxies whose `X-Forwarded-For` counts.
    trusted_proxies: &'a [IpNet],
    /// The header that carries a client's id, if there is one.
    client_id_header: Option<&'a HeaderName>,
    /// The longest path and query, in bytes.
    uri_bytes_max: usize,
    /// For how long the client is to use https alone.
    hsts: Option<Duration>,
    /// Whether clients sign on.
    signs_on: bool,
}

impl<'a> Policy<'a> {
    fn new(audience: Audience, scheme: Scheme, config: &'a Config) -> Self {
        let server = &config.server;
        let of_both = Self {
            hosts: Hosts(&server.hosts),
            cors: Cors(&[]),
            trusted_proxies: audience.trusted_proxies(server),
            client_id_header: None,
            uri_bytes_max: config.limits.uri_bytes_max(),
            hsts: config.tls.as_ref().map(|tls| tls.hsts).filter(|hsts| scheme == Scheme::Https && !hsts.is_zero()),
            signs_on: false,
        };
        match audience {
            Audience::Clients => Self {
                cors: Cors(&server.cors_origins),
                client_id_header: server.client_id_header.as_ref(),
                signs_on: config.auth.mode != AuthMode::Off,
                ..of_both
            },
            Audience::Operators => of_both,
        }
    }

    /// The client of a request that came from `peer`. Where proxies are trusted, only they say a client's id. Of
    /// several the last counts: the nearest proxy wrote it.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientName {
        let client = ClientName::from(forwarded::client(peer, headers, self.trusted_proxies));
        let Some(name) = self.client_id_header else { return client };
        let is_believed = self.trusted_proxies.is_empty() || forwarded::is_trusted(peer, self.trusted_proxies);
        match headers.get_all(name).iter().next_back() {
            Some(id) if is_believed => client.with_id(id.as_bytes()),
            _ => client,
        }
    }

    /// Whether a request may be routed, but for its body.
    fn check(&self, head: &Parts) -> Result<(), RequestError> {
        self.hosts.check(head)?;
        if head.uri.path_and_query().is_some_and(|target| target.as_str().len() > self.uri_bytes_max) {
            return Err(RequestError::UriTooLong { limit: self.uri_bytes_max });
        }
        Ok(())
    }

    /// Adds the headers that every answer has.
    fn finish(&self, mut response: Response, origin: Option<HeaderValue>) -> Response {
        let headers = response.headers_mut();
        self.cors.permit(origin.as_ref(), self.signs_on, headers);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        let max_age = self.hsts.and_then(|hsts| HeaderValue::try_from(format!("max-age={}", hsts.as_secs())).ok());
        headers.extend(max_age.map(|max_age| (header::STRICT_TRANSPORT_SECURITY, max_age)));
        response
    }
}

/// Answers a listener's requests.
pub(crate) struct RequestHandler<S: Streams> {
    audience: Audience,
    live: Live,
    routes: Routes<S::Request>,
    streams: S,
    sign_on: Option<Arc<dyn SignOn>>,
    problem_log: SharedLogLimit,
    origin_log: SharedLogLimit,
}

impl<S: Streams> RequestHandler<S> {
    /// Requests that pass the policy go to the routes; those for streams go on to `streams`.
    pub(crate) fn new(audience: Audience, live: Live, routes: Routes<S::Request>, streams: S) -> Self {
        let [problem_log, origin_log] = [PROBLEM_LOG_EVERY, ORIGIN_LOG_EVERY].map(SharedLogLimit::new);
        Self { audience, live, routes, streams, sign_on: None, problem_log, origin_log }
    }

    /// The same handler, which asks `sign_on` what a client may read.
    pub(crate) fn with_sign_on(self, sign_on: Option<Arc<dyn SignOn>>) -> Self {
        Self { sign_on, ..self }
    }

    /// Where admitted streams go.
    pub(super) fn streams(&self) -> &S {
        &self.streams
    }

    /// Whose requests it answers.
    pub(super) fn audience(&self) -> Audience {
        self.audience
    }

    /// Answers a request that came from `peer`.
    pub(crate) async fn answer<B: Body<Data = Bytes> + Send>(
        &self,
        request: Request<B>,
        peer: Peer,
    ) -> Outcome<S::Admitted> {
        let (mut head, body) = request.into_parts();
        // One snapshot for the whole request: a reload meanwhile does not split it.
        let config = self.live.current();
        let policy = Policy::new(self.audience, peer.scheme, &config);
        let mut client = policy.client(peer.address, &head.headers);
        let origin = head.headers.get(header::ORIGIN).cloned();
        self.log_refused_origin(policy.cors, &head, &client);
        let wants_head_only = head.method == Method::HEAD;
        let has_body = body::is_announced(&head, &body);
        let checked = if has_body && (body::has_coding(&head) || !self.routes.takes_body(&head)) {
            Err(self.routes.wrong_method(&head).unwrap_or(RequestError::Body))
        } else {
            policy.check(&head)
        };
        let rights = match checked {
            Ok(()) if policy.signs_on => self.rights(&head, &config).await,
            Ok(()) => Ok(Rights::All),
            Err(error) => Err(error.into()),
        };
        if let Ok(Rights::Granted(grant)) = &rights
            && let Some(subject) = grant.subject
        {
            client = client.with_subject(subject.to_string());
        }
        // A body is read only for those who may ask at all, of what there is. It has as long as a head.
        let early = rights.is_ok().then(|| self.routes.before_body(&head)).flatten();
        let mut is_read = !has_body;
        let routed = match (early, rights) {
            (Some(early), _) => early,
            (None, Ok(rights)) => {
                let body = body::read(body, config.limits.body_bytes_max(), config.limits.head_timeout).await;
                is_read = body.is_whole();
                head.extensions.insert(ClientAddress::from(client.address));
                self.route(head, Ok((rights, body))).await
            }
            (None, Err(problem)) => self.route(head, Err(problem)).await,
        };
        let mut outcome = match routed.answer {
            Answer::Whole(response) => Outcome::Whole(policy.finish(response, origin)),
            Answer::Problem(problem) => Outcome::Whole(policy.finish(self.problem_response(problem, &client), origin)),
            Answer::Stream(request) => {
                let head = policy.finish(self.streams.head(&request), origin);
                if wants_head_only { Outcome::InsteadOfStream(head) } else { self.streams.admit(request, client, head) }
            }
        };
        if let Outcome::Whole(response) = &mut outcome
            && !is_read
        {
            // What is left of the body could be taken for a request. HTTP/2 tells them apart, and leaves the field out.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        requests::count(routed.route, outcome.status());
        outcome
    }

    /// What the client of a request may read. A preflight comes without credentials.
    async fn rights(&self, head: &Parts, config: &Config) -> Result<Rights, Problem> {
        match &self.sign_on {
            Some(sign_on) if head.method != Method::OPTIONS => {
                sign_on.rights(head, self.routes.asks(head), config).await
            }
            _ => Ok(Rights::Unknown),
        }
    }

    /// Answers `OPTIONS` and what was rejected; all else is the routes'.
    async fn route(&self, mut head: Parts, admitted: Result<(Rights, RequestBody), Problem>) -> Routed<S::Request> {
        let is_preflight = head.method == Method::OPTIONS;
        let label = || match is_preflight {
            true => Unrouted::Preflight.label(),
            false => self.routes.label(&head).unwrap_or(Unrouted::Other.label()),
        };
        let (rights, body) = match admitted {
            Ok(admitted) => admitted,
            Err(problem) => return Routed { route: label(), answer: Answer::Problem(problem) },
        };
        if is_preflight {
            return Routed { route: label(), answer: Answer::Whole(Cors::preflight(self.routes.allow(&head))) };
        }
        if head.method == Method::HEAD {
            // Routed as GET; hyper knows the request's method and leaves the body out.
            head.method = Method::GET;
        }
        self.routes.answer(head, rights, body).await
    }

    /// Tells the operator of a page whose browser keeps the answer from it: to the gateway the request looks like any
    /// other.
    fn log_refused_origin(&self, cors: Cors<'_>, head: &Parts, client: &ClientName) {
        if matches!(self.audience, Audience::Operators) {
            return;
        }
        let Some(origin) = cors.refused(head) else { return };
        let origin: String = origin.chars().take(ORIGIN_CHARACTERS_MAX).collect();
        let client_id = client.id();
        let client = client.address;
        match self.origin_log.admit(Instant::now()) {
            Some(held_back) => tracing::info!(origin, %client, client_id, held_back, "{ORIGIN_REFUSED}"),
            None => tracing::debug!(origin, %client, client_id, "{ORIGIN_REFUSED}"),
        }
    }

    /// The problem document, and a line with the same id in the log.
    fn problem_response(&self, problem: Problem, client: &ClientName) -> Response {
        let id = RequestId::next();
        let status = problem.status.as_u16();
        let Problem { kind, limit, .. } = problem;
        let refused = problem.refused.as_ref();
        let reason = refused.map(|refused| refused.reason);
        let claim = refused.and_then(|refused| refused.claim);
        let expected = refused.and_then(|refused| refused.expected.as_deref());
        let client_id = client.id();
        let subject = client.subject();
        let client = client.address;
        // The log repeats nothing that the client wrote; the document does.
        match self.problem_log.admit(Instant::now()) {
            Some(held_back) => {
                tracing::info!(request_id = %id, %client, client_id, subject, status, kind, reason, claim, expected, limit, held_back, "rejected a request");
            }
            None => {
                tracing::debug!(request_id = %id, %client, client_id, subject, status, kind, reason, claim, expected, limit, "rejected a request")
            }
        }
        problem.into_response(id)
    }
}
