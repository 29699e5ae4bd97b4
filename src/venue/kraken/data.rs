//! Market data, and the status of the venue's system: messages with a list of items.

use crate::{
    market::{Field, QuoteUpdate, Sequence, Side, StatsUpdate, StatsWindow, TradeUpdate, UnixMicros, Update},
    telemetry::labels::Tally,
    venue::{
        Batch, DecodeError, Message,
        kit::{
            Names,
            list::{self, Place},
            object::{self, object},
            raw::{self, Value, required, side_of_quote, unless_zero},
            scan,
        },
    },
};

/// What is subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Trades,
    Ticker,
}

impl Channel {
    pub(super) const ALL: [Self; 2] = [Self::Trades, Self::Ticker];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Trades => "trade",
            Self::Ticker => "ticker",
        }
    }

    pub(super) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.name() == name)
    }
}

/// A message of market data, or of the system's status.
pub(super) struct Data<'a, 'c> {
    pub(super) channel: &'c str,
    pub(super) is_snapshot: bool,
    pub(super) text: &'a str,
    /// Where in the text the list of items begins.
    pub(super) list_at: usize,
    /// What follows the list.
    pub(super) tail: &'static str,
}

impl<'a> Data<'a, 'a> {
    /// A message as the venue writes it.
    pub(super) fn scanned(frame: &'a str) -> Option<Self> {
        let (channel, rest) = scan::string(frame.strip_prefix(r#"{"channel":""#)?)?;
        let (kind, rest) = scan::string(rest.strip_prefix(r#","type":""#)?)?;
        let list = rest.strip_prefix(r#","data":"#)?;
        let is_read = matches!(channel, "trade" | "ticker" | "status");
        let list_at = frame.len() - list.len();
        is_read.then_some(Self { channel, is_snapshot: kind == "snapshot", text: frame, list_at, tail: "}" })
    }
}

impl Data<'_, '_> {
    /// Reads market data, as much of them as fits into the batch.
    pub(super) fn read(&self, names: &Names, batch: &mut Batch) -> Result<Message, DecodeError> {
        let begin = match std::mem::take(&mut batch.read_on) {
            0 => self.begin()?,
            at => Place::Element(at),
        };
        let first = batch.updates.len();
        let mut has_data = false;
        let mut failure = None;
        let read = object::each(self.text, begin, |item: Item<'_>| {
            match self.item(&item, first, names, batch) {
                Ok(()) => has_data = true,
                Err(reason) => fail(&mut failure, reason, batch),
            }
            !batch.is_full()
        });
        match read.and_then(|place| self.check_end(place)) {
            Ok(rest) => batch.read_on = rest,
            Err(reason) => fail(&mut failure, reason, batch),
        }
        match failure {
            Some(reason) if !has_data && batch.read_on == 0 => return Err(reason),
            // The others of its frame stand.
            Some(reason) => batch.errors.count(reason),
            // A snapshot without a trade.
            None if !has_data => return Ok(Message::Control),
            None => {}
        }
        Ok(Message::Data)
    }

    fn begin(&self) -> Result<Place, DecodeError> {
        list::begin(self.text.as_bytes(), self.list_at).ok_or_else(|| raw::misfit(self.text.as_bytes()))
    }

    /// Where to read on, 0 where the list has ended as the message should.
    fn check_end(&self, place: Place) -> Result<usize, DecodeError> {
        match place {
            Place::Element(at) => Ok(at),
            Place::End(at) if &self.text[at..] == self.tail || raw::is_json(self.text.as_bytes()) => Ok(0),
            Place::End(_) => Err(DecodeError::Json),
        }
    }

    fn item(&self, item: &Item<'_>, first: usize, names: &Names, batch: &mut Batch) -> Result<(), DecodeError> {
        let symbol = names.find(item.symbol)?;
        let update = Update { symbol, ..Update::default() };
        let errors = &mut batch.errors;
        if self.channel == Channel::Ticker.name() {
            let (quote, stats) = item.ticker(errors);
            batch.push(Update { quote: Some(quote), stats, ..update });
            return Ok(());
        }
        let update = Update { trade: Some(item.trade(errors)), ..update };
        if self.is_snapshot {
            push_newest(update, first, batch);
        } else {
            batch.push(update);
        }
        Ok(())
    }

    /// What a message of the system's status says, if it is a word that is known.
    pub(super) fn is_online(&self, errors: &mut Tally<DecodeError>) -> Result<Option<bool>, DecodeError> {
        let mut is_online = None;
        let read = object::each(self.text, self.begin()?, |item: Item<'_>| {
            if let Field::Set(word) = required(item.system.word(errors, is_online_system), errors) {
                is_online = Some(word);
            }
            true
        });
        self.check_end(read?)?;
        Ok(is_online)
    }
}

/// Keeps a failure to report, and counts the one before it.
fn fail(failure: &mut Option<DecodeError>, reason: DecodeError, batch: &mut Batch) {
    if let Some(before) = failure.replace(reason) {
        batch.errors.count(before);
    }
}

/// Of a snapshot only the newest trade of a symbol counts. Its updates begin at `first`.
fn push_newest(update: Update, first: usize, batch: &mut Batch) {
    let id = |update: &Update| update.trade.and_then(|trade| trade.sequence.id);
    let before = batch.updates[first..].iter().position(|before| before.symbol == update.symbol);
    if let Some(before) = before.map(|place| first + place) {
        if id(&batch.updates[before]) > id(&update) {
            return;
        }
        batch.updates.swap_remove(before);
    }
    batch.push(update);
}

/// The words for the venue's system: where it is not online, nothing matches.
fn is_online_system(word: &str) -> Option<bool> {
    match word {
        "online" => Some(true),
        "maintenance" | "cancel_only" | "post_only" => Some(false),
        _ => None,
    }
}

object! {
    /// The fields of all items of market data and of the status.
    Item {
        symbol = "symbol",
        timestamp = "timestamp",
        // Trades.
        side = "side",
        price = "price",
        qty = "qty",
        trade_id = "trade_id",
        // Tickers.
        bid = "bid",
        bid_qty = "bid_qty",
        ask = "ask",
        ask_qty = "ask_qty",
        high = "high",
        low = "low",
        volume = "volume",
        // The status.
        system = "system",
    }
}

impl Item<'_> {
    fn trade(&self, errors: &mut Tally<DecodeError>) -> TradeUpdate {
        TradeUpdate {
            sequence: Sequence { id: self.trade_id.id(errors), time: self.time(errors), by_arrival: false },
            price: required(self.price.decimal(errors), errors),
            size: required(self.qty.decimal(errors), errors),
            side: required(self.side.word(errors, taker), errors),
            ..TradeUpdate::default()
        }
    }

    fn ticker(&self, errors: &mut Tally<DecodeError>) -> (QuoteUpdate, Option<StatsUpdate>) {
        let sequence = Sequence { time: self.time(errors), ..Sequence::default() };
        let (bid, bid_size) = side_of_quote(self.bid, self.bid_qty, errors);
        let (ask, ask_size) = side_of_quote(self.ask, self.ask_qty, errors);
        let quote = QuoteUpdate { sequence, bid, bid_size, ask, ask_size };
        if !self.high.is_there() && !self.low.is_there() && !self.volume.is_there() {
            return (quote, None);
        }
        let stats = StatsUpdate {
            sequence,
            window: Field::Set(StatsWindow::Hours24),
            // A pair without a trade in the window has zeros.
            high: unless_zero(self.high.decimal(errors)),
            low: unless_zero(self.low.decimal(errors)),
            volume: self.volume.decimal(errors),
            ..StatsUpdate::default()
        };
        (quote, Some(stats))
    }

    /// A placeholder has the time 0, which is none.
    fn time(&self, errors: &mut Tally<DecodeError>) -> Option<UnixMicros> {
        self.timestamp.rfc3339(errors).filter(|time| time.0 != 0)
    }
}

fn taker(side: &str) -> Option<Side> {
    match side {
        "buy" => Some(Side::Buy),
        "sell" => Some(Side::Sell),
        _ => None,
    }
}
