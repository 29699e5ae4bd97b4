//! Routing, by warp's filters. No other file names warp: routes are declared as patterns and functions.

use super::{
    answer::Answer,
    body::RequestBody,
    declared::Declared,
    problem::Problem,
    request::{Parameters, Request, Rights},
    request_error::{RequestError, allow},
    requests::Unrouted,
    sign_on::Asks,
};
use crate::{limits::ClientAddress, suggest::nearest, telemetry::labels::Label};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, request::Parts};
use http_body_util::Empty;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use percent_encoding::percent_decode_str;
use std::{convert::Infallible, future::ready, marker::PhantomData, sync::Arc};
use warp::{
    Filter, Rejection, Reply,
    filters::BoxedFilter,
    path::FullPath,
    reject::{MethodNotAllowed, not_found},
};

/// The methods of routes that are read, and of those that are written to.
const GET: &[Method] = &[Method::GET, Method::HEAD];
const POST: &[Method] = &[Method::POST];

/// A listener's routes, as they are declared. `R` labels them, `C` is what their functions need, and `S` is what a
/// route answers with to open a stream.
pub(crate) struct Router<R, C, S> {
    context: Arc<C>,
    routes: Vec<BoxedFilter<(Routed<S>,)>>,
    /// In the same order.
    declared: Vec<Declared>,
    elsewhere: Elsewhere,
    label: PhantomData<fn(R)>,
}

/// A listener's routes, ready to answer.
pub(crate) struct Routes<S> {
    routes: BoxedFilter<(Routed<S>,)>,
    declared: Vec<Declared>,
    elsewhere: Elsewhere,
}

/// The paths of the other listener: a person who mixes the two up is told so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Elsewhere {
    /// What those paths begin with.
    pub(crate) prefixes: &'static [&'static str],
    /// Where they are.
    pub(crate) place: &'static str,
}

/// A route's answer, with the route's label.
pub(super) struct Routed<S> {
    pub(super) route: &'static str,
    pub(super) answer: Answer<S>,
}

