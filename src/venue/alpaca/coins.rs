//! Alpaca's stream of coins: trades, quotes and daily bars.
//!
//! ```json
//! {"action":"subscribe","quotes":["BTC/USD"],"trades":["BTC/USD"]}
//! [{"T":"subscription","trades":["BTC/USD"],"quotes":["BTC/USD"],"orderbooks":[],"bars":[],"updatedBars":[],
//!   "dailyBars":[]}]
//! [{"T":"t","S":"AVAX/USD","p":47.302,"s":3.25,"t":"2024-03-12T10:27:49.012204671Z","i":3447222699101865077,
//!   "tks":"S"}]
//! [{"T":"q","S":"BAT/USD","bp":0.35718,"bs":13445.46,"ap":0.3581,"as":13561.902,"t":"2024-03-12T10:29:43.2Z"}]
//! [{"T":"d","S":"BTC/USD","o":71520.5,"h":72880.1,"l":71002,"c":72001.25,"v":31.402,"n":2210,"vw":71980.1,
//!   "t":"2024-03-12T05:00:00Z"}]
//! [{"T":"error","code":408,"msg":"v2 not enabled"}]
//! ```
//! All is as for stocks, but:
//!
//! **Order.** The data are those of one exchange, with one clock: trades and quotes are guarded by `t`, and
//! equal times pass, since a trade and the quote that it made share theirs. The ids of trades are unique, and
//! are not known to rise.
//!
//! **Fields.** `tks` is the taker's side. The venue sends neither conditions nor corrections, statuses or
//! price bands. A daily bar has the time of the day's beginning.

use super::*;
use crate::market::{Hours, Symbol};

/// The address's own path: the exchange in the United States.
const PATH: &str = "/v1beta3/crypto/us";
/// Many times as many as there are pairs; what a plan allows, the venue says itself.
const SYMBOLS_MAX: usize = 1_000;

/// Alpaca's stream of coins.
pub(in crate::venue) static SPEC: Spec = Spec {
    name: "alpaca-crypto",
    about: "crypto, spot: trades, best bid and ask, daily bars",
    asset_class: AssetClass::Crypto,
    hours: |_| Hours::Always,
    credentials: CREDENTIALS,
    symbols_per_connection: SYMBOLS_MAX,
    connections_max: 1,
    between_connects: Duration::ZERO,
    message_bytes,
    heartbeats: false,
    examples: &["BTC-USD", "ETH-USD"],
    default_symbols: &[],
    options: &[],
    derive,
    data_name: |_| None,
    quotes: &[],
    facts: |name| kit::facts::pair_with('/', name),
    check_url: endpoint::check_coins,
    origin: |_| crate::market::Origin::Market,
    delay: |_| None,
    snapshots: Some(snapshot::RULE),
    new: |setup| Ok(Box::new(Alpaca::new(&MARKET, setup)?)),
    local_server: None,
};

pub(super) static MARKET: Market =
    Market { spec: &SPEC, path: PATH, extras: Channels::Bars, has_one_clock: true, read_snapshots: snapshot::coins };

