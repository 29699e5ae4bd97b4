//! The clients' routes: each reads its part of a request into something valid, and answers.

use super::{
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
    market::Now,
    server::{Answer, Elsewhere, Parameter, Request, Router, Routes, json},
    telemetry::labels::labels,
};
use std::sync::Arc;

labels! {
    /// What a client's request is counted as.
    pub(super) enum Route {
        /// A stream.
        Stream = "stream",
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
        .get(Route::Quotes, "/v1/quotes", quotes_of_list)
        .get(Route::Quotes, "/v1/quotes/{symbol}", quote_of_one)
        .get(Route::Symbols, "/v1/symbols", symbols)
        .get(Route::OpenApi, "/openapi.json", openapi)
        .get_found(Route::Page, page::find, page_file)
        .build()
}

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

fn quotes_of_list(context: &Context, request: Request) -> Answer<StreamRequest> {
    quotes(context.list(&request, &SYMBOLS), context)
}

fn quote_of_one(context: &Context, request: Request) -> Answer<StreamRequest> {
    quotes(context.one(&request, &[]), context)
}

fn quotes(selection: Result<Selection, ApiError>, context: &Context) -> Answer<StreamRequest> {
    Answer::whole(selection.map(|selection| quotes::quotes(&selection, &context.cache, Now::read().unix)))
}

fn symbols(context: &Context, request: Request) -> Answer<StreamRequest> {
    Answer::whole(symbols::symbols(&request.query, &context.cache))
}

fn openapi(_: &Context, _: Request) -> Answer<StreamRequest> {
    Answer::Whole(json(OPENAPI))
}

fn page_file(file: &'static File, request: Request) -> Answer<StreamRequest> {
    Answer::Whole(page::answer(file, &request.headers))
}

impl Context {
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