impl<R, C, S> Router<R, C, S>
where
    R: Label,
    C: Send + Sync + 'static,
    S: Send + Sync + 'static,
{
    /// No routes yet.
    pub(crate) fn new(context: C, elsewhere: Elsewhere) -> Self {
        Self { context: Arc::new(context), routes: Vec::new(), declared: Vec::new(), elsewhere, label: PhantomData }
    }

    /// Answers GET on a pattern such as `/v1/stream` or `/v1/stream/{symbol}`. The function must not block.
    pub(crate) fn get(mut self, route: R, pattern: &'static str, answer: fn(&C, Request) -> Answer<S>) -> Self {
        let context = self.context.clone();
        self.declared.push(Declared::at(pattern, GET));
        self.add(route, requests_of(pattern).map(move |request| answer(&context, request)))
    }

    /// As [`Router::get`], where the answer takes time.
    pub(crate) fn get_async<F: Future<Output = Answer<S>> + Send + 'static>(
        mut self,
        route: R,
        pattern: &'static str,
        answer: fn(Arc<C>, Request) -> F,
    ) -> Self {
        let context = self.context.clone();
        self.declared.push(Declared::at(pattern, GET));
        self.add(route, requests_of(pattern).then(move |request| answer(context.clone(), request)))
    }

    /// Answers POST on a pattern, where the answer takes time. Any other method is told to use POST.
    pub(crate) fn post_async<F: Future<Output = Answer<S>> + Send + 'static>(
        mut self,
        route: R,
        pattern: &'static str,
        answer: fn(Arc<C>, Request) -> F,
    ) -> Self {
        let context = self.context.clone();
        self.declared.push(Declared::at(pattern, POST));
        let requests = path(pattern).and(warp::method()).and(request());
        self.add(
            route,
            requests.then(move |segment, method, request| {
                let context = context.clone();
                async move {
                    if method == Method::POST {
                        answer(context, Request { segment, ..request }).await
                    } else {
                        Answer::Problem(RequestError::PostOnly.into())
                    }
                }
            }),
        )
    }

    /// As [`Router::post_async`], where the request may have a body. `check` is asked for the segment that the pattern
    /// leaves open, before the body is awaited.
    pub(crate) fn post_body<F: Future<Output = Answer<S>> + Send + 'static>(
        self,
        route: R,
        pattern: &'static str,
        check: fn(&C, &str) -> Option<Problem>,
        answer: fn(Arc<C>, Request) -> F,
    ) -> Self {
        let context = self.context.clone();
        let mut router = self.post_async(route, pattern, answer);
        router.newest().before_body = Some(Box::new(move |segment| check(&context, segment)));
        router
    }

    /// Answers these methods on a pattern. Any other is told to use one of them. The function must not block.
    pub(crate) fn write(
        mut self,
        route: R,
        pattern: &'static str,
        methods: &'static [Method],
        answer: fn(&C, Request) -> Answer<S>,
    ) -> Self {
        let context = self.context.clone();
        self.declared.push(Declared::at(pattern, methods));
        let requests = path(pattern).and(request());
        self.add(
            route,
            requests.map(move |segment, request: Request| {
                if methods.contains(&request.method) {
                    answer(&context, Request { segment, ..request })
                } else {
                    Answer::Problem(RequestError::NotOf { methods }.into())
                }
            }),
        )
    }

    /// Answers GET on every path for which `find` returns something, which the function gets.
    pub(crate) fn get_found<T: Send + 'static>(
        mut self,
        route: R,
        find: fn(&str) -> Option<T>,
        answer: fn(T, Request) -> Answer<S>,
    ) -> Self {
        self.declared.push(Declared::found(move |path| find(path).is_some(), GET));
        let found = warp::path::full()
            .and_then(move |path: FullPath| ready(find(path.as_str()).ok_or_else(not_found)))
            .and(warp::get())
            .and(request());
        self.add(route, found.map(answer))
    }

    /// Which credentials the route asks for that was declared last; the others ask for a token.
    pub(crate) fn asks(mut self, asks: Asks) -> Self {
        self.newest().asks = asks;
        self
    }

    /// The same for one of its methods.
    pub(crate) fn asks_of(mut self, method: Method, asks: Asks) -> Self {
        self.newest().asks_of = Some((method, asks));
        self
    }

    fn newest(&mut self) -> &mut Declared {
        self.declared.last_mut().expect("a route was declared")
    }

    fn add(
        mut self,
        route: R,
        answer: impl Filter<Extract = (Answer<S>,), Error = Rejection> + Clone + Send + Sync + 'static,
    ) -> Self {
        let route = route.label();
        self.newest().label = route;
        self.routes.push(answer.map(move |answer| Routed { route, answer }).boxed());
        self
    }

    /// Ends the declaration. Routes are tried in the order in which they were declared.
    ///
    /// # Panics
    /// If none was declared.
    pub(crate) fn build(self) -> Routes<S> {
        // From the last to the first, so that the first is the least deeply nested.
        let routes = self.routes.into_iter().rev().reduce(|later, earlier| earlier.or(later).unify().boxed());
        let routes = routes.expect("a listener has routes");
        let routes = routes.recover(|rejection| ready(Ok::<_, Infallible>(unrouted(&rejection)))).unify().boxed();
        Routes { routes, declared: self.declared, elsewhere: self.elsewhere }
    }
}

