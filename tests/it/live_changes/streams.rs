//! What a stream carries after a change, over each protocol.

use super::*;

/// A stream on some connection, and a way to change it.
pub(super) trait Carried {
    /// Changes the stream; returns status and JSON.
    fn change(&mut self, body: &str) -> (u16, Value);

    /// Reads until the stream's text is as wanted; returns all of it.
    fn until(&mut self, is_wanted: &dyn Fn(&str) -> bool) -> String;
}

/// A stream of HTTP/1.1, and the connection for its changes.
struct Http1<S> {
    stream: Client<S>,
    other: Client<S>,
    control: String,
}

impl<S: Read + Write> Carried for Http1<S> {
    fn change(&mut self, body: &str) -> (u16, Value) {
        let answer = post(&mut self.other, &self.control, body);
        (answer.status, answer.json())
    }

    fn until(&mut self, is_wanted: &dyn Fn(&str) -> bool) -> String {
        self.stream.until(is_wanted)
    }
}

/// A stream and its changes on one connection of HTTP/2.
struct Http2 {
    socket: TlsClient,
    peer: H2Peer,
    stream: u32,
    control: String,
}

impl Http2 {
    fn open(gateway: &Live, symbols: &str) -> Self {
        let mut peer = H2Peer::new(&[]);
        let stream = peer.get(&format!("/v1/stream?symbols={symbols}"));
        let mut new = Self { socket: gateway.tls_client(b"h2"), peer, stream, control: String::new() };
        let read = new.until(&|text| text.contains("event: hello") && text.contains("\"seq\":"));
        new.control = control(&read);
        new
    }

    fn text(&self, stream: u32) -> String {
        self.peer.streams.get(&stream).map_or(String::new(), h2_peer::PeerStream::text)
    }

    /// Asks with a body, in two frames; returns the answer's body.
    fn post(&mut self, target: &str, fields: &[(&str, &str)], body: &[u8]) -> Value {
        let stream = self.peer.ask("POST", target, fields, false);
        let (first, second) = body.split_at(body.len() / 2);
        self.peer.frame(h2_peer::DATA, 0, stream, first);
        self.peer.frame(h2_peer::DATA, h2_peer::END_STREAM, stream, second);
        while !self.peer.streams.get(&stream).is_some_and(|stream| stream.has_ended) {
            self.peer.exchange(&mut self.socket);
        }
        serde_json::from_str(&self.text(stream)).unwrap()
    }
}

impl Carried for Http2 {
    fn change(&mut self, body: &str) -> (u16, Value) {
        let target = format!("/v1/streams/{}", self.control);
        let answer = self.post(&target, &[("content-type", "application/json")], body.as_bytes());
        let status = answer["status"].as_u64().map_or(200, |status| status as u16);
        (status, answer)
    }

    fn until(&mut self, is_wanted: &dyn Fn(&str) -> bool) -> String {
        loop {
            let text = self.text(self.stream);
            if is_wanted(&text) {
                return text;
            }
            self.peer.exchange(&mut self.socket);
        }
    }
}

pub(super) fn each_protocol(gateway: &Live, symbols: &str) -> [Box<dyn Carried>; 3] {
    let (stream, control) = open(gateway, symbols);
    let plain = Http1 { stream, other: gateway.client(), control };
    let tls = || Client::over(gateway.tls_client(b"http/1.1"));
    let (stream, control) = open_on(tls(), symbols);
    let secure = Http1 { stream, other: tls(), control };
    [Box::new(plain), Box::new(secure), Box::new(Http2::open(gateway, symbols))]
}

