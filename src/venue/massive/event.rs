//! One element of a frame's array.

use super::conditions;
use crate::{
    market::{
        Decimal, FeedSymbol, Field, Halt, QuoteUpdate, Sequence, StatsUpdate, StatsWindow, StatusUpdate, TradeUpdate,
        Update,
    },
    telemetry::labels::Tally,
    venue::{
        Batch, DecodeError, Message,
        kit::{
            Aim, Names,
            raw::{Exact, Raw, TimeUnit, Value, required, unless_zero},
        },
    },
};
use serde::Deserialize;

/// Indicators of [`Channel::Limits`]: trading is halted, and reopens.
const HALTED: &str = "17";
const REOPENS: &str = "18";

/// What is subscribed of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    /// Without these a symbol is refused.
    Trades,
    Quotes,
    /// Of seconds, with the day's volume.
    Bars,
    /// Limits of the price, and halts.
    Limits,
}

impl Channel {
    pub(super) const ALL: &[Self] = &[Self::Trades, Self::Quotes, Self::Bars, Self::Limits];
    /// Of the delayed host.
    pub(super) const LATE: &[Self] = &[Self::Trades, Self::Bars];

    /// What stands before the symbol's name and a point.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Trades => "T",
            Self::Quotes => "Q",
            Self::Bars => "A",
            Self::Limits => "LULD",
        }
    }

    /// Whether symbols live without it.
    pub(super) fn is_extra(self) -> bool {
        self != Self::Trades
    }

    /// The channel and the symbol of a topic.
    fn find(topic: &str, names: &Names) -> Option<Result<(Self, FeedSymbol), DecodeError>> {
        let (prefix, name) = topic.split_once('.')?;
        let channel = Self::ALL.iter().find(|channel| channel.prefix() == prefix)?;
        Some(names.answer_of(name).map(|symbol| (*channel, symbol)))
    }
}

/// What the venue says of the connection.
#[derive(Debug, PartialEq)]
pub(super) enum Status {
    Connected,
    LoggedIn,
    /// A topic is subscribed, or no longer.
    Held(Aim, Channel, FeedSymbol),
    /// A topic is not in the plan.
    NotAuthorized,
    WrongKey,
    TooManyConnections,
    /// An error that passes.
    Failed,
    Other,
}

/// The trades that a connection had last, to tell one that is sent twice.
#[derive(Debug, Default)]
pub(super) struct Trades(Vec<Option<[u64; 3]>>);

impl Trades {
    pub(super) fn forget(&mut self, symbol: FeedSymbol) {
        if let Some(last) = self.0.get_mut(symbol.index()) {
            *last = None;
        }
    }

    /// Whether the symbol has had a trade with an id since it was asked for.
    pub(super) fn has(&self, symbol: FeedSymbol) -> bool {
        self.0.get(symbol.index()).is_some_and(Option::is_some)
    }

    /// Whether the symbol's last trade was this one; it is now.
    fn repeats(&mut self, symbol: FeedSymbol, trade: Option<[u64; 3]>) -> bool {
        if self.0.len() <= symbol.index() {
            self.0.resize(symbol.index() + 1, None);
        }
        let before = std::mem::replace(&mut self.0[symbol.index()], trade);
        trade.is_some() && before == trade
    }
}

/// The fields of all elements that are used, under the venue's own names, so that one pass over the bytes is enough.
#[derive(Deserialize, Default)]
#[serde(bound(deserialize = "'de: 'a"), default)]
#[expect(non_snake_case, reason = "the venue's keys, which differ by case alone")]
pub(super) struct Event<'a> {
    ev: Exact<'a>,
    status: Exact<'a>,
    message: Exact<'a>,
    // All data but limits, which have `T`.
    sym: Exact<'a>,
    T: Exact<'a>,
    t: Exact<'a>,
    // Trades; of limits `i` is the list of indicators.
    i: Exact<'a>,
    x: Exact<'a>,
    trfi: Exact<'a>,
    p: Exact<'a>,
    s: Exact<'a>,
    ds: Exact<'a>,
    c: Exact<'a>,
    // Quotes.
    bp: Exact<'a>,
    bs: Exact<'a>,
    ap: Exact<'a>,
    #[serde(rename = "as")]
    ask_size: Exact<'a>,
    // Bars: what is of the day, and their end.
    op: Exact<'a>,
    av: Exact<'a>,
    dav: Exact<'a>,
    e: Exact<'a>,
}

