//! The routes, as warp filters: each reads its part of a request into something valid and answers it.

use super::{
    openapi, page,
    problem::Problem,
    quotes,
    stream_head::stream_response,
    stream_request::{Query, Selection, StreamRequest},
};
use crate::{cache::Cache, market::Now};
use http::{HeaderMap, Request};
use hyper::{body::Incoming, service::Service};
use hyper_util::service::TowerToHyperService;
use percent_encoding::percent_decode_str;
use std::{convert::Infallible, pin::Pin, str::FromStr, sync::Arc};
use warp::{Filter, Rejection, reject::MethodNotAllowed, reply::Response};

/// The closed list of what a request can be counted as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    Stream,
    Quotes,
    Symbols,
    Page,
    OpenApi,
    Live,
    Ready,
    Metrics,
    Debug,
    Preflight,
    /// No route, or refused before it was known.
    Other,
    /// hyper could not read its head and answered it itself.
    Unreadable,
}

impl Route {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Quotes => "quotes",
            Self::Symbols => "symbols",
            Self::Page => "page",
            Self::OpenApi => "openapi",
            Self::Live => "livez",
            Self::Ready => "readyz",
            Self::Metrics => "metrics",
            Self::Debug => "debug",
            Self::Preflight => "preflight",
            Self::Other => "other",
            Self::Unreadable => "unreadable",
        }
    }

    /// Marks an answer as this route's.
    pub(crate) fn answer(self, answer: Result<Response, Problem>) -> Response {
        let mut response = answer.unwrap_or_else(Problem::into_response);
        response.extensions_mut().insert(self);
        response
    }
}

/// A listener's routes as a function: warp's own types for them cannot be named.
pub(crate) type Routes = Arc<dyn Fn(Request<Incoming>) -> Pin<Box<dyn Future<Output = Response> + Send>> + Send + Sync>;

/// Makes filters a function, which answers what none of them does with a problem.
pub(crate) fn into_routes<F>(filters: F) -> Routes
where
    F: Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static,
{
    let service = TowerToHyperService::new(warp::service(filters.recover(explain).unify()));
    Arc::new(move |request| {
        let answer = service.call(request);
        Box::pin(async move {
            let Ok(response) = answer.await;
            response
        })
    })
}

async fn explain(rejection: Rejection) -> Result<Response, Infallible> {
    let wrong_method = rejection.find::<MethodNotAllowed>().is_some();
    Ok(if wrong_method { Problem::MethodNotAllowed } else { Problem::NotFound }.into_response())
}

/// What the clients' routes need.
struct Context {
    cache: Arc<Cache>,
    /// How many symbols one request may name.
    symbols_max: usize,
}

/// The clients' routes. An answer that is to become a stream carries its `Arc<StreamRequest>` as an extension.
pub(crate) fn client_routes(cache: Arc<Cache>, symbols_max: usize) -> Routes {
    let context = Arc::new(Context { cache, symbols_max });
    let context = warp::any().map(move || context.clone());
    let query = warp::query::<Query>;
    let headers = warp::header::headers_cloned;

    let stream = warp::path!("v1" / "stream").and(warp::get()).and(context.clone()).and(query()).and(headers()).map(
        |context: Arc<Context>, query, headers| Route::Stream.answer(open(context.listed(&query), &query, &headers)),
    );
    let stream_of_one =
        warp::path!("v1" / "stream" / Segment).and(warp::get()).and(context.clone()).and(query()).and(headers()).map(
            |symbol, context: Arc<Context>, query, headers| {
                Route::Stream.answer(open(context.one(&symbol), &query, &headers))
            },
        );
    let quotes = warp::path!("v1" / "quotes")
        .and(warp::get())
        .and(context.clone())
        .and(query())
        .map(|context: Arc<Context>, query| Route::Quotes.answer(context.quotes(context.listed(&query))));
    let quote_of_one = warp::path!("v1" / "quotes" / Segment)
        .and(warp::get())
        .and(context.clone())
        .map(|symbol, context: Arc<Context>| Route::Quotes.answer(context.quotes(context.one(&symbol))));
    let symbols = warp::path!("v1" / "symbols")
        .and(warp::get())
        .and(context)
        .and(query())
        .map(|context: Arc<Context>, query| Route::Symbols.answer(quotes::symbols(&query, &context.cache)));
    let streams = stream.or(stream_of_one).unify();
    into_routes(
        streams
            .or(quotes)
            .unify()
            .or(quote_of_one)
            .unify()
            .or(symbols)
            .unify()
            .or(openapi::routes())
            .unify()
            .or(page::routes())
            .unify(),
    )
}

impl Context {
    fn one(&self, symbol: &Segment) -> Result<Selection, Problem> {
        Selection::new([symbol.0.as_str()].into_iter(), &self.cache, self.symbols_max)
    }

    fn listed(&self, query: &Query) -> Result<Selection, Problem> {
        Selection::from_query(query, &self.cache, self.symbols_max)
    }

    fn quotes(&self, selection: Result<Selection, Problem>) -> Result<Response, Problem> {
        selection.map(|selection| quotes::quotes(&selection, &self.cache, Now::read().unix))
    }
}

/// The answer that becomes a stream.
fn open(selection: Result<Selection, Problem>, query: &Query, headers: &HeaderMap) -> Result<Response, Problem> {
    let request = StreamRequest::new(selection?, query, headers)?;
    let mut response = stream_response();
    response.extensions_mut().insert(Arc::new(request));
    Ok(response)
}

/// A part of the path with its percent signs decoded. What is not UTF-8 becomes a character that no symbol has.
struct Segment(String);

impl FromStr for Segment {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(percent_decode_str(text).decode_utf8_lossy().into_owned()))
    }
}
