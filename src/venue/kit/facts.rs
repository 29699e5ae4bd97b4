//! Facts of symbols: what a venue's name of one tells, and readers of fields that tell them.

use super::raw::{Raw, Value};
use crate::{
    market::{Currency, Digits, Facts, Field, InstrumentKind, Name},
    telemetry::labels::Tally,
    venue::DecodeError,
};

/// The currencies of states that venues pair with each other and with coins, by ISO 4217.
const OF_STATES: [&str; 36] = [
    "AED", "ARS", "AUD", "BRL", "CAD", "CHF", "CLP", "CNH", "CNY", "COP", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF",
    "IDR", "ILS", "INR", "JPY", "KRW", "MXN", "MYR", "NOK", "NZD", "PHP", "PLN", "RON", "SAR", "SEK", "SGD", "THB",
    "TRY", "UAH", "USD", "ZAR",
];

/// An instrument of this kind, with prices in this currency.
pub(in crate::venue) fn priced_in(currency: &str, kind: Option<InstrumentKind>) -> Facts {
    Facts { currency: Currency::fold(currency), kind, ..Facts::default() }
}

/// A share of the United States, whose exchanges trade in dollars.
pub(in crate::venue) fn us_stock(_: &str) -> Facts {
    priced_in("USD", Some(InstrumentKind::Stock))
}

/// A pair at a venue of coins: prices are in its second asset.
pub(in crate::venue) fn pair(base: &str, quote: &str) -> Facts {
    let kind = if is_forex(base, quote) { InstrumentKind::Forex } else { InstrumentKind::Crypto };
    priced_in(quote, Some(kind))
}

/// A pair at a venue of coins whose name has this between its assets. Nothing for another name.
pub(in crate::venue) fn pair_with(separator: char, name: &str) -> Facts {
    match name.split_once(separator) {
        Some((base, quote)) if !quote.contains(separator) => pair(base, quote),
        _ => Facts::default(),
    }
}

/// A pair at a venue of coins whose name joins its assets: the longest of `quotes` that it ends with is the second one.
pub(in crate::venue) fn joined_pair(name: &str, quotes: &[&str]) -> Facts {
    split_joined(name, quotes).map_or_else(Facts::default, |(base, quote)| pair(base, quote))
}

/// The assets of a name that joins them, in upper or lower case.
pub(in crate::venue) fn split_joined<'n>(name: &'n str, quotes: &[&str]) -> Option<(&'n str, &'n str)> {
    let ends_with = |quote: &&&str| {
        let at = name.len().checked_sub(quote.len());
        at.and_then(|at| name.get(at..)).is_some_and(|end| end.eq_ignore_ascii_case(quote))
    };
    let quote = quotes.iter().filter(ends_with).max_by_key(|quote| quote.len())?;
    let (base, quote) = name.split_at(name.len() - quote.len());
    (!base.is_empty()).then_some((base, quote))
}

/// Whether both are currencies of states.
pub(in crate::venue) fn is_forex(base: &str, quote: &str) -> bool {
    [base, quote].iter().all(|asset| OF_STATES.iter().any(|code| code.eq_ignore_ascii_case(asset)))
}

/// A name for people, from a field of a message.
pub(in crate::venue) fn name<'a>(field: impl Value<'a>, errors: &mut Tally<DecodeError>) -> Option<Name> {
    said(field, errors, |text| Name::new(text).map(Some))
}

/// A currency.
pub(in crate::venue) fn currency<'a>(field: impl Value<'a>, errors: &mut Tally<DecodeError>) -> Option<Currency> {
    said(field, errors, |code| Currency::fold(code).map(Some))
}

/// What an instrument is, by the venue's word for it. A word that is not `known` tells nothing.
pub(in crate::venue) fn kind<'a>(
    field: impl Value<'a>,
    known: impl Fn(&str) -> Option<InstrumentKind>,
    errors: &mut Tally<DecodeError>,
) -> Option<InstrumentKind> {
    said(field, errors, |word| Some(known(word)))
}

/// A number of decimals.
pub(in crate::venue) fn digits<'a>(field: impl Value<'a>, errors: &mut Tally<DecodeError>) -> Option<Digits> {
    let count = field.id(errors)?;
    count_range(Digits::new(count), errors)
}

