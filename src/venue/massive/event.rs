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
            object::{self, object},
            raw::{Exact, Raw, TimeUnit, Value, required, unless_zero},
        },
    },
};

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

object! {
    /// The fields of all elements that are used.
    Event {
        kind = "ev",
        status = "status",
        message = "message",
        // All data but limits, which have `T`.
        symbol = "sym",
        symbol_of_limits = "T",
        time = "t",
        // Trades; of limits `i` is the list of indicators.
        id = "i",
        exchange = "x",
        facility = "trfi",
        price = "p",
        size = "s",
        exact_size = "ds",
        conditions = "c",
        // Quotes.
        bid = "bp",
        bid_size = "bs",
        ask = "ap",
        ask_size = "as",
        // Bars: what is of the day, and their end.
        open = "op",
        volume = "av",
        exact_volume = "dav",
        end = "e",
    }
}

impl Event<'_> {
    /// What it says of the connection; `None` of data.
    pub(super) fn status(&self, names: &Names) -> Result<Option<Status>, DecodeError> {
        let kind = self.kind.text().ok_or(DecodeError::Shape)?;
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
        let kind = self.kind.text().ok_or(DecodeError::Shape)?;
        let name = if kind == "LULD" { self.symbol_of_limits } else { self.symbol };
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
        if trades.repeats(symbol, self.identity()) {
            return None;
        }
        let Some(session) = conditions::session(self.conditions) else {
            batch.ineligible += 1;
            return None;
        };
        let errors = &mut batch.errors;
        let size = if self.exact_size.is_there() { self.exact_size } else { self.size };
        Some(TradeUpdate {
            sequence: Sequence { id: None, time: self.time.time(TimeUnit::Millis, errors), by_arrival: true },
            price: required(self.price.decimal(errors), errors),
            size: required(size.decimal(errors), errors),
            side: Field::Clear,
            session,
            key: None,
        })
    }

    /// What tells the trade from the one before it: exchange, reporting facility, id. `None` without an id that is a
    /// number.
    fn identity(&self) -> Option<[u64; 3]> {
        let mut ignored = Tally::default();
        let id = self.id.id(&mut ignored)?;
        Some([self.exchange.id(&mut ignored)?, self.facility.id(&mut ignored).unwrap_or_default(), id])
    }

    fn quote(&self, errors: &mut Tally<DecodeError>) -> QuoteUpdate {
        let sequence = Sequence { id: None, time: self.time.time(TimeUnit::Millis, errors), by_arrival: true };
        let (bid, bid_size) = side(self.bid, self.bid_size, errors);
        let (ask, ask_size) = side(self.ask, self.ask_size, errors);
        QuoteUpdate { sequence, bid, bid_size, ask, ask_size }
    }

    /// The figures of the day: the others are those of a second.
    fn stats(&self, errors: &mut Tally<DecodeError>) -> StatsUpdate {
        let volume = if self.exact_volume.is_there() { self.exact_volume } else { self.volume };
        StatsUpdate {
            sequence: Sequence { time: self.end.time(TimeUnit::Millis, errors), ..Sequence::default() },
            window: Field::Set(StatsWindow::Day),
            open: unless_zero(self.open.decimal(errors)),
            volume: required(volume.decimal(errors), errors),
            ..StatsUpdate::default()
        }
    }

    /// Whether trading is halted or goes on; `None` where the indicators say neither.
    fn halt(&self, errors: &mut Tally<DecodeError>) -> Option<StatusUpdate> {
        let mut halted = Field::Keep;
        let read = object::each_value(self.id, |indicator| match indicator.raw() {
            Raw::Json(HALTED) => halted = Field::Set(Halt::Other),
            Raw::Json(REOPENS) if halted == Field::Keep => halted = Field::Clear,
            _ => {}
        });
        if read.is_err() {
            errors.count(DecodeError::Shape);
        }
        if halted == Field::Keep {
            return None;
        }
        let sequence = Sequence { time: self.time.time(TimeUnit::Nanos, errors), ..Sequence::default() };
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
