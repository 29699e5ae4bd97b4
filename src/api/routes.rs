//! The clients' routes: each reads its part of a request into something valid, and answers.

use super::{
    change_request,
    changes::{self, Changes},
    error::ApiError,
    openapi::OPENAPI,
    page::{self, File},
    quotes,
    selection::Selection,
    stream_params,
    stream_request::StreamRequest,
    symbols,
};
use crate::{
    cache::Cache,
    config::Live,
    limits::{Gate, LargeAnswer, Permit},
    market::Now,
    server::{Answer, Elsewhere, Parameter, Request, Router, Routes, json},
    telemetry::labels::labels,
};
use bytes::Bytes;
use std::sync::Arc;

labels! {
    /// What a client's request is counted as.
    pub(super) enum Route {
        /// A stream.
        Stream = "stream",
        /// A change of a stream.
        Change = "change",
        /// Quotes.
        Quotes = "quotes",
        /// The list of symbols.
        Symbols = "symbols",
        /// The document for machines.
        OpenApi = "openapi",
        /// The page for people, with its files.
        Page = "page",
    }
}

/// What the routes need.
pub(super) struct Context {
    pub(super) cache: Arc<Cache>,
    pub(super) live: Live,
    /// Changes of open streams.
    pub(super) changes: Changes,
    /// For large answers.
    pub(super) large: Gate<LargeAnswer>,
}

/// A constant: it says nothing of this gateway's addresses.
const ELSEWHERE: Elsewhere = Elsewhere {
    prefixes: &["/metrics", "/livez", "/readyz", "/debug", "/reload"],
    place: "Operators' pages are on another listener: see `admin_listen` under [server].",
};

/// The clients' routes.
pub(super) fn routes(context: Context) -> Routes<StreamRequest> {
    Router::new(context, ELSEWHERE)
        .get(Route::Stream, "/v1/stream", stream_of_list)
        .get(Route::Stream, "/v1/stream/{symbol}", stream_of_one)
        .post_body(Route::Change, "/v1/streams/{control}", change)
        .get_async(Route::Quotes, "/v1/quotes", quotes_of_list)
        .get(Route::Quotes, "/v1/quotes/{symbol}", quote_of_one)
        .get_async(Route::Symbols, "/v1/symbols", symbols)
        .get(Route::OpenApi, "/openapi.json", openapi)
        .get_found(Route::Page, page::find, page_file)
        .build()
}

/// An answer of more symbols takes a thread for tenths of a millisecond: it waits for its turn.
const SMALL_MAX: usize = 100;

/// The parameter of a path that takes a list of symbols.
const SYMBOLS: [Parameter; 1] = [Parameter::List("symbols")];

fn stream_of_list(context: &Context, request: Request) -> Answer<StreamRequest> {
    stream(&request, context.list(&request, &[&SYMBOLS, &stream_params::PARAMETERS[..]].concat()))
}

fn stream_of_one(context: &Context, request: Request) -> Answer<StreamRequest> {
    stream(&request, context.one(&request, &stream_params::PARAMETERS))
}

/// A stream of the symbols, if the client can take one.
fn stream(request: &Request, selection: Result<Selection, ApiError>) -> Answer<StreamRequest> {
    let stream = selection.and_then(|selection| StreamRequest::new(selection, &request.query, &request.headers));
    match stream {
        Ok(stream) => Answer::Stream(stream),
        Err(error) => Answer::Problem(error.into()),
    }
}

async fn change(context: Arc<Context>, request: Request) -> Answer<StreamRequest> {
    let changed = apply_change(&context, &request).await;
    changes::count(&changed);
    Answer::whole(changed.map(json))
}

/// Finds the stream first, so that a client whose stream is gone learns of that, whatever its body.
async fn apply_change(context: &Context, request: &Request) -> Result<Bytes, ApiError> {
    request.query.check(&[])?;
    let stream = context.changes.find(&request.segment)?;
    let change = change_request::change(&request.body, &request.headers, &context.cache, context.symbols_max())?;
    context.changes.apply(stream, change).await
}

async fn quotes_of_list(context: Arc<Context>, request: Request) -> Answer<StreamRequest> {
    let asked = request.query.all("symbols").map(|list| list.split(',').count()).sum();
    let _turn = context.turn(asked).await;
    quotes(context.list(&request, &SYMBOLS), &context)
}

fn quote_of_one(context: &Context, request: Request) -> Answer<StreamRequest> {
    quotes(context.one(&request, &[]), context)
}

fn quotes(selection: Result<Selection, ApiError>, context: &Context) -> Answer<StreamRequest> {
    Answer::whole(selection.map(|selection| quotes::quotes(&selection, &context.cache, Now::read().unix)))
}

async fn symbols(context: Arc<Context>, request: Request) -> Answer<StreamRequest> {
    let _turn = context.turn(symbols::listed(&request.query)).await;
    Answer::whole(symbols::symbols(&request.query, &context.cache))
}

fn openapi(_: &Context, _: Request) -> Answer<StreamRequest> {
    Answer::Whole(json(OPENAPI))
}

fn page_file(file: &'static File, request: Request) -> Answer<StreamRequest> {
    Answer::Whole(page::answer(file, &request.headers))
}

impl Context {
    /// Waits for a turn to make an answer of so many symbols. Small ones wait for nothing.
    async fn turn(&self, symbols: usize) -> Option<Permit<LargeAnswer>> {
        if symbols > SMALL_MAX { Some(self.large.acquire().await) } else { None }
    }

    /// How many symbols one request may name.
    fn symbols_max(&self) -> usize {
        self.live.current().limits.symbols_per_stream
    }

    /// The symbol that the path names.
    fn one(&self, request: &Request, parameters: &[Parameter]) -> Result<Selection, ApiError> {
        request.query.check(parameters)?;
        Selection::new([request.segment.as_str()].into_iter(), &self.cache, self.symbols_max())
    }

    /// The symbols that the query names.
    fn list(&self, request: &Request, parameters: &[Parameter]) -> Result<Selection, ApiError> {
        request.query.check(parameters)?;
        Selection::from_query(&request.query, &self.cache, self.symbols_max())
    }
}