/// The decimals of the multiples of an increment.
pub(in crate::venue) fn digits_of_increment<'a>(
    field: impl Value<'a>,
    errors: &mut Tally<DecodeError>,
) -> Option<Digits> {
    let Field::Set(increment) = field.decimal(errors) else { return None };
    count_range(Digits::of_increment(increment), errors)
}

fn count_range(digits: Option<Digits>, errors: &mut Tally<DecodeError>) -> Option<Digits> {
    if digits.is_none() {
        errors.count(DecodeError::Range);
    }
    digits
}

/// What a string says. `None` where there is none, and, counted, where it cannot be read.
fn said<'a, T>(
    field: impl Value<'a>,
    errors: &mut Tally<DecodeError>,
    read: impl Fn(&str) -> Option<Option<T>>,
) -> Option<T> {
    if matches!(field.raw(), Raw::Absent | Raw::Null | Raw::Text("")) {
        return None;
    }
    let said = field.text().and_then(|text| read(&text));
    if said.is_none() {
        errors.count(DecodeError::Word);
    }
    said.flatten()
}

#[cfg(test)]
mod tests {
    use crate::{
        market::{Currency, InstrumentKind},
        venue::find,
    };

    /// What each venue's name of a symbol tells: kind and currency.
    #[test]
    fn a_venues_name_of_a_symbol_tells_its_kind_and_its_currency() {
        for (venue, name, told) in [
            ("binance", "btcusdt", "crypto USDT"),
            ("binance", "BNBFDUSD", "crypto FDUSD"),
            ("binance", "EURTRY", "forex TRY"),
            ("binance", "USDT", ""),
            ("binance", "ODD", ""),
            ("binance-usdm", "btcusdt", "perpetual USDT"),
            ("binance-usdm", "BTCUSDT_260925", "future USDT"),
            ("binance-usdm", "ODD", "perpetual"),
            ("bybit-spot", "BTCUSDC", "crypto USDC"),
            ("bybit-linear", "BTCUSDT", "perpetual USDT"),
            ("bybit-linear", "BTCPERP", "perpetual USDC"),
            ("bybit-linear", "BTCUSDT-26SEP25", "future USDT"),
            ("bybit-linear", "BTC-26SEP25", "future USDC"),
            ("bybit-inverse", "BTCUSD", "perpetual USD"),
            ("bybit-inverse", "BTCUSDU25", "future USD"),
            ("coinbase", "BTC-USD", "crypto USD"),
            ("coinbase", "BIT-28JUL23-CDE", ""),
            ("kraken", "BTC/EUR", "crypto EUR"),
            ("kraken", "GBP/USD", "forex USD"),
            ("kraken", "AAPLx/USD", "USD"),
            ("okx", "BTC-USDT", "crypto USDT"),
            ("okx", "BTC-USD-SWAP", "perpetual USD"),
            ("okx", "BTC-USD-260925", "future USD"),
            ("okx", "BTC-USD-260925-100000-C", ""),
            ("bitstamp", "btcusdc", "crypto USDC"),
            ("bitstamp", "eurusd", "forex USD"),
            ("alpaca", "BRK.B", "stock USD"),
            ("alpaca-crypto", "BTC/USDT", "crypto USDT"),
            ("massive", "AAPL", "stock USD"),
            ("finnhub", "AAPL", "stock USD"),
            ("finnhub", "BINANCE:BTCUSDT", ""),
            ("tiingo", "brk-b", "stock USD"),
            ("twelvedata", "AAPL", ""),
            ("twelvedata", "EUR/USD", "forex USD"),
            ("twelvedata", "BTC/EUR:Binance", "EUR"),
            ("sim", "AAPL", ""),
        ] {
            let facts = (find(venue).unwrap().facts)(name);
            let kind = facts.kind.map(InstrumentKind::word);
            let words: Vec<&str> = kind.into_iter().chain(facts.currency.as_ref().map(Currency::as_str)).collect();
            assert_eq!(words.join(" "), told, "{venue} {name}");
            assert_eq!((facts.name, facts.price_digits, facts.size_digits), (None, None, None));
        }
    }

    #[test]
    fn rule_9_no_name_panics() {
        for venue in crate::venue::VENUES {
            for name in
                ["", "ä", "äusdt", "/", "-", "_", "--", "A-", "-USD", "/USD", "USD/", ":", "\u{1F680}usd", "ßUSDT"]
            {
                (venue.facts)(name);
            }
        }
    }
}
