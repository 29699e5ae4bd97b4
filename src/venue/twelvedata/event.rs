//! Frames to updates.

use crate::{
    market::{
        self, Decimal, Facts, FeedSymbol, Field, InstrumentKind, QuoteUpdate, Sequence, StatsUpdate, StatsWindow,
        TradeUpdate, UnixMicros, Update,
    },
    venue::{
        Batch, DecodeError, ListedSymbol, Message,
        kit::{
            Names, facts,
            object::{self, object},
            raw::{Exact, Raw, TimeUnit, Value, required, unless_zero},
        },
    },
};
use std::collections::{HashMap, HashSet};

/// The exchanges of US stocks, by MIC (ISO 10383) and by the venue's names. Over-the-counter markets keep the same
/// hours.
const US_MICS: &[&str] = &[
    "XNAS", "XNGS", "XNMS", "XNCM", "XNYS", "XASE", "ARCX", "BATS", "XCBO", "IEXG", "OTCM", "OTCQ", "OTCB", "PINX",
    "EXPM",
];
const US_EXCHANGES: &[&str] = &["NASDAQ", "NYSE", "NYSE ARCA", "NYSE American", "AMEX", "CBOE", "IEX", "OTC"];

/// What a frame was, before the subscription has taken the answers.
pub(super) enum Event {
    Message(Message),
    Answer(Answer),
}

/// An answer of the venue.
pub(super) enum Answer {
    /// To a request for symbols.
    Begun { granted: Vec<FeedSymbol>, refused: Vec<FeedSymbol> },
    /// To a request for ends.
    Ended,
    /// An error with this code.
    Failed(u64),
}

/// What is remembered of the prices of a connection.
#[derive(Debug)]
pub(super) struct Prices {
    /// The last price of each place and its time, to tell a repeated one.
    last: Vec<Option<(UnixMicros, Decimal)>>,
    /// The symbols that a name with an exchange has had, as `RY` of `RY:TSX`.
    with_exchanges: HashSet<String>,
    /// Of each such symbol that is asked for without an exchange too: the exchange and its MIC, of the venue's answer.
    homes: HashMap<FeedSymbol, [Option<String>; 2]>,
}

impl Prices {
    pub(super) fn of(symbols: &[ListedSymbol]) -> Self {
        let with_exchanges = symbols.iter().filter_map(before_exchange).collect();
        Self { last: vec![None; symbols.len()], with_exchanges, homes: HashMap::new() }
    }

    /// A connection begins: what it repeats is news of it.
    pub(super) fn forget_all(&mut self) {
        self.last.fill(None);
        self.homes.clear();
    }

    pub(super) fn change(&mut self, added: &[(FeedSymbol, ListedSymbol)], removed: &[FeedSymbol]) {
        let places = added.iter().map(|(symbol, _)| symbol).chain(removed);
        for symbol in places {
            self.last.resize(self.last.len().max(symbol.index() + 1), None);
            self.last[symbol.index()] = None;
            self.homes.remove(symbol);
        }
        self.with_exchanges.extend(added.iter().filter_map(|(_, listed)| before_exchange(listed)));
    }

    /// Whether this connection has had no price of the symbol yet.
    fn has_none(&self, symbol: FeedSymbol) -> bool {
        self.last[symbol.index()].is_none()
    }

    /// Whether the symbol has had this price at this time before; it has now.
    fn repeats(&mut self, symbol: FeedSymbol, time: Option<UnixMicros>, price: Field<Decimal>) -> bool {
        let (Some(time), Field::Set(price)) = (time, price) else { return false };
        let last = &mut self.last[symbol.index()];
        let repeats = *last == Some((time, price));
        if last.is_none_or(|(latest, _)| time >= latest) {
            *last = Some((time, price));
        }
        repeats
    }