#[test]
fn a_list_changes_in_place_over_each_protocol() {
    let mut gateway = Live::start();
    for symbol in ["AAPL", "MSFT", "BRK.B"] {
        gateway.publish(symbol);
    }
    for mut stream in each_protocol(&gateway, "AAPL,BRK.B") {
        let (status, answer) = stream.change(r#"{"rev":1,"symbols":["msft","NOPE","AAPL"]}"#);
        assert_eq!(status, 200, "{answer}");
        let epoch = gateway.cache.slice(0, 1)[0].shard().epoch().to_string();
        let expected = serde_json::json!({"rev": 1, "epoch": epoch, "symbols": ["MSFT", "AAPL"], "unknown": ["NOPE"]});
        assert_eq!(answer, expected);
        let newest = |symbol: &str, seq: u64| format!("\"symbol\":\"{symbol}\",\"seq\":{seq},");
        let seq = gateway.state("MSFT").newest().seq;
        let text = stream.until(&|text| text.contains(&newest("MSFT", seq)));
        let events = seen(&text);
        let place = events.iter().position(|event| *event == Seen::Named("symbols".into(), expected.clone())).unwrap();
        // Ticks of a symbol that stays may come in between, but none that is older of the new one.
        let of_new = |event: &&Seen| matches!(event, Seen::Tick(symbol, _) if symbol == "MSFT");
        let first = events[place..].iter().find(of_new);
        assert_eq!(first, Some(&Seen::Tick("MSFT".into(), seq)), "the newest of what is added follows");

        let (aapl, msft) = (gateway.publish("AAPL"), gateway.publish("MSFT"));
        stream.until(&|text| text.contains(&newest("AAPL", aapl)) && text.contains(&newest("MSFT", msft)));
        let (_, answer) = stream.change(r#"{"symbols":["BRK.B"]}"#);
        assert_eq!((&answer["rev"], &answer["symbols"]), (&1.into(), &serde_json::json!(["BRK.B"])));
        gateway.publish("AAPL");
        gateway.publish("MSFT");
        let brk = gateway.publish("BRK.B");
        let text = stream.until(&|text| text.contains(&newest("BRK.B", brk)));
        assert_eq!(check(&text), 2);
        let (_, answer) = stream.change("{}");
        assert_eq!(answer["symbols"], serde_json::json!(["BRK.B"]));
        assert_eq!(answer["unknown"], serde_json::json!([]));
    }
    gateway.stop();
}

#[test]
fn a_change_that_does_not_mention_the_list_repeats_what_no_feed_has() {
    let gateway = Live::start();
    for mut stream in each_protocol(&gateway, "AAPL,NOPE") {
        for (body, unknown) in [
            ("{}", &["NOPE"][..]),
            (r#"{"max_rate":4}"#, &["NOPE"]),
            (r#"{"symbols":["NE","AAPL","NO"]}"#, &["NE", "NO"]),
            (r#"{"on":["trade"]}"#, &["NE", "NO"]),
            (r#"{"symbols":["MSFT"]}"#, &[]),
            ("{}", &[]),
        ] {
            let (status, answer) = stream.change(body);
            assert_eq!((status, &answer["unknown"]), (200, &serde_json::json!(unknown)), "{body}: {answer}");
            let event = Seen::Named("symbols".into(), answer);
            let is_event = |seen: &&Seen| matches!(seen, Seen::Named(name, _) if name == "symbols");
            stream.until(&|text| seen(text).iter().rfind(is_event) == Some(&event));
        }
    }
    gateway.stop();
}

#[test]
fn rule_10_a_list_that_a_stream_may_have_fits_its_body() {
    const COUNT: usize = 500;
    let gateway = Live::with(|setup| setup.limits.symbols_per_stream = COUNT);
    let longest: Vec<String> = (1..COUNT).map(|number| format!("{number:032}")).collect();
    let names: Vec<&str> = longest.iter().map(String::as_str).chain(["AAPL"]).collect();
    for mut stream in each_protocol(&gateway, "AAPL") {
        for body in [format!(r#"{{"symbols":{names:?}}}"#), format!("{{\"symbols\":{names:#?}}}").replace(",\n]", "]")]
        {
            let (status, answer) = stream.change(&body);
            assert_eq!((status, answer["unknown"].as_array().map(Vec::len)), (200, Some(COUNT - 1)), "{answer}");
        }
        let (status, answer) = stream.change(&" ".repeat(COUNT * 40 + 1_025));
        assert_eq!((status, answer["detail"].as_str()), (413, Some("Send a body of at most 21024 bytes.")));
    }
    gateway.stop();
}

#[test]
fn options_change_in_place() {
    let mut gateway = Live::start();
    let (mut stream, control) = open(&gateway, "AAPL");
    let mut other = gateway.client();
    assert_eq!(post(&mut other, &control, r#"{"on":["quote"],"max_rate":0.1}"#).status, 200);
    stream.until(|text| text.contains("event: symbols"));
    gateway.publish("AAPL");
    gateway.publish("AAPL");
    assert_eq!(post(&mut other, &control, r#"{"on":null,"max_rate":null}"#).status, 200);
    let last = gateway.publish("AAPL");
    let text = stream.until(|text| text.contains(&format!("\"seq\":{last},")));
    assert_eq!(check(&text), 2);
    gateway.stop();
}

/// A client that has not read for long: its list changes at once, and what it then reads is in order.
#[test]
fn a_stream_without_room_changes_at_once() {
    let mut gateway = Live::start();
    let (mut stream, control) = open_on(Client::from_socket(connect_narrow(gateway.plain)), "AAPL,MSFT");
    let mut other = gateway.client();
    let full = |gateway: &Live| gateway.workers.counts().full == 1;
    while !full(&gateway) {
        (0..1_000).for_each(|_| _ = (gateway.publish("AAPL"), gateway.publish("MSFT")));
    }
    for (rev, symbols) in [(1, r#""BRK.B""#), (2, r#""BRK.B","MSFT""#)] {
        assert_eq!(post(&mut other, &control, &format!(r#"{{"rev":{rev},"symbols":[{symbols}]}}"#)).status, 200);
    }
    let last = [gateway.publish("AAPL"), gateway.publish("MSFT"), gateway.publish("BRK.B")];
    let text = stream.until(|text| {
        ["MSFT", "BRK.B"].iter().zip(&last[1..]).all(|(name, seq)| text.contains(&format!("\"{name}\",\"seq\":{seq},")))
    });
    assert_eq!(check(&text), 1, "the first event was replaced");
    gateway.stop();
}

#[test]
fn a_body_over_http2_has_a_limit_and_belongs_to_few_paths() {
    let gateway = Live::start();
    let mut stream = Http2::open(&gateway, "AAPL");
    let target = format!("/v1/streams/{}", stream.control);
    let json = [("content-type", "application/json")];
    let long = vec![b' '; 16 * 1024 + 1];
    for (target, fields, body, status, kind) in [
        (&*target, &json[..], &long[..], 413, "body-too-long"),
        (&target, &[], b"{}", 415, "not-json"),
        (&target, &json, b"{", 400, "bad-body"),
        ("/v1/quotes/AAPL", &json, b"{}", 400, "body"),
    ] {
        let answer = stream.post(target, fields, body);
        let kind = format!("urn:tickfan:problem:{kind}");
        assert_eq!((&answer["status"], answer["type"].as_str()), (&status.into(), Some(&*kind)));
    }
    assert_eq!(stream.change("{}").0, 200, "the connection goes on");
    gateway.stop();
}

#[test]
fn a_stream_in_a_drain_changes_until_its_goodbye() {
    let mut gateway = Live::start();
    gateway.publish("MSFT");
    let (mut stream, control) = open(&gateway, "AAPL");
    let mut other = gateway.client();
    gateway.workers.drain(Duration::from_secs(3_600));
    assert_eq!(post(&mut other, &control, r#"{"symbols":["MSFT"]}"#).status, 200);
    stream.until(|text| text.contains("\"symbol\":\"MSFT\",\"seq\":1"));
    drop(stream);
    eventually("the stream ends", || gateway.permits.streams.in_use() == 0);
    assert_eq!(kind(&post(&mut other, &control, "{}")), (404, "no-such-stream".into()));
    gateway.stop();
}
