//! Streams that are compressed with the dictionary, over each protocol: decoded, they are the plain streams.

use super::*;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tickfan::wire::Dictionary;

/// The headers of a browser that has the dictionary.
fn headers() -> [(&'static str, String); 2] {
    let hash = STANDARD.encode(Dictionary::built_in().hash());
    [("accept-encoding", "gzip, deflate, br, zstd, dcb, dcz".to_owned()), ("available-dictionary", format!(":{hash}:"))]
}

fn lines() -> String {
    headers().map(|(name, value)| format!("{name}: {value}\r\n")).concat()
}

/// The text of all frames of a body that have arrived whole.
fn decoded(body: &[u8]) -> String {
    let dictionary = Dictionary::built_in();
    let start = [&[0x5e, 0x2a, 0x4d, 0x18, 32, 0, 0, 0][..], dictionary.hash()].concat();
    let Some(frames) = body.strip_prefix(&start[..]) else {
        assert!(start.starts_with(body), "the body begins with the dictionary's hash: {body:?}");
        return String::new();
    };
    let mut decoder = zstd::stream::read::Decoder::with_dictionary(frames, dictionary.content()).unwrap();
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match decoder.read(&mut buffer) {
            Ok(0) => break,
            Ok(bytes) => text.extend_from_slice(&buffer[..bytes]),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(error) => panic!("{error}"),
        }
    }
    String::from_utf8(text).unwrap()
}

/// A stream that is compressed.
trait Compressed {
    /// Reads until the decoded text is as wanted; returns the head, and that text.
    fn until(&mut self, is_wanted: &dyn Fn(&str) -> bool) -> (String, String);
}

struct Http1<S>(Client<S>);

impl<S: Read + Write> Http1<S> {
    fn open(mut client: Client<S>, query: &str) -> Self {
        client.send(format!("GET /v1/stream?{query} HTTP/1.1\r\nhost: localhost\r\n{}\r\n", lines()));
        Self(client)
    }
}

fn parts(bytes: &[u8]) -> Option<(String, String)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    Some((String::from_utf8(bytes[..end].to_vec()).unwrap(), decoded(&bytes[end..])))
}

impl<S: Read + Write> Compressed for Http1<S> {
    fn until(&mut self, is_wanted: &dyn Fn(&str) -> bool) -> (String, String) {
        let bytes = self.0.until_bytes(|bytes| parts(bytes).is_some_and(|(_, text)| is_wanted(&text)));
        parts(&bytes).unwrap()
    }
}

struct Http2 {
    socket: TlsClient,
    peer: H2Peer,
    stream: u32,
}

impl Compressed for Http2 {
    fn until(&mut self, is_wanted: &dyn Fn(&str) -> bool) -> (String, String) {
        loop {
            if let Some(stream) = self.peer.streams.get(&self.stream) {
                let text = decoded(&stream.body);
                if is_wanted(&text) {
                    return (stream.head_text(), text);
                }
            }
            self.peer.exchange(&mut self.socket);
        }
    }
}

fn each_compressed(gateway: &Live, query: &str) -> [Box<dyn Compressed>; 3] {
    let mut peer = H2Peer::new(&[]);
    let fields = headers();
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let stream = peer.ask("GET", &format!("/v1/stream?{query}"), &fields, true);
    [
        Box::new(Http1::open(gateway.client(), query)),
        Box::new(Http1::open(Client::over(gateway.tls_client(b"http/1.1")), query)),
        Box::new(Http2 { socket: gateway.tls_client(b"h2"), peer, stream }),
    ]
}

/// The ticks of each symbol, in their order, as they came. Those of two symbols may come in either order.
fn ticks(text: &str) -> [Vec<&str>; 2] {
    let body = text.split_once("\r\n\r\n").map_or(text, |(_, body)| body);
    let of = |symbol: &str| {
        let named = format!("\"symbol\":\"{symbol}\"");
        body.split_inclusive("\n\n").filter(|block| block.contains(&named)).collect()
    };
    ["AAPL", "MSFT"].map(of)
}

fn has(symbol: &str, seq: u64) -> impl Fn(&str) -> bool + use<> {
    let wanted = format!("\"symbol\":\"{symbol}\",\"seq\":{seq},");
    move |text| text.split_once(&wanted).is_some_and(|(_, behind)| behind.contains("\n\n"))
}

