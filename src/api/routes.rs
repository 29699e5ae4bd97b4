//! The clients' routes: each reads its part of a request into something valid, and answers.

use super::{
    change_request,
    changes::{self, Changes},
    compression,
    error::ApiError,
    history::{self, HistoryParams},
    openapi::OPENAPI,
    page::{self, Found},
    quotes,
    rejections::Rejection,
    rights,
    selection::{Market, READS, SUBSCRIBES, Selection},
    sessions, stream_params,
    stream_request::StreamRequest,
    symbols,
};
use crate::{
    access::{Refusal, SignOn},
    cache::Cache,
    config::Live,
    demand::OnDemand,
    history::History,
    limits::{Gate, LargeAnswer, Permit},
    market::Now,
    server::{Answer, Asks, Elsewhere, Parameter, Problem, Request, Response, Router, Routes, json},
    telemetry::labels::labels,
    wire::Dictionary,
};
use bytes::Bytes;
use http::Method;
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
        /// The history of a symbol.
        History = "history",
        /// The dictionary of streams, or the way to it.
        Dictionary = "dictionary",
        /// A session: its cookie.
        Session = "session",
        /// Tickets.
        Tickets = "tickets",
        /// The document for machines.
        OpenApi = "openapi",
        /// The page for people, with its files.
        Page = "page",
    }
}

/// What the routes need.
pub(super) struct Context {
    pub(super) cache: Arc<Cache>,
    /// The feeds on demand, where there are some.
    pub(super) on_demand: Option<Arc<OnDemand>>,
    /// What charts begin with, where the gateway keeps it.
    pub(super) history: Option<Arc<History>>,
    pub(super) live: Live,
    /// Changes of open streams.
    pub(super) changes: Changes,
    /// For large answers.
    pub(super) large: Gate<LargeAnswer>,
    /// Where clients sign on.
    pub(super) sign_on: Option<Arc<SignOn>>,
}

/// A request for a stream, or why it is answered with `bye`.
pub(super) type Asked = Result<StreamRequest, Rejection>;

/// A constant: it says nothing of this gateway's addresses.
const ELSEWHERE: Elsewhere = Elsewhere {
    prefixes: &["/metrics", "/livez", "/readyz", "/debug", "/reload"],
    place: "Operators' pages are on another listener: see `admin_listen` under [server].",
};

/// The clients' routes.
pub(super) fn routes(context: Context) -> Routes<Asked> {
    Router::new(context, ELSEWHERE)
        .get(Route::Stream, "/v1/stream", stream_of_list)
        .asks(Asks::TokenOrTicket)
        .get(Route::Stream, "/v1/stream/{symbol}", stream_of_one)
        .asks(Asks::TokenOrTicket)
        .post_body(Route::Change, "/v1/streams/{control}", check_change, change)
        .get_async(Route::Quotes, "/v1/quotes", quotes_of_list)
        .get(Route::Quotes, "/v1/quotes/{symbol}", quote_of_one)
        .get_async(Route::Symbols, "/v1/symbols", symbols)
        .get_async(Route::History, "/v1/history/{symbol}", history_of_one)
        .get(Route::Dictionary, "/v1/dictionary", way_to_dictionary)
        .asks(Asks::Nothing)
        .get(Route::Dictionary, "/v1/dictionary/{hash}", dictionary)
        .asks(Asks::Nothing)
        .write(Route::Session, "/v1/session", &[Method::POST, Method::DELETE], session)
        .asks(Asks::BearerForCookie)
        // A client whose token has expired clears its cookie too.
        .asks_of(Method::DELETE, Asks::Nothing)
        .write(Route::Tickets, "/v1/tickets", &[Method::POST], ticket)
        .asks(Asks::Bearer)
        .get(Route::OpenApi, "/openapi.json", openapi)
        .asks(Asks::Nothing)
        .get_found(Route::Page, page::find, page_file)
        .asks(Asks::Nothing)
        .build()
}

