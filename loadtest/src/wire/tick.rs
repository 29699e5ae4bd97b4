//! Ticks and `hello` of tickfan's wire.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The kind of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A correction of the shown trade.
    Correction,
    /// A trade.
    Trade,
    /// The best bid or ask.
    Quote,
    /// Statistics.
    Stats,
    /// A change of `state`.
    Status,
    /// A kind that this version does not know: the wire grows by adding.
    #[serde(other)]
    Other,
}

/// The state of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No data yet.
    Waiting,
    /// Current.
    Live,
    /// Possibly old because of an outage.
    Stale,
    /// Trading is halted.
    Halted,
    /// Outside trading hours.
    Closed,
    /// Refused by the venue.
    Refused,
    /// A state that this version does not know.
    #[serde(other)]
    Other,
}

/// The fields of a tick that are checked and measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// Its number among the symbol's ticks.
    pub seq: u64,
    /// Its kind.
    pub kind: Kind,
    /// The state of the symbol.
    pub state: State,
    /// When the gateway received the last update, in µs since 1970; 0 without data.
    pub recv: i64,
    /// The venue's time of the last trade, in µs since 1970.
    pub trade_ts: Option<i64>,
    /// The number of trades so far.
    pub trades: u64,
}

/// The numbers of a tick that come from the venue, digit by digit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Values {
    /// The last trade's price.
    pub price: Option<String>,
    /// The last trade's size.
    pub size: Option<String>,
    /// The best bid.
    pub bid: Option<String>,
    /// Its size.
    pub bid_size: Option<String>,
    /// The best ask.
    pub ask: Option<String>,
    /// Its size.
    pub ask_size: Option<String>,
    /// The venue's time of the last trade.
    pub trade_ts: Option<i64>,
}

/// Borrowed numbers of a tick: price, size, bid, bid size, ask, ask size.
pub type Numbers<'a> = [Option<&'a str>; 6];

/// Why data are not a tick.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// The JSON is invalid.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A number is not in plain digits.
    #[error("`{field}` is {value}, which is not a plain number")]
    Number {
        /// The field's name.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// `recv` is missing, which only `seq` 0 may lack.
    #[error("tick {0} has no recv")]
    NoRecv(u64),
}

/// The first event of a stream.
#[derive(Debug, Deserialize)]
pub struct Hello<'a> {
    /// The gateway's name for the stream.
    #[serde(borrow, default)]
    pub stream: Cow<'a, str>,
    /// The epoch of the sequence numbers.
    #[serde(borrow)]
    pub epoch: Cow<'a, str>,
    /// The symbols of the stream.
    #[serde(borrow)]
    pub symbols: Vec<Cow<'a, str>>,
    /// Requested symbols that do not exist.
    #[serde(borrow)]
    pub unknown: Vec<Cow<'a, str>>,
}

/// The `symbols` event: the list of a stream from here on.
#[derive(Debug, Deserialize)]
pub struct ListChange<'a> {
    /// The symbols of the stream.
    #[serde(borrow)]
    pub symbols: Vec<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    symbol: Cow<'a, str>,
    seq: u64,
    kind: Kind,
    state: State,
    recv: Option<i64>,
    trade_ts: Option<i64>,
    #[serde(default)]
    trades: u64,
    #[serde(borrow)]
    price: Option<&'a RawValue>,
    #[serde(borrow)]
    size: Option<&'a RawValue>,
    #[serde(borrow)]
    bid: Option<&'a RawValue>,
    #[serde(borrow)]
    bid_size: Option<&'a RawValue>,
    #[serde(borrow)]
    ask: Option<&'a RawValue>,
    #[serde(borrow)]
    ask_size: Option<&'a RawValue>,
}

impl<'a> Fields<'a> {
    fn numbers(&self) -> [(&'static str, Option<&'a RawValue>); 6] {
        [
            ("price", self.price),
            ("size", self.size),
            ("bid", self.bid),
            ("bid_size", self.bid_size),
            ("ask", self.ask),
            ("ask_size", self.ask_size),
        ]
    }
}