    /// The symbol of this name and exchange, by either of the names that the venue has for an exchange.
    fn with_exchange(&self, event: &Named<'_>, names: &Names) -> Option<FeedSymbol> {
        if self.with_exchanges.is_empty() {
            return None;
        }
        let symbol = event.symbol.text()?;
        let with = |exchange: Exact<'_>| names.symbol(&format!("{symbol}:{}", exchange.text()?));
        with(event.exchange).or_else(|| with(event.mic_code))
    }

    /// The venue grants this symbol, which was asked for without an exchange: this is the one that it took.
    fn found_home(&mut self, symbol: FeedSymbol, event: &Named<'_>) {
        if event.symbol.text().is_some_and(|name| self.with_exchanges.contains(&*name)) {
            let home = [event.exchange, event.mic_code].map(|field| field.text().map(|name| name.into_owned()));
            self.homes.insert(symbol, home);
        }
    }

    /// The symbol of market data.
    ///
    /// # Errors
    /// None has this name; or another one has it with an exchange, and these data are not surely of this one's.
    fn symbol(&self, event: &Named<'_>, names: &Names) -> Result<FeedSymbol, DecodeError> {
        if let Some(symbol) = self.with_exchange(event, names) {
            return Ok(symbol);
        }
        let symbol = names.find(event.symbol)?;
        let is_unique = !event.symbol.text().is_some_and(|name| self.with_exchanges.contains(&*name));
        let is_same = |home: &Option<String>, field: Exact<'_>| home.is_some() && *home == field.text().map(Into::into);
        let is_home = |[exchange, mic_code]: &[Option<String>; 2]| {
            is_same(exchange, event.exchange) || is_same(mic_code, event.mic_code)
        };
        let is_surely_it = is_unique || self.homes.get(&symbol).is_some_and(is_home);
        if is_surely_it { Ok(symbol) } else { Err(DecodeError::UnknownSymbol) }
    }
}

/// The symbol before the exchange, where a name has one.
fn before_exchange(listed: &ListedSymbol) -> Option<String> {
    let (symbol, _) = listed.venue_name.as_ref()?.split_once(':')?;
    Some(symbol.to_owned())
}

/// Reads a frame.
pub(super) fn read(frame: &[u8], names: &Names, prices: &mut Prices, batch: &mut Batch) -> Result<Event, DecodeError> {
    let frame: Frame<'_> = object::read(frame)?;
    let kind = match frame.event.raw() {
        Raw::Absent if frame.code.is_there() => {
            let code = frame.code.id(&mut batch.errors).unwrap_or_default();
            return Ok(Event::Answer(Answer::Failed(code)));
        }
        Raw::Absent => return Ok(Event::Message(Message::Other)),
        _ => frame.event.text().ok_or(DecodeError::Shape)?,
    };
    Ok(match &*kind {
        "price" => {
            frame.price(names, prices, batch)?;
            Event::Message(Message::Data)
        }
        "heartbeat" => Event::Message(Message::Control),
        "subscribe-status" => Event::Answer(Answer::Begun {
            granted: symbols(frame.success, names, prices, batch)?,
            refused: symbols(frame.fails, names, prices, batch)?,
        }),
        "unsubscribe-status" => Event::Answer(Answer::Ended),
        _ => Event::Message(Message::Other),
    })
}

/// The symbols of a list in an answer. One that was never asked for is counted.
fn symbols(
    list: Exact<'_>,
    names: &Names,
    prices: &mut Prices,
    batch: &mut Batch,
) -> Result<Vec<FeedSymbol>, DecodeError> {
    let mut symbols = Vec::new();
    if matches!(list.raw(), Raw::Absent | Raw::Null) {
        return Ok(symbols);
    }
    object::each_of(list, |named: Named<'_>| {
        let found = match prices.with_exchange(&named, names) {
            Some(symbol) => Ok(symbol),
            None => names.find_answer(named.symbol).inspect(|symbol| prices.found_home(*symbol, &named)),
        };
        match found {
            // A list may name a symbol as often as it likes.
            Ok(symbol) if symbols.len() < names.len() => {
                let kind = facts::kind(named.kind, instrument_kind, &mut batch.errors);
                batch.tell(symbol, Facts { kind, ..Facts::default() });
                symbols.push(symbol);
            }
            Ok(_) => {}
            Err(reason) => batch.errors.count(reason),
        }
    })?;
    Ok(symbols)
}

