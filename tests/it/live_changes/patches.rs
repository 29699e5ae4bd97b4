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
    let text =
        stream.until(&|text| text.split_once(&wanted).is_some_and(|(_, behind)| behind.contains("\n\n")));
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
            forms
        };
        let change = |stream: &mut dyn Carried, body: &str| assert_eq!(stream.change(body).0, 200, "{body}");
        assert_eq!(next(stream, "AAPL"), "wp");
        assert_eq!(next(stream, "AAPL"), "wpp");
        assert_eq!(next(stream, "MSFT"), "wp");
        // Options come and go; what the client has is the same.
        change(stream, r#"{"patch":false}"#);
        assert_eq!(next(stream, "AAPL"), "wppw");
        change(stream, r#"{"patch":true}"#);
        assert_eq!(next(stream, "AAPL"), "wppwp");
        // A symbol that left and comes back is a new one.
        change(stream, r#"{"symbols":["MSFT"]}"#);
        let named = |text: &str, count| seen(text).iter().filter(|seen| matches!(seen, Seen::Named(..))).count() >= count;
        stream.until(&|text| named(text, 4 + 4));
        change(stream, r#"{"symbols":["MSFT","AAPL"]}"#);
        let seq = gateway.state("AAPL").newest().seq;
        let back = |text: &str| {
            let event = "\"symbols\":[\"MSFT\",\"AAPL\"]";
            text.rsplit_once(event).is_some_and(|(_, text)| text.contains(&format!("\"AAPL\",\"seq\":{seq},")))
        };
        stream.until(&back);
        assert_eq!(shown(&stream.until(&|text| text.ends_with("\n\n")))["AAPL"].1, "wppwpw");
    }
    gateway.stop();
}

#[test]
fn a_new_epoch_and_a_stream_that_resumes_begin_with_whole_ticks() {
    let mut gateway = Live::start();
    gateway.publish("AAPL");
    let (mut stream, _) = open(&gateway, "AAPL&patch=1");
    let seq = gateway.publish("AAPL");
    let (row, forms) = {
        let wanted = format!("\"seq\":{seq},");
        shown(&stream.until(|text| text.split_once(&wanted).is_some_and(|(_, behind)| behind.contains("\n\n"))))
    }
    .remove("AAPL")
    .unwrap();
    assert_eq!((forms.as_str(), &row), ("wp", &quote(&gateway, "AAPL")));
    let id = gateway.state("AAPL").newest().id;
    (0..3).for_each(|_| _ = gateway.publish("AAPL"));
    let last = format!("{}-{}", id.epoch, id.n);
    let (mut resumed, _) = open(&gateway, &format!("AAPL&patch=1&last_event_id={last}"));
    let newest = gateway.state("AAPL").newest().seq;
    let wanted = format!("\"seq\":{newest},");
    let text = resumed.until(|text| text.split_once(&wanted).is_some_and(|(_, behind)| behind.contains("\n\n")));
    assert_eq!(shown(&text)["AAPL"].1, "wpp", "{text}");
    assert_eq!(shown(&text)["AAPL"].0, quote(&gateway, "AAPL"));
    gateway.stop();
}
