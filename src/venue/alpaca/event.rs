//! One element of a frame's array.

use super::{
    conditions::{self, Tape},
    days::Days,
    dialogue::Channels,
    status,
};
use crate::market::{
    Corrected, Correction, FeedSymbol, Field, QuoteUpdate, Sequence, Side, StatsUpdate, StatsWindow, StatusUpdate,
    TradeKey, TradeUpdate, TradingSession, Update,
};
use crate::venue::{
    Batch, DecodeError, Message,
    kit::{
        Names,
        object::{self, object},
        raw::{Exact, Raw, Value, required, side_of_quote},
    },
};
use serde::{Deserialize, Deserializer};
use std::{borrow::Cow, collections::HashSet};

object! {
    /// The fields of all elements that are used.
    Event {
        kind = "T",
        msg = "msg",
        code = "code",
        // Subscriptions.
        trades = "trades",
        quotes = "quotes",
        daily_bars = "dailyBars",
        statuses = "statuses",
        lulds = "lulds",
        // All data.
        symbol = "S",
        time = "t",
        tape = "z",
        // Trades and cancels; of a bar `c` is the close.
        id = "i",
        exchange = "x",
        price = "p",
        size = "s",
        conditions = "c",
        // Of coins: the taker's side.
        taker = "tks",
        // Quotes.
        bid = "bp",
        bid_size = "bs",
        ask = "ap",
        ask_size = "as",
        // Bars.
        open = "o",
        high = "h",
        low = "l",
        volume = "v",
        // Corrections: the original's id, and the corrected trade.
        original_id = "oi",
        corrected_id = "ci",
        corrected_price = "cp",
        corrected_size = "cs",
        corrected_conditions = "cc",
        // Statuses: the code, and the reason's.
        status = "sc",
        reason = "rc",
    }
}

/// Inside an answer with snapshots.
impl<'de: 'a, 'a> Deserialize<'de> for Event<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object::parse(deserializer)
    }
}

