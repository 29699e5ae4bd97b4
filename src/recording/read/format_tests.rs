use super::*;

const AT: UnixNanos = 1_723_161_254_024_000_000;

/// A line of a format; its time, and its frame or what else it says.
fn check(format: Format, line: &str, expected: Result<Line, ()>) {
    assert_eq!(format.parse(line.as_bytes()), expected, "{line}");
}

fn frame_at(at: Option<UnixNanos>, text: &str) -> Result<Line, ()> {
    Ok(Some((at, frame(text.as_bytes()))))
}

#[test]
fn each_format_is_told_by_a_line() {
    for (line, format) in [
        ("1723161254024000000 {\"a\":1}", Some(Format::Own)),
        ("2024-08-08T23:54:14.0240000Z {\"a\":1}", Some(Format::TardisSlice)),
        (r#"{"localTimestamp":"2024-08-08T23:54:14.024Z","message":{"a":1}}"#, Some(Format::TardisMachine)),
        ("1723161254.024: {\"a\":1}", Some(Format::Cryptofeed1)),
        ("wss://a.example/ws <-> 1723161254.024", Some(Format::Cryptofeed1)),
        ("configuration: {\"a\":1}", Some(Format::Cryptofeed1)),
        (r#"{"t":"header","format":2,"exchange":"A"}"#, Some(Format::Cryptofeed2)),
        (r#"{"t":"recv","conn":"A.ws.1","ts":1723161254.024,"data":"{}"}"#, Some(Format::Cryptofeed2)),
        (r#"{"exchange":"a","received_at":1723161254024,"json":"{}"}"#, Some(Format::CrawlerJson)),
        ("1723161254024\tBTCUSDT\t{\"a\":1}", Some(Format::CrawlerTsv)),
        (r#"{"a":1}"#, Some(Format::Bare)),
        (r#"[1,2]"#, Some(Format::Bare)),
        (r#"{"t":"recv","a":1}"#, Some(Format::Bare)),
        ("", None),
        ("null", None),
        ("hello", None),
        ("# a comment", None),
        ("1723161254 {\"a\":1}", None),
        ("{\"a\":", None),
        ("symbol,price", None),
        ("PK\u{3}\u{4}", None),
    ] {
        assert_eq!(Format::of(line.as_bytes()), format, "{line}");
    }
}

#[test]
fn tardis_lines_are_read() {
    let line = |text: &str| format!("2024-08-08T23:54:14.0240000Z {text}");
    check(Format::TardisSlice, &line(r#"{"a": 1}"#), frame_at(Some(AT), r#"{"a": 1}"#));
    check(Format::TardisSlice, "", Ok(Some((None, Record::Closed(String::new())))));
    check(Format::TardisSlice, "{}", Err(()));
    let machine = r#"{"localTimestamp":"2024-08-08T23:54:14.024Z","message":{"p":1.10,"q":[1e5]}}"#;
    check(Format::TardisMachine, machine, frame_at(Some(AT), r#"{"p":1.10,"q":[1e5]}"#));
    check(Format::TardisMachine, "null", Ok(Some((None, Record::Closed(String::new())))));
    check(Format::TardisMachine, r#"{"message":{}}"#, Err(()));
}

#[test]
fn cryptofeed_lines_are_read() {
    let first = |line: &str, expected| check(Format::Cryptofeed1, line, expected);
    first(r#"1723161254.024: {"a": "b: c"}"#, frame_at(Some(AT), r#"{"a": "b: c"}"#));
    first("wss://a.example/ws <-> 1723161254.024", Ok(Some((Some(AT), Record::Opened))));
    first(r#"wss://a.example/ws <- 1723161254.024: {"subscribe":1}"#, Ok(None));
    first(r#"https://a.example/v1?a=b -> 1723161254.024: {"symbols":[]}"#, Ok(None));
    first("configuration: {}", Ok(None));
    first("wss://a.example/ws", Err(()));
    let second = |line: &str, expected| check(Format::Cryptofeed2, line, expected);
    second(r#"{"t":"recv","conn":"A.ws.1","ts":1723161254.024,"data":"{\"a\":1}"}"#, frame_at(Some(AT), r#"{"a":1}"#));
    let binary = Ok(Some((Some(AT), Record::Frame(vec![0, 1, 2, 255]))));
    second(r#"{"t":"recv","conn":"A.ws.1","ts":1723161254.024,"b64":"AAEC/w=="}"#, binary);
    let opened = Ok(Some((Some(AT), Record::Opened)));
    second(r#"{"t":"connect","conn":"A.ws.1","addr":"wss://a.example","ts":1723161254.024}"#, opened);
    second(r#"{"t":"send","conn":"A.ws.1","ts":1723161254.024,"addr":"wss://a.example","data":"{}"}"#, Ok(None));
    second(r#"{"t":"http","conn":"A.http.0","ts":1723161254.024,"url":"https://a.example","data":"{}"}"#, Ok(None));
    second(r#"{"t":"header","format":2}"#, Ok(None));
    second(r#"{"t":"header","format":3}"#, Err(()));
    second(r#"{"t":"recv","ts":1723161254.024}"#, Err(()));
}

#[test]
fn crypto_crawler_lines_are_read() {
    let json = r#"{"exchange":"a","market_type":"spot","msg_type":"trade","symbol":"B","received_at":1723161254024,"json":"{\"a\":1}"}"#;
    check(Format::CrawlerJson, json, frame_at(Some(AT), r#"{"a":1}"#));
    check(Format::CrawlerJson, r#"{"received_at":"x","json":"{}"}"#, Err(()));
    check(Format::CrawlerTsv, "1723161254024\tB\t{\"a\":1}", frame_at(Some(AT), r#"{"a":1}"#));
    check(Format::CrawlerTsv, "1723161254024\t\t{\"a\":1}", frame_at(Some(AT), r#"{"a":1}"#));
    check(Format::CrawlerTsv, "1723161254024\t{\"a\":1}", frame_at(Some(AT), r#"{"a":1}"#));
    check(Format::CrawlerTsv, "1723161254024", Err(()));
}

#[test]
fn bare_frames_are_json_or_words() {
    check(Format::Bare, r#"{"a":1}"#, frame_at(None, r#"{"a":1}"#));
    check(Format::Bare, "pong", frame_at(None, "pong"));
    check(Format::Bare, r#"{"a":"#, Err(()));
    check(Format::Bare, "a,b", Err(()));
}

proptest::proptest! {
    #[test]
    fn rule_9_no_line_panics(line in ".{0,80}", near in r#"[0-9.:TZ {}\[\]"a-z\t<>-]{0,60}"#) {
        for format in Format::ALL {
            let _ = (format.parse(line.as_bytes()), format.parse(near.as_bytes()));
        }
    }
}
