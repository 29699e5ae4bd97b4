//! The latest state of symbols, which Alpaca's streams do not begin with: its snapshots, over HTTP.
//!
//! ```json
//! GET /v2/stocks/snapshots?feed=iex&symbols=AAPL,MSFT
//! {"AAPL":{
//!   "latestTrade":{"t":"2021-05-11T20:00:00.435997104Z","x":"Q","p":125.91,"s":55,"c":["@"],"i":179430,"z":"C"},
//!   "latestQuote":{"t":"2021-05-11T22:05:02.3073Z","ax":"P","ap":125.68,"as":12,"bx":"P","bp":125.6,"bs":4},
//!   "minuteBar":{"t":"2021-05-11T22:02:00Z","o":125.66,"h":125.66,"l":125.66,"c":125.66,"v":396},
//!   "dailyBar":{"t":"2021-05-11T04:00:00Z","o":123.5,"h":126.27,"l":122.77,"c":125.91,"v":125863164},
//!   "prevDailyBar":{"t":"2021-05-10T04:00:00Z","o":129.41,"h":129.54,"l":126.81,"c":126.85,"v":79569305}},
//!  "MSFT":{...}}
//! ```
//! Of coins, under `/v1beta3/crypto/us/snapshots`, the same stands in an object `snapshots`. A symbol without data is
//! left out, and so is each part that it lacks. The figures of the day are those of `dailyBar`, and its previous close
//! is the close of `prevDailyBar`. A trade may have been corrected or cancelled since; the stream's correction finds it
//! by its key.
//!
//! Facts: <https://docs.alpaca.markets/reference/stocksnapshots-1>, and
//! <https://docs.alpaca.markets/docs/about-market-data-api> for the limit of 200 requests a minute without a plan.

use super::{Alpaca, days::Says, event::Event};
use crate::{
    market::{FeedSymbol, Field, StatsUpdate, Update},
    venue::{
        Batch, DecodeError, Message, SnapshotRequest, SnapshotRule,
        kit::{
            address,
            raw::{self, Value, required},
        },
    },
};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use std::{fmt, marker::PhantomData, time::Duration};

/// Half of the requests that an account without a plan has, which its owner shares. An answer has some 700 bytes for a
/// symbol.
pub(super) const RULE: SnapshotRule =
    SnapshotRule { symbols_max: 200, between_requests: Duration::from_millis(600), answer_bytes_max: 1 << 20 };

/// The fields of a request that show who asks.
const KEY: &str = "apca-api-key-id";
const SECRET: &str = "apca-api-secret-key";

/// An answer: the states of symbols, by their names. A longer one than was asked for does not fit.
pub(super) struct ByName<'a>(Vec<(String, Option<State<'a>>)>);

impl<'de: 'a, 'a> Deserialize<'de> for ByName<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(States(PhantomData))
    }
}

struct States<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for States<'a> {
    type Value = ByName<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the states of symbols, by their names")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<ByName<'a>, M::Error> {
        let mut found = Vec::new();
        while let Some(state) = map.next_entry()? {
            if found.len() == RULE.symbols_max {
                return Err(M::Error::custom("more symbols than a request has"));
            }
            found.push(state);
        }
        Ok(ByName(found))
    }
}

/// Reads an answer of a market.
pub(super) type ReadAnswer = for<'a> fn(&'a [u8]) -> Result<ByName<'a>, DecodeError>;

/// The state of a symbol.
#[derive(Deserialize, Default)]
#[serde(bound(deserialize = "'de: 'a"), rename_all = "camelCase", default)]
pub(super) struct State<'a> {
    latest_trade: Option<Event<'a>>,
    latest_quote: Option<Event<'a>>,
    daily_bar: Option<Event<'a>>,
    prev_daily_bar: Option<Event<'a>>,
}

/// An answer about coins.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Coins<'a> {
    snapshots: ByName<'a>,
}

pub(super) fn stocks(answer: &[u8]) -> Result<ByName<'_>, DecodeError> {
    raw::exact(answer)
}

pub(super) fn coins(answer: &[u8]) -> Result<ByName<'_>, DecodeError> {
    raw::exact::<Coins<'_>>(answer).map(|answer| answer.snapshots)
}

impl Alpaca {
    /// The request for these symbols. `None` where the address has no snapshots, or none of them is listed any more.
    pub(super) fn snapshot_request(&self, symbols: &[FeedSymbol]) -> Option<SnapshotRequest> {
        let names = symbols.iter().map(|symbol| self.names.of(*symbol));
        let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
        let address = self.snapshots.as_deref().filter(|_| !names.is_empty())?;
        Some(SnapshotRequest {
            url: address::with_field(address, "symbols", &names.join(",")),
            fields: vec![(KEY, self.key.clone()), (SECRET, self.secret.clone())],
        })
    }

    /// Reads an answer: an update for each symbol, with all that the venue knows of it.
    pub(super) fn read_snapshots(&mut self, answer: &[u8], batch: &mut Batch) -> Result<Message, DecodeError> {
        let before = batch.updates.len();
        for (name, state) in (self.market.read_snapshots)(answer)?.0 {
            let Some(state) = state else { continue };
            match self.names.data_of(&name) {
                Ok(symbol) => {
                    let update = self.state(symbol, &state, batch);
                    batch.push(update);
                }
                Err(reason) => batch.errors.count(reason),
            }
        }
        Ok(if batch.updates.len() > before { Message::Data } else { Message::Other })
    }

    /// What is known of a symbol. Its trade may be one that never sets the last price, and is left out then.
    fn state(&mut self, symbol: FeedSymbol, state: &State<'_>, batch: &mut Batch) -> Update {
        Update {
            symbol,
            // Between the stream and an answer, times tell which is newer.
            trade: state.latest_trade.as_ref().and_then(|trade| trade.trade(false, batch)),
            quote: state.latest_quote.as_ref().map(|quote| quote.quote(false, batch)),
            stats: self.figures(symbol, state, batch),
            is_snapshot: true,
            ..Update::default()
        }
    }

    fn figures(&mut self, symbol: FeedSymbol, state: &State<'_>, batch: &mut Batch) -> Option<StatsUpdate> {
        let stats = state.daily_bar.as_ref()?.bar(batch);
        let says = self.days.told(symbol, stats.sequence.time?);
        let close = |bar: &Event<'_>| required(bar.close().decimal(&mut batch.errors), &mut batch.errors);
        // What has not traded before has no close.
        let prev_close = state.prev_daily_bar.as_ref().map_or(Field::Clear, close);
        match says {
            Says::All => Some(StatsUpdate { prev_close, ..stats }),
            Says::Close => {
                let StatsUpdate { sequence, window, .. } = stats;
                Some(StatsUpdate { sequence, window, prev_close, ..StatsUpdate::default() })
            }
            Says::Nothing => None,
        }
    }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
