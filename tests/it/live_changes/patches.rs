//! Ticks as patches, over each protocol.

use super::{
    streams::{Carried, each_protocol},
    *,
};
use std::collections::BTreeMap;

/// What a client shows of each symbol, and in which form its ticks came: `w` whole, `p` as a patch.
fn shown(text: &str) -> BTreeMap<String, (Value, String)> {
    let body = text.split_once("\r\n\r\n").map_or(text, |(_, body)| body);
    let mut rows: BTreeMap<String, (Value, String)> = BTreeMap::new();
    for block in body[..body.rfind("\n\n").unwrap()].split("\n\n").filter(|block| !block.is_empty()) {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
        let data: Value = serde_json::from_str(field("data: ").unwrap()).unwrap();
        let symbol = data["symbol"].as_str().unwrap_or_default().to_owned();
        match field("event: ") {
            None => {
                let (row, forms) = rows.entry(symbol).or_default();
                *row = data;
                forms.push('w');
            }
            Some("patch") => {
                let (row, forms) = rows.get_mut(&symbol).unwrap();
                assert_eq!(row["seq"].as_u64().unwrap() + 1, data["seq"].as_u64().unwrap(), "{text}");
                merge(row, data);
                forms.push('p');
            }
            Some(_) => {}
        }
    }
    rows
}

/// RFC 7396, for members that are not objects.
fn merge(row: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else { panic!("a patch is an object") };
    let row = row.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            row.remove(&name);
        } else {
            row.insert(name, value);
        }
    }
}

/// Reads until the stream has a tick; returns what is shown of its symbol then, and the forms of its ticks so far.
fn until(stream: &mut dyn Carried, symbol: &str, seq: u64) -> (Value, String) {
    let wanted = format!("\"symbol\":\"{symbol}\",\"seq\":{seq},");
    let text = stream.until(&|text| text.split_once(&wanted).is_some_and(|(_, behind)| behind.contains("\n\n")));
    shown(&text).remove(symbol).unwrap()
}

fn quote(gateway: &Live, symbol: &str) -> Value {
    gateway.client().get(&format!("/v1/quotes/{symbol}")).json()["quotes"][0].clone()
}

#[test]
fn patches_make_of_a_row_what_the_gateway_has_over_each_protocol() {
    let mut gateway = Live::start();
    for symbol in ["AAPL", "MSFT"] {
        gateway.publish(symbol);
    }
    for mut stream in each_protocol(&gateway, "AAPL,MSFT&patch=1") {
        let stream = &mut *stream;
        let mut next = |stream: &mut dyn Carried, symbol: &str| {
            let seq = gateway.publish(symbol);
            let (row, forms) = until(stream, symbol, seq);
            assert_eq!(row, quote(&gateway, symbol));
            assert!(forms.starts_with("wp"), "the first comes whole: {forms}");
            forms.chars().last()
        };
        let change = |stream: &mut dyn Carried, body: &str| assert_eq!(stream.change(body).0, 200, "{body}");
        assert_eq!(["AAPL", "AAPL", "MSFT", "AAPL"].map(|symbol| next(stream, symbol)), [Some('p'); 4]);
        // Options come and go; what the client has is the same.
        change(stream, r#"{"patch":false}"#);
        assert_eq!(next(stream, "AAPL"), Some('w'));
        change(stream, r#"{"patch":true}"#);
        assert_eq!(next(stream, "AAPL"), Some('p'));
        // A symbol that left and comes back is a new one.
        change(stream, r#"{"symbols":["MSFT"]}"#);
        stream.until(&|text| text.contains("\"symbols\":[\"MSFT\"]"));
        change(stream, r#"{"symbols":["MSFT","AAPL"]}"#);
        let newest = format!("\"AAPL\",\"seq\":{},", gateway.state("AAPL").newest().seq);
        let is_back = |text: &str| {
            let behind = text.rsplit_once("\"symbols\":[\"MSFT\",\"AAPL\"]").map_or("", |(_, behind)| behind);
            behind.split_once(&newest).is_some_and(|(_, behind)| behind.contains("\n\n"))
        };
        assert!(shown(&stream.until(&is_back))["AAPL"].1.ends_with('w'));
    }
    gateway.stop();
}

#[test]
fn a_stream_that_resumes_begins_with_a_whole_tick_and_goes_on_with_patches() {
    let mut gateway = Live::start();
    gateway.publish("AAPL");
    let (mut stream, _) = open(&gateway, "AAPL&patch=1");
    let seq = gateway.publish("AAPL");
    let has = |text: &str, seq: u64| {
        text.split_once(&format!("\"seq\":{seq},")).is_some_and(|(_, behind)| behind.contains("\n\n"))
    };
    assert_eq!(shown(&stream.until(|text| has(text, seq)))["AAPL"], (quote(&gateway, "AAPL"), "wp".to_owned()));
    let id = gateway.state("AAPL").newest().id;
    (0..3).for_each(|_| _ = gateway.publish("AAPL"));
    let last = format!("{}-{}", id.epoch, id.n);
    let (mut resumed, _) = open(&gateway, &format!("AAPL&patch=1&last_event_id={last}"));
    let newest = gateway.state("AAPL").newest().seq;
    let text = resumed.until(|text| has(text, newest));
    assert_eq!(shown(&text)["AAPL"], (quote(&gateway, "AAPL"), "wpp".to_owned()), "{text}");
    gateway.stop();
}