impl<S: Send + Sync + 'static> Routes<S> {
    /// Whether a request may have a body.
    pub(super) fn takes_body(&self, head: &Parts) -> bool {
        head.method == Method::POST
            && self.declared(head.uri.path()).is_some_and(|declared| declared.before_body.is_some())
    }

    /// Why a path that may have a body has none by a request's method.
    pub(super) fn wrong_method(&self, head: &Parts) -> Option<RequestError> {
        let declared = self.declared(head.uri.path())?;
        let is_wrong = head.method != Method::OPTIONS && !declared.methods.contains(&head.method);
        (declared.before_body.is_some() && is_wrong).then_some(RequestError::PostOnly)
    }

    /// The answer to a request whose body need not be awaited.
    pub(super) fn before_body(&self, head: &Parts) -> Option<Routed<S>> {
        if head.method != Method::POST {
            return None;
        }
        let path = head.uri.path();
        let declared = self.declared(path)?;
        let segment = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let refused = declared.before_body.as_ref()?(&decoded(segment))?;
        Some(Routed { route: declared.label, answer: Answer::Problem(refused) })
    }

    /// The label of a request's route, if there is one.
    pub(super) fn label(&self, head: &Parts) -> Option<&'static str> {
        Some(self.declared(head.uri.path())?.label)
    }

    /// Which credentials a request's route asks for. A path that does not exist is as secret as one that does.
    pub(super) fn asks(&self, head: &Parts) -> Asks {
        self.declared(head.uri.path()).map_or(Asks::Token, |declared| declared.asks(&head.method))
    }

    /// The value of `Allow` for a request's path.
    pub(super) fn allow(&self, head: &Parts) -> HeaderValue {
        allow(self.declared(head.uri.path()).map_or(GET, |declared| declared.methods))
    }

    /// The declaration of the route that takes a path.
    fn declared(&self, path: &str) -> Option<&Declared> {
        self.declared.iter().find(|declared| declared.has(path))
    }

    /// Answers a request whose client has these rights. `body` is its body, if it may have one.
    pub(super) async fn answer(&self, mut head: Parts, rights: Rights, body: RequestBody) -> Routed<S> {
        // The target of CONNECT, or of a client that mistakes the form of a target, is a host alone: warp would panic.
        if head.uri.path_and_query().is_none() {
            let problem = self.not_found(head.uri.path()).into();
            return Routed { route: Unrouted::Other.label(), answer: Answer::Problem(problem) };
        }
        head.extensions.insert(body);
        let uri = head.uri.clone();
        head.extensions.insert(rights);
        let service = TowerToHyperService::new(warp::service(self.routes.clone()));
        let Ok(carrier) = service.call(http::Request::from_parts(head, Empty::<Bytes>::new())).await;
        let routed = carrier.into_parts().0.extensions.remove::<Arc<Routed<S>>>();
        let routed = routed.and_then(Arc::into_inner).expect("every filter ends in a `Routed`, which is held once");
        match routed.answer {
            // A filter that rejects a request does not know its path.
            Answer::Problem(problem)
                if routed.route == Unrouted::Other.label() && problem.status == StatusCode::NOT_FOUND =>
            {
                Routed { answer: Answer::Problem(self.not_found(uri.path()).into()), ..routed }
            }
            answer => Routed { answer, ..routed },
        }
    }

    fn not_found(&self, path: &str) -> RequestError {
        let path = decoded(path);
        let is_elsewhere = self.elsewhere.prefixes.iter().any(|prefix| path.starts_with(prefix));
        let patterns: Vec<&str> = self.declared.iter().filter_map(Declared::pattern).collect();
        let whole = self.declared.iter().filter_map(Declared::pattern).filter(|pattern| !pattern.contains('{'));
        RequestError::NotFound {
            routes: patterns.join(", "),
            meant: nearest(path.trim_end_matches('/'), whole.filter(|pattern| *pattern != "/")),
            elsewhere: is_elsewhere.then_some(self.elsewhere.place),
        }
    }
}

/// A service of warp returns warp's own response, so the answer travels in its extensions. Only [`Routes::answer`] sees
/// it.
impl<S: Send + Sync + 'static> Reply for Routed<S> {
    fn into_response(self) -> warp::reply::Response {
        let mut carrier = warp::reply::Response::default();
        carrier.extensions_mut().insert(Arc::new(self));
        carrier
    }
}

/// Matches GET on a pattern.
fn requests_of(pattern: &'static str) -> impl Filter<Extract = (Request,), Error = Rejection> + Clone {
    path(pattern).and(warp::get()).and(request()).map(|segment, request| Request { segment, ..request })
}

/// Matches a whole path; extracts the decoded segment that the pattern leaves open, or an empty string.
fn path(pattern: &'static str) -> BoxedFilter<(String,)> {
    let mut path = warp::any().map(String::new).boxed();
    for segment in pattern.split('/').filter(|segment| !segment.is_empty()) {
        path = if segment.starts_with('{') {
            path.and(warp::path::param()).map(|_, raw: String| decoded(&raw)).boxed()
        } else {
            path.and(warp::path(segment)).boxed()
        };
    }
    path.and(warp::path::end()).boxed()
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// The parts of a request that every route's function gets.
fn request() -> impl Filter<Extract = (Request,), Error = Rejection> + Clone {
    let rights = warp::ext::optional().map(|rights: Option<Rights>| rights.unwrap_or(Rights::Unknown));
    let body = warp::ext::optional::<RequestBody>();
    let client = warp::ext::optional::<ClientAddress>();
    warp::query().and(warp::header::headers_cloned()).and(warp::method()).and(rights).and(body).and(client).map(
        |parameters: Parameters, headers, method, rights, body, client| Request {
            segment: String::new(),
            query: parameters.into(),
            headers,
            body: Option::unwrap_or_default(body),
            method,
            rights,
            client,
        },
    )
}

/// The answer to a request that no route takes.
fn unrouted<S>(rejection: &Rejection) -> Routed<S> {
    let error = match rejection.find::<MethodNotAllowed>() {
        Some(_) => RequestError::MethodNotAllowed,
        None => RequestError::NotFound { routes: String::new(), meant: None, elsewhere: None },
    };
    Routed { route: Unrouted::Other.label(), answer: Answer::Problem(error.into()) }
}

#[cfg(test)]
#[path = "router_tests.rs"]
mod tests;