/// An answer of more symbols takes a thread for tenths of a millisecond: it waits for its turn.
const SMALL_MAX: usize = 100;
/// Nor has a shorter body so many symbols, unless their names are short.
const SMALL_BODY_BYTES_MAX: usize = 1024;
/// So many points of a history are written in the time of one symbol.
const POINTS_PER_SYMBOL: usize = 10;

/// The parameter of a path that takes a list of symbols.
const SYMBOLS: [Parameter; 1] = [Parameter::List("symbols")];

fn stream_of_list(context: &Context, request: Request) -> Answer<Asked> {
    context.stream(&request, context.list(&request, &[&SYMBOLS, &stream_params::PARAMETERS[..]].concat(), SUBSCRIBES))
}

fn stream_of_one(context: &Context, request: Request) -> Answer<Asked> {
    context.stream(&request, context.one(&request, &stream_params::PARAMETERS, SUBSCRIBES))
}

/// A client whose stream is gone learns of that before it has sent a body.
fn check_change(context: &Context, control: &str) -> Option<Problem> {
    let error = context.changes.find(control).err()?;
    changes::count(&Err(error.clone()));
    Some(error.into())
}

async fn change(context: Arc<Context>, request: Request) -> Answer<Asked> {
    let changed = apply_change(&context, &request).await;
    changes::count(&changed);
    Answer::whole(changed.map(json))
}

async fn apply_change(context: &Context, request: &Request) -> Result<Bytes, ApiError> {
    request.query.check(&[])?;
    let stream = context.changes.find(&request.segment)?;
    context.changes.count(stream, request.rights.subject())?;
    let change = {
        let _turn = context.turn_for_body(request.body.len()).await;
        let per_minute = context.live.current().limits.new_symbols_per_address;
        change_request::change(
            request,
            &context.cache,
            context.market(SUBSCRIBES),
            context.symbols_max(),
            |selection| {
                let (on_demand, client) = context.on_demand.as_ref().zip(request.client)?;
                selection.subscribe(on_demand, client, per_minute, Now::read())
            },
        )?
    };
    context.changes.apply(stream, change).await
}

async fn quotes_of_list(context: Arc<Context>, request: Request) -> Answer<Asked> {
    let asked = request.query.all("symbols").map(|list| list.split(',').count()).sum();
    let _turn = context.turn(asked).await;
    quotes(context.list(&request, &SYMBOLS, READS), &request)
}

fn quote_of_one(context: &Context, request: Request) -> Answer<Asked> {
    quotes(context.one(&request, &[], READS), &request)
}

fn quotes(selection: Result<Selection, ApiError>, request: &Request) -> Answer<Asked> {
    let now = Now::read().unix;
    Answer::whole(selection.map(|selection| quotes::quotes(&selection, &request.rights, now)))
}

async fn symbols(context: Arc<Context>, request: Request) -> Answer<Asked> {
    let _turn = context.turn(symbols::looked_at(&request.query, &context.cache)).await;
    let on_demand = context.on_demand.as_deref();
    let symbols_max = context.symbols_max();
    Answer::whole(symbols::symbols(&request.query, &request.rights, &context.cache, on_demand, symbols_max))
}

async fn history_of_one(context: Arc<Context>, request: Request) -> Answer<Asked> {
    Answer::whole(read_history(&context, &request).await)
}

async fn read_history(context: &Context, request: &Request) -> Result<Response, ApiError> {
    let selection = context.one(request, &history::PARAMETERS, READS)?;
    let params = HistoryParams::new(&request.query)?;
    let trails = context.history.as_ref().ok_or(ApiError::NoHistory)?;
    let _turn = context.turn(params.points() / POINTS_PER_SYMBOL).await;
    let now = Now::read().instant;
    Ok(history::history(&selection, &params, &request.rights, trails, now))
}

fn way_to_dictionary(context: &Context, request: Request) -> Answer<Asked> {
    Answer::whole(context.asked_dictionary(&request).map(|dictionary| compression::redirect(&dictionary)))
}

fn dictionary(context: &Context, request: Request) -> Answer<Asked> {
    let dictionary = context.asked_dictionary(&request);
    Answer::whole(dictionary.and_then(|dictionary| compression::content(&dictionary, &request.segment)))
}