impl Event<'_> {
    /// What it says of the connection; `None` of data.
    pub(super) fn status(&self, names: &Names) -> Result<Option<Status>, DecodeError> {
        let kind = self.ev.text().ok_or(DecodeError::Shape)?;
        if kind != "status" {
            return Ok(None);
        }
        let words = self.message.text().unwrap_or_default();
        let held = |aim, topic: &str| match Channel::find(topic, names) {
            Some(found) => found.map(|(channel, symbol)| Status::Held(aim, channel, symbol)),
            None => Ok(Status::Other),
        };
        let status = self.status.text().ok_or(DecodeError::Shape)?;
        Ok(Some(match &*status {
            "connected" => Status::Connected,
            "auth_success" => Status::LoggedIn,
            "success" => match (words.strip_prefix("subscribed to: "), words.strip_prefix("unsubscribed to: ")) {
                (Some(topic), _) => held(Aim::Begin, topic.trim())?,
                (_, Some(topic)) => held(Aim::End, topic.trim())?,
                _ => Status::Other,
            },
            "auth_failed" => Status::WrongKey,
            "max_connections" => Status::TooManyConnections,
            "error" if words.contains("not authorized") => Status::NotAuthorized,
            "error" | "auth_timeout" => Status::Failed,
            _ => Status::Other,
        }))
    }

    /// Reads an element of market data.
    pub(super) fn read(&self, names: &Names, trades: &mut Trades, batch: &mut Batch) -> Result<Message, DecodeError> {
        let kind = self.ev.text().ok_or(DecodeError::Shape)?;
        let name = if kind == "LULD" { self.T } else { self.sym };
        if !matches!(&*kind, "T" | "Q" | "A" | "LULD") {
            return Ok(Message::Other);
        }
        let symbol = names.find(name)?;
        let update = Update { symbol, ..Update::default() };
        let errors = &mut batch.errors;
        let update = match &*kind {
            "T" => match self.trade(symbol, trades, batch) {
                Some(trade) => Update { trade: Some(trade), ..update },
                None => return Ok(Message::Data),
            },
            "Q" => Update { quote: Some(self.quote(errors)), ..update },
            "A" => Update { stats: Some(self.stats(errors)), ..update },
            _ => match self.halt(errors) {
                Some(status) => Update { status: Some(status), ..update },
                // Other indicators are limits of the price, which nothing shows: they prove that data flow.
                None => return Ok(Message::Data),
            },
        };
        batch.push(update);
        Ok(Message::Data)
    }

    fn trade(&self, symbol: FeedSymbol, trades: &mut Trades, batch: &mut Batch) -> Option<TradeUpdate> {
        if trades.repeats(symbol, self.id()) {
            return None;
        }
        let Some(session) = conditions::session(self.c) else {
            batch.ineligible += 1;
            return None;
        };
        let errors = &mut batch.errors;
        let size = if self.ds.is_there() { self.ds } else { self.s };
        Some(TradeUpdate {
            sequence: Sequence { id: None, time: self.t.time(TimeUnit::Millis, errors), by_arrival: true },
            price: required(self.p.decimal(errors), errors),
            size: required(size.decimal(errors), errors),
            side: Field::Clear,
            session,
            key: None,
        })
    }

    /// What tells the trade from the one before it: exchange, reporting facility, id. `None` without an id that is a
    /// number.
    fn id(&self) -> Option<[u64; 3]> {
        let mut ignored = Tally::default();
        let id = self.i.id(&mut ignored)?;
        Some([self.x.id(&mut ignored)?, self.trfi.id(&mut ignored).unwrap_or_default(), id])
    }

    fn quote(&self, errors: &mut Tally<DecodeError>) -> QuoteUpdate {
        let sequence = Sequence { id: None, time: self.t.time(TimeUnit::Millis, errors), by_arrival: true };
        let (bid, bid_size) = side(self.bp, self.bs, errors);
        let (ask, ask_size) = side(self.ap, self.ask_size, errors);
        QuoteUpdate { sequence, bid, bid_size, ask, ask_size }
    }

    /// The figures of the day: the others are those of a second.
    fn stats(&self, errors: &mut Tally<DecodeError>) -> StatsUpdate {
        let volume = if self.dav.is_there() { self.dav } else { self.av };
        StatsUpdate {
            sequence: Sequence { time: self.e.time(TimeUnit::Millis, errors), ..Sequence::default() },
            window: Field::Set(StatsWindow::Day),
            open: unless_zero(self.op.decimal(errors)),
            volume: required(volume.decimal(errors), errors),
            ..StatsUpdate::default()
        }
    }

    /// Whether trading is halted or goes on; `None` where the indicators say neither.
    fn halt(&self, errors: &mut Tally<DecodeError>) -> Option<StatusUpdate> {
        let mut halted = Field::Keep;
        let read = self.i.each(|indicator: Exact<'_>| match indicator.raw() {
            Raw::Json(HALTED) => halted = Field::Set(Halt::Other),
            Raw::Json(REOPENS) => halted = Field::Clear,
            _ => {}
        });
        if read.is_err() {
            errors.count(DecodeError::Shape);
        }
        if halted == Field::Keep {
            return None;
        }
        let sequence = Sequence { time: self.t.time(TimeUnit::Nanos, errors), ..Sequence::default() };
        Some(StatusUpdate { sequence, closed: None, halted, resume_is_reported: true })
    }
}

/// One side of a quote. A price that is absent or zero means that the side is empty.
fn side(price: Exact<'_>, size: Exact<'_>, errors: &mut Tally<DecodeError>) -> (Field<Decimal>, Field<Decimal>) {
    match unless_zero(price.decimal(errors)) {
        Field::Set(price) => (Field::Set(price), required(size.decimal(errors), errors)),
        Field::Clear | Field::Keep => (Field::Clear, Field::Clear),
    }
}
