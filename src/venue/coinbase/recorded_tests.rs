//! Frames that the venue sent.

use super::{
    tests::{number, of},
    *,
};
use crate::market::{Decimal, Field};

/// Every frame of the recordings is read without a loss, where they are there. Frames were taken out of them, which
/// their numbers show.
#[test]
fn recorded_frames_are_read_without_a_loss() {
    let Some(folder) = std::env::var_os("TEST_RECORDINGS") else { return };
    let folder = std::path::Path::new(&folder);
    let mut session = String::new();
    let mut file = flate2::read::GzDecoder::new(std::fs::File::open(folder.join("coinbase.txt.gz")).unwrap());
    std::io::Read::read_to_string(&mut file, &mut session).unwrap();
    let samples = std::fs::read_to_string(folder.join("samples/coinbase-2.jsonl")).unwrap();
    let frames = session.lines().map(|line| line.split_once(' ').unwrap().1).chain(samples.lines());
    let mut venue = of(&[("BTC-USD", None), ("ETH-USD", None), ("ETH-USDT", None)]);
    venue.open();
    let mut next = 0;
    let mut read = [0; 3];
    for frame in frames {
        let document: serde_json::Value = serde_json::from_str(frame).unwrap();
        let channel = document["channel"].as_str().unwrap();
        let number = document["sequence_num"].as_u64().unwrap();
        let mut batch = Batch::default();
        let message = venue.read(frame.as_bytes(), &mut batch).unwrap();
        let event = &document["events"][0];
        let updates = match channel {
            "market_trades" if event["type"] == "snapshot" => 1,
            "market_trades" => event["trades"].as_array().unwrap().len(),
            "ticker" => 1,
            _ => 0,
        };
        assert_eq!((batch.updates.len(), batch.errors.total()), (updates, 0), "{frame}");
        for (update, element) in batch.updates.iter().zip(event["trades"].as_array().into_iter().flatten().rev()) {
            let trade = update.trade.unwrap();
            let is_snapshot = event["type"] == "snapshot";
            let element = if is_snapshot { &event["trades"][0] } else { element };
            assert_eq!([trade.price, trade.size], ["price", "size"].map(|key| number_of(element, key)), "{frame}");
        }
        if channel == "ticker" {
            let ticker = &event["tickers"][0];
            let quote = batch.updates[0].quote.unwrap();
            let keys = ["best_bid", "best_bid_quantity", "best_ask", "best_ask_quantity"];
            assert_eq!([quote.bid, quote.bid_size, quote.ask, quote.ask_size], keys.map(|key| number_of(ticker, key)));
        }
        let place = match message {
            Message::Gap => 0,
            Message::Other => {
                assert!(matches!(channel, "subscriptions" | "l2_data"), "nothing was asked for: {frame}");
                1
            }
            _ => 2,
        };
        assert_eq!(place == 0, number > next, "{frame}");
        read[place] += 1;
        next = number + 1;
    }
    assert!(read.iter().sum::<usize>() > 130 && read.iter().all(|&count| count > 0), "{read:?}");
}

fn number_of(element: &serde_json::Value, key: &str) -> Field<Decimal> {
    number(element[key].as_str().unwrap())
}