impl Tick {
    /// Reads a tick's data in full; returns it with its symbol and its numbers.
    ///
    /// # Errors
    /// [`TickError`]
    pub fn read(data: &str) -> Result<(Self, Cow<'_, str>, Numbers<'_>), TickError> {
        let fields: Fields<'_> = serde_json::from_str(data)?;
        for (field, number) in fields.numbers() {
            if let Some(number) = number.filter(|number| !is_plain(number.get())) {
                return Err(TickError::Number { field, value: number.get().chars().take(64).collect() });
            }
        }
        if fields.seq > 0 && fields.recv.is_none() {
            return Err(TickError::NoRecv(fields.seq));
        }
        let numbers = fields.numbers().map(|(_, number)| number.map(RawValue::get));
        let Fields { symbol, seq, kind, state, recv, trade_ts, trades, .. } = fields;
        Ok((Self { seq, kind, state, recv: recv.unwrap_or(0), trade_ts, trades }, symbol, numbers))
    }
}

impl Values {
    /// Reads the numbers of a tick's data.
    ///
    /// # Errors
    /// Those of [`Tick::read`].
    pub fn read(data: &str) -> Result<Self, TickError> {
        let fields: Fields<'_> = serde_json::from_str(data)?;
        let [price, size, bid, bid_size, ask, ask_size] =
            fields.numbers().map(|(_, number)| number.map(|number| number.get().to_owned()));
        Ok(Self { price, size, bid, bid_size, ask, ask_size, trade_ts: fields.trade_ts })
    }
}

/// The symbol and `seq` of a tick's event, if they come first, as they do on tickfan's wire. They are enough to find a
/// copy that was parsed in full, with which the event is then compared.
pub fn peek(block: &[u8]) -> Option<(&[u8], u64)> {
    let line = block.strip_prefix(b"id: ")?;
    let data = &line[memchr::memchr(b'\n', line)? + 1..];
    let symbol = data.strip_prefix(b"data: {\"symbol\":\"")?;
    let end = memchr::memchr(b'"', symbol)?;
    let rest = symbol[end..].strip_prefix(b"\",\"seq\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    let seq = digits.fold(0_u64, |seq, digit| seq.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')));
    Some((&symbol[..end], seq))
}

/// A venue's number as the wire writes it: without leading and trailing zeros.
pub fn plain_digits(number: &str) -> String {
    let number = number.trim_start_matches('0');
    let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    if number.is_empty() || number.starts_with('.') { format!("0{number}") } else { number.to_owned() }
}

/// Whether a number is in plain digits, without an exponent and without leading or trailing zeros.
fn is_plain(number: &str) -> bool {
    let digits = number.strip_prefix('-').unwrap_or(number);
    digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') && plain_digits(digits) == digits
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &str = r#"{"symbol":"BTC-USDT","seq":41,"kind":"trade","state":"live","recv":5,"price":61837.6,"size":0.02,"trade_ts":3,"trades":7,"later":[1]}"#;

    #[test]
    fn a_tick_is_read_with_its_exact_numbers() {
        let (tick, symbol, numbers) = Tick::read(DATA).unwrap();
        let expected = Tick { seq: 41, kind: Kind::Trade, state: State::Live, recv: 5, trade_ts: Some(3), trades: 7 };
        assert_eq!((tick, symbol.as_ref()), (expected, "BTC-USDT"));
        assert_eq!(numbers, [Some("61837.6"), Some("0.02"), None, None, None, None]);
        let block = format!("id: 1-9\ndata: {DATA}");
        assert_eq!(peek(block.as_bytes()), Some((&b"BTC-USDT"[..], 41)));
        let values = Values::read(DATA).unwrap();
        assert_eq!((values.price.as_deref(), values.bid), (Some("61837.6"), None));
    }

    #[test]
    fn data_that_are_not_a_tick_are_an_error() {
        for (from, to) in [
            ("61837.6", "61837.60"),
            ("61837.6", "6.18376e4"),
            ("61837.6", "061837.6"),
            ("61837.6", "\"61837.6\""),
            ("\"recv\":5,", ""),
            ("41", "-41"),
            ("41", "41.0"),
            ("\"live\"", "7"),
            ("[1]}", "[1]"),
        ] {
            assert!(DATA.contains(from) && Tick::read(&DATA.replace(from, to)).is_err(), "{from} → {to}");
        }
    }

    #[test]
    fn plain_digits_lose_only_superfluous_zeros() {
        for (number, plain) in [
            ("61837.63000000", "61837.63"),
            ("100", "100"),
            ("100.00", "100"),
            ("0.50", "0.5"),
            ("0.00", "0"),
            ("0", "0"),
        ] {
            assert_eq!(plain_digits(number), plain);
        }
    }
}