/// `BTC-USD` is `BTC/USD` there.
fn derive(symbol: &Symbol) -> Option<String> {
    let (base, quote) = symbol.as_str().split_once('-')?;
    let is_one = |name: &str| !name.is_empty() && !name.contains(['-', '_', '.']);
    // A perpetual contract is not a pair of the spot market.
    (is_one(base) && is_one(quote) && quote != "PERP").then(|| format!("{base}/{quote}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        market::{Decimal, Field, QuoteUpdate, Sequence, Side, StatsWindow, TradeUpdate, TradingSession, UnixMicros},
        venue::kit::Given,
    };

    fn venue() -> Alpaca {
        let symbols = Given::symbols(&[("BTC-USD", None), ("ETH-USD", None)]);
        let feed = Given { credentials: Some(Credentials::new("PKTEST", "hush")), ..symbols };
        Alpaca::new(&MARKET, &feed.setup()).unwrap()
    }

    fn number(text: &str) -> Field<Decimal> {
        Field::Set(text.parse().unwrap())
    }

    fn at(micros: i64) -> Sequence {
        Sequence { id: None, time: Some(UnixMicros(micros)), by_arrival: false }
    }

    #[test]
    fn a_trade_has_its_takers_side_and_shares_its_time_with_the_quote_that_it_made() {
        let mut batch = Batch::default();
        let frame = r#"[{"T":"t","S":"BTC/USD","p":118541.50,"s":0.002,"t":"2026-07-18T10:01:02.123456789Z","i":8923748923478923999,"tks":"S"},
            {"T":"q","S":"BTC/USD","bp":118541.4,"bs":1.2,"ap":0,"as":0,"t":"2026-07-18T10:01:02.123456789Z"}]"#;
        assert_eq!(venue().read(frame.as_bytes(), &mut batch), Ok(Message::Data));
        let sequence = at(1_784_368_862_123_456);
        let trade = TradeUpdate {
            sequence,
            price: number("118541.5"),
            size: number("0.002"),
            side: Field::Set(Side::Sell),
            session: TradingSession::Regular,
            key: None,
        };
        let quote = QuoteUpdate {
            sequence,
            bid: number("118541.4"),
            bid_size: number("1.2"),
            ask: Field::Clear,
            ask_size: Field::Clear,
        };
        assert_eq!((batch.updates[0].trade, batch.updates[1].quote), (Some(trade), Some(quote)));
        assert_eq!((batch.updates.len(), batch.errors.total()), (2, 0));
    }

    #[test]
    fn the_days_figures_are_exact() {
        let mut batch = Batch::default();
        let frame = r#"[{"T":"d","S":"ETH/USD","o":3990.1,"h":4011.90,"l":3981,"c":4000,"v":120.55,"n":9,"vw":1,"t":"2026-07-18T05:00:00Z"},
            {"T":"b","S":"ETH/USD","o":1,"h":1,"l":1,"c":1,"v":0,"n":0,"vw":0,"t":"2026-07-18T10:01:00Z"},
            {"T":"o","S":"ETH/USD","t":"2026-07-18T10:01:00Z","b":[{"p":1,"s":2}],"a":[],"r":true}]"#;
        assert_eq!(venue().read(frame.as_bytes(), &mut batch), Ok(Message::Data));
        let stats = batch.updates[0].stats.unwrap();
        assert_eq!((batch.updates.len(), batch.errors.total()), (1, 0), "bars of minutes and books are not read");
        assert_eq!(
            (stats.window, stats.high, stats.volume),
            (Field::Set(StatsWindow::Day), number("4011.9"), number("120.55"))
        );
        assert_eq!(stats.sequence, at(1_784_350_800_000_000));
    }

    #[test]
    fn bars_are_asked_for_beside_prices_and_nothing_else() {
        let mut venue = venue();
        venue.open();
        let mut says = |frame: &str| {
            let mut batch = Batch::default();
            let message = venue.read(frame.as_bytes(), &mut batch).unwrap();
            (message, batch.requests.into_iter().map(|request| request.text.unwrap()).collect::<Vec<_>>())
        };
        says(r#"[{"T":"success","msg":"connected"}]"#);
        let (_, asked) = says(r#"[{"T":"success","msg":"authenticated"}]"#);
        assert_eq!(asked, [r#"{"action":"subscribe","quotes":["BTC/USD","ETH/USD"],"trades":["BTC/USD","ETH/USD"]}"#]);
        let (_, asked) = says(
            r#"[{"T":"subscription","trades":["BTC/USD","ETH/USD"],"quotes":["ETH/USD","BTC/USD"],"orderbooks":[]}]"#,
        );
        assert_eq!(asked, [r#"{"action":"subscribe","dailyBars":["BTC/USD","ETH/USD"]}"#]);
        let answer = r#"[{"T":"subscription","dailyBars":["BTC/USD","ETH/USD"]}]"#;
        assert_eq!(says(answer), (Message::Acknowledged(3), vec![]));
        let not_enabled = r#"[{"T":"error","code":408,"msg":"v2 not enabled"}]"#;
        assert_eq!(says(not_enabled).0, Message::Failed(Failure::Fatal(Reason::NotEntitled)));
    }

    #[test]
    fn a_pair_has_a_slash() {
        let name = |symbol: &str| derive(&symbol.parse().unwrap());
        assert_eq!(name("BTC-USD").as_deref(), Some("BTC/USD"));
        for other in ["AAPL", "BRK.B-USD", "BTC-USD-PERP", "BTC-PERP", "BTC-", "A_B-USD"] {
            assert_eq!(name(other), None, "{other}");
        }
    }
}