/// The venue's words for what an instrument is; it has some more, of bonds and the like.
fn instrument_kind(word: &str) -> Option<InstrumentKind> {
    match word {
        "Common Stock"
        | "Preferred Stock"
        | "American Depositary Receipt"
        | "Depositary Receipt"
        | "REIT"
        | "Unit"
        | "ETF"
        | "Closed-end Fund"
        | "Mutual Fund" => Some(InstrumentKind::Stock),
        "Digital Currency" => Some(InstrumentKind::Crypto),
        "Physical Currency" | "PHYSICAL_CURRENCY" => Some(InstrumentKind::Forex),
        "Index" => Some(InstrumentKind::Index),
        _ => None,
    }
}

object! {
    /// How an element of an answer names its symbol.
    Named {
        symbol = "symbol",
        exchange = "exchange",
        mic_code = "mic_code",
        kind = "type",
    }
}

object! {
    /// The fields of all messages.
    Frame {
        event = "event",
        code = "code",
        success = "success",
        fails = "fails",
        symbol = "symbol",
        exchange = "exchange",
        mic_code = "mic_code",
        currency = "currency",
        timestamp = "timestamp",
        price = "price",
        bid = "bid",
        ask = "ask",
        day_volume = "day_volume",
    }
}

impl Frame<'_> {
    /// Whether its exchange has the hours of US stocks. Without a word of that it is as any other.
    fn is_us_stock(&self) -> bool {
        let is_one_of = |field: Exact<'_>, all: &[&str]| field.text().is_some_and(|name| all.contains(&&*name));
        is_one_of(self.mic_code, US_MICS) || is_one_of(self.exchange, US_EXCHANGES)
    }

    fn price(&self, names: &Names, prices: &mut Prices, batch: &mut Batch) -> Result<(), DecodeError> {
        let named =
            Named { symbol: self.symbol, exchange: self.exchange, mic_code: self.mic_code, kind: Exact::default() };
        let symbol = prices.symbol(&named, names)?;
        let errors = &mut batch.errors;
        let time = self.timestamp.time(TimeUnit::Seconds, errors);
        let sequence = Sequence { time, ..Sequence::default() };
        let price = required(self.price.decimal(errors), errors);
        if prices.has_none(symbol) && self.currency.is_there() {
            // Each price says it; one of a connection is enough.
            let currency = facts::currency(self.currency, errors);
            batch.tell(symbol, Facts { currency, ..Facts::default() });
        }
        let errors = &mut batch.errors;
        let is_repeated = prices.repeats(symbol, time, price);
        let session = if self.is_us_stock() { time.map(market::us_session) } else { None };
        let trade = TradeUpdate {
            sequence,
            price,
            size: Field::Clear,
            side: Field::Clear,
            session: session.unwrap_or_default(),
            key: None,
        };
        // A side that the venue leaves out is not that of an earlier time.
        let mut side = |price: Exact<'_>| match unless_zero(price.decimal(errors)) {
            Field::Keep => Field::Clear,
            price => price,
        };
        let quote = (self.bid.is_there() || self.ask.is_there()).then(|| QuoteUpdate {
            sequence,
            bid: side(self.bid),
            ask: side(self.ask),
            ..QuoteUpdate::default()
        });
        let stats = self.day_volume.is_there().then(|| StatsUpdate {
            sequence,
            window: Field::Set(StatsWindow::Day),
            volume: self.day_volume.decimal(errors),
            ..StatsUpdate::default()
        });
        let update = Update { symbol, trade: (!is_repeated).then_some(trade), quote, stats, ..Update::default() };
        if update != (Update { symbol, ..Update::default() }) {
            batch.push(update);
        }
        Ok(())
    }
}