fn session(_: &Context, request: Request) -> Answer<Asked> {
    let is_over = request.method == Method::DELETE;
    Answer::whole(if is_over { sessions::close(&request) } else { sessions::open(&request) })
}

fn ticket(context: &Context, request: Request) -> Answer<Asked> {
    let ttl = context.live.current().auth.ticket_ttl;
    Answer::whole(sessions::ticket(context.sign_on.as_deref(), ttl, &request))
}

fn openapi(_: &Context, _: Request) -> Answer<Asked> {
    Answer::Whole(json(OPENAPI))
}

fn page_file(found: Found, request: Request) -> Answer<Asked> {
    Answer::whole(page::answer(&found, &request.headers))
}

impl Context {
    /// A stream of the symbols, if the client can take one.
    fn stream(&self, request: &Request, selection: Result<Selection, ApiError>) -> Answer<Asked> {
        let dictionary = self.dictionary();
        let stream = selection.and_then(|selection| StreamRequest::new(selection, request, dictionary.as_ref()));
        match stream {
            Ok(stream) => Answer::Stream(Ok(stream)),
            // A status would end a native EventSource for good.
            Err(ApiError::Refused(Refusal::NoKeys)) => Answer::Stream(Err(Rejection::NoKeys)),
            Err(error) => Answer::Problem(error.into()),
        }
    }

    /// The dictionary, for a client that fetches it.
    fn asked_dictionary(&self, request: &Request) -> Result<Arc<Dictionary>, ApiError> {
        request.query.check(&[])?;
        self.dictionary().ok_or(ApiError::NoDictionary)
    }

    /// What streams are compressed with; `None`: none are.
    fn dictionary(&self) -> Option<Arc<Dictionary>> {
        let config = self.live.current();
        config.server.compress.then(|| config.server.loaded_dictionary.clone())
    }

    /// Waits for a turn to make an answer of so many symbols. Small ones wait for nothing.
    async fn turn(&self, symbols: usize) -> Option<Permit<LargeAnswer>> {
        if symbols > SMALL_MAX { Some(self.large.acquire().await) } else { None }
    }

    /// The same for a body that may name many.
    async fn turn_for_body(&self, bytes: usize) -> Option<Permit<LargeAnswer>> {
        if bytes > SMALL_BODY_BYTES_MAX { Some(self.large.acquire().await) } else { None }
    }

    /// Where symbols are looked up, and, for a stream, subscribed on demand.
    pub(super) fn market(&self, subscribes: bool) -> Market<'_> {
        Market { cache: &self.cache, on_demand: self.on_demand.as_deref(), subscribes }
    }

    /// How many symbols one request may name.
    pub(super) fn symbols_max(&self) -> usize {
        self.live.current().limits.symbols_per_stream
    }

    /// The symbol that the path names.
    fn one(&self, request: &Request, parameters: &[Parameter], subscribes: bool) -> Result<Selection, ApiError> {
        request.query.check(parameters)?;
        let (market, limit) = (self.market(subscribes), self.symbols_max());
        Selection::new([request.segment.as_str()].into_iter(), &request.rights, market, limit)
            .map_err(|error| rights::explained(error, &request.headers))
    }

    /// The symbols that the query names.
    fn list(&self, request: &Request, parameters: &[Parameter], subscribes: bool) -> Result<Selection, ApiError> {
        request.query.check(parameters)?;
        Selection::from_query(&request.query, &request.rights, self.market(subscribes), self.symbols_max())
            .map_err(|error| rights::explained(error, &request.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{catalog::SECTIONS, labels::Label as _};

    #[test]
    fn the_catalog_has_every_route() {
        let mut metrics = SECTIONS.iter().flat_map(|(_, metrics)| metrics.iter());
        let requests = metrics.find(|metric| metric.name == "tickfan_http_requests_total").unwrap();
        for route in Route::ALL {
            assert!(requests.labels[0].values.contains(&route.label()), "{route}");
        }
    }
}