impl<'a> Event<'a> {
    /// The names that an answer lists in each of these channels; none for a channel that it leaves out. `None` if one
    /// is not a list.
    pub(super) fn lists(&self, channels: Channels) -> Option<Vec<HashSet<Cow<'a, str>>>> {
        let lists: &[Exact<'a>] = match channels {
            Channels::Prices => &[self.trades, self.quotes],
            Channels::Extras => &[self.daily_bars, self.statuses, self.lulds],
            Channels::Bars => &[self.daily_bars],
        };
        let names = |list: &Exact<'a>| match list.texts() {
            Some(names) => Some(names.into_iter().collect()),
            None => matches!(list.raw(), Raw::Absent | Raw::Null).then(HashSet::new),
        };
        lists.iter().map(names).collect()
    }

    /// Reads an element of market data of this kind. Trades and quotes are in the order of their arrival unless their
    /// times are of one clock.
    pub(super) fn read(
        &self,
        kind: &str,
        has_one_clock: bool,
        names: &Names,
        days: &mut Days,
        batch: &mut Batch,
    ) -> Result<Message, DecodeError> {
        if !matches!(kind, "t" | "q" | "d" | "s" | "c" | "x" | "l") {
            return Ok(Message::Other);
        }
        let symbol = names.find(self.symbol)?;
        let update = Update { symbol, ..Update::default() };
        let by_arrival = !has_one_clock;
        let update = match kind {
            "t" => match self.trade(by_arrival, batch) {
                Some(trade) => Update { trade: Some(trade), ..update },
                None => {
                    batch.ineligible += 1;
                    return Ok(Message::Data);
                }
            },
            "q" => Update { quote: Some(self.quote(by_arrival, batch)), ..update },
            "d" => Update { stats: Some(self.streamed_bar(symbol, days, batch)), ..update },
            "s" => Update { status: Some(self.status(batch)), ..update },
            "c" => Update { correction: self.correction(batch), ..update },
            "x" => {
                let of = key(self.exchange, self.id, batch);
                Update { correction: of.map(|of| Correction { of, now: None }), ..update }
            }
            // The limits of the price: nothing here shows them, but they prove that data flow.
            _ => return Ok(Message::Data),
        };
        batch.push(update);
        Ok(Message::Data)
    }

    pub(super) fn trade(&self, by_arrival: bool, batch: &mut Batch) -> Option<TradeUpdate> {
        let session = self.session(self.conditions)?;
        // Coins trade on one exchange, which names neither itself nor corrections.
        let key =
            if self.exchange.is_there() || self.tape.is_there() { key(self.exchange, self.id, batch) } else { None };
        let errors = &mut batch.errors;
        Some(TradeUpdate {
            sequence: Sequence { id: None, time: self.time.rfc3339(errors), by_arrival },
            price: required(self.price.decimal(errors), errors),
            size: required(self.size.decimal(errors), errors),
            side: match self.taker.word(errors, taker) {
                Field::Keep => Field::Clear,
                side => side,
            },
            session,
            key,
        })
    }

    pub(super) fn quote(&self, by_arrival: bool, batch: &mut Batch) -> QuoteUpdate {
        let errors = &mut batch.errors;
        let (bid, bid_size) = side_of_quote(self.bid, self.bid_size, errors);
        let (ask, ask_size) = side_of_quote(self.ask, self.ask_size, errors);
        let sequence = Sequence { id: None, time: self.time.rfc3339(errors), by_arrival };
        QuoteUpdate { sequence, bid, bid_size, ask, ask_size }
    }

    /// A bar of the stream: on a new day the close before the last one is not the previous one any more.
    fn streamed_bar(&self, symbol: FeedSymbol, days: &mut Days, batch: &mut Batch) -> StatsUpdate {
        let bar = self.bar(batch);
        let Some(day) = bar.sequence.time else { return bar };
        let (prev_close, is_new) = days.streamed(symbol, day);
        batch.snapshots.extend(is_new.then_some(symbol));
        StatsUpdate { prev_close, ..bar }
    }

    /// A bar of the day so far. Its time is the day's beginning: the venue gives no other.
    pub(super) fn bar(&self, batch: &mut Batch) -> StatsUpdate {
        let errors = &mut batch.errors;
        StatsUpdate {
            sequence: Sequence { time: self.time.rfc3339(errors), ..Sequence::default() },
            window: Field::Set(StatsWindow::Day),
            open: required(self.open.decimal(errors), errors),
            high: required(self.high.decimal(errors), errors),
            low: required(self.low.decimal(errors), errors),
            volume: required(self.volume.decimal(errors), errors),
            prev_close: Field::Keep,
        }
    }

    /// A bar's close, which has the key of a trade's conditions.
    pub(super) fn close(&self) -> Exact<'a> {
        self.conditions
    }

    fn status(&self, batch: &mut Batch) -> StatusUpdate {
        let code = self.status.text().unwrap_or_default();
        let reason = self.reason.text().unwrap_or_default();
        let sequence = Sequence { time: self.time.rfc3339(&mut batch.errors), ..Sequence::default() };
        StatusUpdate {
            sequence,
            closed: None,
            halted: status::halted(&code, &reason, self.tape()),
            resume_is_reported: true,
        }
    }

    fn correction(&self, batch: &mut Batch) -> Option<Correction> {
        let of = key(self.exchange, self.original_id, batch)?;
        let new_key = key(self.exchange, self.corrected_id, batch);
        let errors = &mut batch.errors;
        let corrected = |session: TradingSession| Corrected {
            key: new_key,
            price: required(self.corrected_price.decimal(errors), errors),
            size: required(self.corrected_size.decimal(errors), errors),
            session,
        };
        Some(Correction { of, now: self.session(self.corrected_conditions).map(corrected) })
    }

    /// In which session a trade with these conditions is shown. Conditions that cannot be read hide nothing.
    fn session(&self, conditions: Exact<'a>) -> Option<TradingSession> {
        let conditions = conditions.texts().unwrap_or_default();
        conditions::session(conditions.iter().map(|condition| &**condition), self.tape())
    }

    fn tape(&self) -> Option<Tape> {
        Tape::parse(&self.tape.text()?)
    }
}

fn taker(word: &str) -> Option<Side> {
    match word {
        "B" => Some(Side::Buy),
        "S" => Some(Side::Sell),
        _ => None,
    }
}

/// What corrections call a trade. Without it none can find it, which is counted.
fn key<'a>(exchange: Exact<'a>, id: Exact<'a>, batch: &mut Batch) -> Option<TradeKey> {
    let letter = exchange.text().and_then(|text| <[u8; 1]>::try_from(text.as_bytes()).ok());
    let id = id.id(&mut batch.errors);
    let (Some([exchange]), Some(id)) = (letter, id) else {
        batch.errors.count(DecodeError::Missing);
        return None;
    };
    Some(TradeKey { exchange, id })
}
