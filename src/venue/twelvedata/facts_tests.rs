//! What the venue tells of a symbol besides its prices.

use super::{
    tests::{COIN, PRICE, venue},
    *,
};

#[test]
fn the_answer_to_a_subscription_tells_what_each_symbol_is() {
    let kinds = |types: [&str; 2]| {
        let [stock, coin] = types;
        let mut venue = venue();
        venue.open();
        let mut batch = Batch::default();
        let answer = format!(
            r#"{{"event":"subscribe-status","status":"ok","success":[{{"symbol":"AAPL","exchange":"NASDAQ"{stock}}},{{"symbol":"BTC/USD","exchange":"Coinbase Pro"{coin}}}],"fails":null}}"#
        );
        venue.read(answer.as_bytes(), &mut batch).unwrap();
        let told = batch.facts.iter().map(|(symbol, facts)| (symbol.0, facts.kind.unwrap().word()));
        (told.collect::<Vec<_>>(), batch.errors.total())
    };
    let both = kinds([r#","type":"Common Stock""#, r#","type":"Digital Currency""#]);
    assert_eq!(both, (vec![(0, "stock"), (1, "crypto")], 0));
    assert_eq!(kinds([r#","type":"ETF""#, r#","type":"Physical Currency""#]), (vec![(0, "stock"), (1, "forex")], 0));
    assert_eq!(kinds(["", r#","type":"PHYSICAL_CURRENCY""#]), (vec![(1, "forex")], 0));
    assert_eq!(kinds([r#","type":"Index""#, r#","type":"Warrant""#]), (vec![(0, "index")], 0));
    assert_eq!(kinds(["", r#","type":7"#]), (vec![], 1));
}

#[test]
fn the_first_price_of_a_connection_tells_the_currency() {
    let mut venue = venue();
    let mut told = |frame: &str| {
        let mut batch = Batch::default();
        venue.read(frame.as_bytes(), &mut batch).unwrap();
        assert_eq!(batch.errors.total(), 0, "{frame}");
        batch
            .facts
            .iter()
            .map(|(symbol, facts)| (symbol.0, facts.currency.as_ref().unwrap().as_str().to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(told(PRICE), [(0, "USD".to_owned())]);
    assert_eq!(told(PRICE), []);
    assert_eq!(told(COIN), [], "its words for a pair's currencies are names");
    venue.open();
    let mut batch = Batch::default();
    venue.read(PRICE.as_bytes(), &mut batch).unwrap();
    assert_eq!(batch.facts.len(), 1);
}