#[test]
fn a_compressed_stream_decodes_to_the_plain_one_over_each_protocol() {
    let mut gateway = Live::start();
    for symbol in ["AAPL", "MSFT", "AAPL"] {
        gateway.publish(symbol);
    }
    let last = gateway.state("AAPL").newest().id;
    gateway.publish("AAPL");
    // What eight streams share is compressed, whichever workers have them.
    for crowd in [0, 8] {
        let before = gateway.cache.frames_compressed();
        let mut others: Vec<_> = (0..crowd)
            .map(|_| Http1::open(gateway.client(), "symbols=AAPL,MSFT&patch=1"))
            .map(|mut other| {
                other.until(&|text| text.contains("event: hello"));
                other
            })
            .collect();
        for options in ["", "&patch=1", &format!("&last_event_id={}-{}", last.epoch, last.n)] {
            let query = format!("symbols=AAPL,MSFT{options}");
            let mut plain = gateway.client();
            plain.send(format!("GET /v1/stream?{query} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
            let newest = gateway.state("AAPL").newest().seq;
            plain.until(has("AAPL", newest));
            let mut streams = each_compressed(&gateway, &query);
            for stream in &mut streams {
                let (head, text) = stream.until(&has("AAPL", newest));
                assert!(text.contains("event: hello") && head.contains("dcz"), "{head}");
                assert!(head.contains("accept-encoding, available-dictionary"), "{head}");
            }
            // One after the other: a stream of a busy machine may conflate a burst.
            for _ in 0..6 {
                let (msft, aapl) = (gateway.publish("MSFT"), gateway.publish("AAPL"));
                let is_there = |text: &str| has("MSFT", msft)(text) && has("AAPL", aapl)(text);
                let expected = plain.until(is_there);
                assert_eq!(expected.contains("event: patch"), options.contains("patch"));
                for stream in &mut streams {
                    let (_, text) = stream.until(&is_there);
                    assert_eq!(ticks(&text), ticks(&expected));
                }
            }
        }
        let newest = gateway.state("AAPL").newest().seq;
        others.iter_mut().for_each(|other| _ = other.until(&has("AAPL", newest)));
        let compressed = gateway.cache.frames_compressed() - before;
        assert_eq!(compressed > 0, crowd > 0, "{compressed} for {crowd} streams");
        assert!(compressed <= 2 * (3 * 12 + 4), "{compressed}: each tick once in each form");
    }
    gateway.stop();
}

#[test]
fn a_tick_is_compressed_where_enough_streams_of_all_workers_get_it_in_the_same_form() {
    let mut gateway = Live::start();
    let newest = gateway.publish("AAPL");
    let mut streams = Vec::new();
    let rare = "&patch=1&max_rate=10";
    for options in [&["&patch=1"; 7][..], &["", ""], &[rare; 8], &["&patch=1&on=stats"; 8]].concat() {
        let mut stream = Http1::open(gateway.client(), &format!("symbols=AAPL{options}"));
        stream.until(&has("AAPL", newest));
        streams.push((stream, options));
    }
    let publish = |gateway: &mut Live, streams: &mut Vec<(Http1<_>, &str)>| {
        let newest = gateway.publish("AAPL");
        for (stream, options) in streams.iter_mut().filter(|(_, options)| !options.contains("on=")) {
            let (_, text) = stream.until(&has("AAPL", newest));
            assert_eq!(text.contains("event: patch"), options.contains("patch"));
        }
        newest
    };
    publish(&mut gateway, &mut streams);
    assert_eq!(gateway.cache.frames_compressed(), 0, "seven get each patch, and two each whole tick");
    let newest = publish(&mut gateway, &mut streams);
    let mut eighth = Http1::open(gateway.client(), "symbols=AAPL&patch=1");
    let (_, greeting) = eighth.until(&has("AAPL", newest));
    assert_eq!(gateway.cache.frames_compressed(), 0, "the eighth alone begins with a whole tick");
    streams.push((eighth, "&patch=1"));
    publish(&mut gateway, &mut streams);
    assert_eq!(gateway.cache.frames_compressed(), 1, "the patch, and not the whole tick of two");
    for (max_rate, compressed) in [("10", 1), ("null", 2)] {
        let body = format!("{{\"max_rate\":{max_rate}}}");
        assert_eq!(post(&mut gateway.client(), &control(&greeting), &body).status, 200);
        publish(&mut gateway, &mut streams);
        assert_eq!(gateway.cache.frames_compressed(), compressed, "with the eighth at max_rate {max_rate}");
    }
    gateway.stop();
}

#[test]
fn every_event_of_a_compressed_stream_is_in_its_encoding_to_the_end() {
    let mut gateway = Live::start();
    let seq = gateway.publish("AAPL");
    let mut streams = each_compressed(&gateway, "symbols=AAPL&heartbeat=1");
    for stream in &mut streams {
        let (_, text) = stream.until(&has("AAPL", seq));
        let (_, text) = match post(&mut gateway.client(), &control(&text), r#"{"symbols":["AAPL","MSFT"]}"#).status {
            200 => stream.until(&|text| text.contains("event: symbols") && text.contains("\"symbol\":\"MSFT\"")),
            status => panic!("{status}"),
        };
        assert_eq!(check(&text), 1);
        stream.until(&|text| text.contains("event: heartbeat"));
    }
    gateway.workers.drain(Duration::ZERO);
    for stream in &mut streams {
        let (_, text) = stream.until(&|text| text.contains("event: bye"));
        assert!(text.ends_with("event: bye\ndata: {\"reason\":\"shutdown\"}\n\n"), "{text}");
    }
    gateway.stop();
}

#[test]
fn a_client_without_the_dictionary_gets_plain_bytes() {
    let mut gateway = Live::with(|setup| setup.limits.streams = 4);
    let seq = gateway.publish("AAPL");
    let [(_, encodings), (_, available)] = headers();
    let mut open = Vec::new();
    for fields in [
        String::new(),
        format!("accept-encoding: {encodings}\r\n"),
        format!("available-dictionary: {available}\r\n"),
        format!("accept-encoding: gzip\r\navailable-dictionary: {available}\r\n"),
    ] {
        let mut client = gateway.client();
        client.send(format!("GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n"));
        let text = client.until(has("AAPL", seq));
        assert!(text.contains("\r\nvary: accept-encoding, available-dictionary\r\n"), "{text}");
        assert!(!text.contains("content-encoding") && text.contains("event: hello"), "{text}");
        open.push(client);
    }
    let head = gateway.client().request("HEAD", "/v1/stream/AAPL", &lines());
    assert_eq!(head.header("content-encoding"), Some("dcz"));
    // Over the limit: a whole answer, which is plain.
    let busy = gateway.client().request("GET", "/v1/stream/AAPL", &lines());
    assert!(busy.header("content-encoding").is_none() && busy.body.contains("busy"), "{}", busy.head);
    gateway.stop();
}

#[test]
fn the_dictionary_is_fetched_by_its_hash_and_not_at_all_where_nothing_is_compressed() {
    let gateway = Live::start();
    let dictionary = Dictionary::built_in();
    let mut client = gateway.client();
    let way = client.request("GET", "/v1/dictionary", "origin: https://app.example\r\n");
    assert_eq!((way.status, way.header("cache-control")), (307, Some("no-cache")));
    let place = way.header("location").unwrap().to_owned();
    let answer = client.request("GET", &place, "origin: https://app.example\r\n");
    assert_eq!((answer.status, answer.body.as_bytes()), (200, &dictionary.content()[..]));
    for (name, value) in [
        ("use-as-dictionary", "match=\"/v1/stream*\""),
        ("cache-control", "public, max-age=31536000, immutable, no-transform"),
        ("content-type", "application/octet-stream"),
        ("access-control-allow-origin", "*"),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    let other = client.get("/v1/dictionary/0");
    assert_eq!(kind(&other), (404, "no-such-dictionary".to_owned()));
    gateway.stop();

    let mut gateway = Live::with(|setup| setup.server.compress = false);
    let seq = gateway.publish("AAPL");
    for target in ["/v1/dictionary", &place] {
        assert_eq!(kind(&gateway.client().get(target)), (404, "no-such-dictionary".to_owned()));
    }
    let mut client = gateway.client();
    client.send(format!("GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\n{}\r\n", lines()));
    let text = client.until(has("AAPL", seq));
    assert!(!text.contains("content-encoding") && !text.contains("available-dictionary"), "{text}");
    gateway.stop();
}
