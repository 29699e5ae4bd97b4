//! The statistics of 24 hours.

use super::{event::scanned, *};
use crate::{
    market::{Decimal, Field, Guards, Now, Origin, Sequence, Snapshot, StatsUpdate, StatsWindow, UnixMicros, Update},
    venue::kit::Given,
};

const TICKER: &str = r#"{"stream":"btcusdt@ticker","data":{"e":"24hrTicker","E":1723161255343001,"s":"BTCUSDT","p":"-88.17000000","P":"-0.142","w":"61700.12345678","x":"61925.80000000","c":"61837.63000000","Q":"0.00209000","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000","o":"61925.79000000","h":"62310.00000000","l":"61002.10000000","v":"20248.90010000","q":"1251234567.12345678","O":1723074855342000,"C":1723161255342000,"F":148927,"L":181349,"n":32423}}"#;

fn number(text: &str) -> Field<Decimal> {
    Field::Set(text.parse().unwrap())
}

fn read(frame: &str) -> (Vec<Update>, u64) {
    let mut venue = Binance::new(&SPOT, &Given::symbols(&[("BTC-USDT", None)]).setup()).unwrap();
    let mut batch = Batch::default();
    assert_eq!(venue.read(frame.as_bytes(), &mut batch), Ok(Message::Data), "{frame}");
    (batch.updates, batch.errors.total())
}

#[test]
fn statistics_have_their_window_and_move_neither_trade_nor_quote() {
    let stats = StatsUpdate {
        sequence: Sequence { time: Some(UnixMicros(1_723_161_255_343_001)), ..Sequence::default() },
        window: Field::Set(StatsWindow::Hours24),
        open: number("61925.79"),
        high: number("62310"),
        low: number("61002.1"),
        volume: number("20248.9001"),
        prev_close: number("61925.8"),
    };
    let expected = (vec![Update { stats: Some(stats), ..Update::default() }], 0);
    let bare = &TICKER[TICKER.find("\"data\":").unwrap() + 7..TICKER.len() - 1];
    for frame in [TICKER, bare] {
        assert!(scanned(frame.as_bytes()).is_some(), "{frame}");
        assert_eq!(read(frame), expected);
        assert_eq!(read(&frame.replacen("\"e\":", " \"e\" : ", 1)), expected);
    }
}

#[test]
fn a_pair_that_has_not_traded_within_the_window_has_no_prices_and_a_lost_field_is_counted() {
    let quiet =
        TICKER.replace("61925.79000000", "0.00000000").replace("62310.00000000", "0").replace("61925.80000000", "0");
    let (updates, errors) = read(&quiet);
    let stats = updates[0].stats.unwrap();
    assert_eq!(([stats.open, stats.high, stats.prev_close], errors), ([Field::Clear; 3], 0));
    assert_eq!(stats.low, number("61002.1"));
    let (updates, errors) = read(&TICKER.replace(r#""h":"62310.00000000","#, ""));
    assert_eq!((updates[0].stats.unwrap().high, errors), (Field::Clear, 1));
}

#[test]
fn rule_8_older_statistics_do_not_move_newer_ones() {
    let now = Now { unix: UnixMicros(1_900_000_000_000_000), ..Now::read() };
    let mut snapshot = Snapshot::waiting(Origin::Market, now.unix);
    let mut guards = Guards::default();
    for (time, high, shown) in [("1", "7", 7), ("3", "8", 8), ("2", "9", 8), ("3", "10", 10)] {
        let frame =
            TICKER.replace("1723161255343001", &format!("172316125534300{time}")).replace("62310.00000000", high);
        let _ = snapshot.apply(&read(&frame).0[0], &mut guards, now);
        assert_eq!(snapshot.stats.high, Decimal::new(shown, 0), "{high}");
    }
    assert_eq!((snapshot.trade.price, snapshot.quote.bid), (None, None));
}
