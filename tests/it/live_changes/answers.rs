//! The answers to changes and to their bodies, and the limits.

use super::*;

#[test]
fn a_wrong_change_says_what_to_do() {
    let gateway = Live::start();
    let (_stream, control) = open(&gateway, "AAPL");
    let mut client = gateway.client();
    let before = count("tickfan_stream_changes_total{outcome=\"applied\"}");
    assert_eq!(post(&mut client, &control, r#"{"rev":7}"#).status, 200);
    assert!(count("tickfan_stream_changes_total{outcome=\"applied\"}") > before);
    let foreign = format!("{}A", &control[..control.len() - 1]);
    let foreign = if foreign == control { control.replace('A', "B") } else { foreign };
    for (control, body, status, wanted) in [
        (&control, r#"{"rev":7}"#, 409, "old-revision"),
        (&control, r#"{"rev":6,"symbols":["MSFT"]}"#, 409, "old-revision"),
        (&control, r#"{"rev":0}"#, 400, "bad-option"),
        (&control, r#"{"max_rate":0.01}"#, 400, "bad-option"),
        (&control, r#"{"on":["trades"]}"#, 400, "bad-option"),
        (&control, r#"{"symbols":[]}"#, 400, "no-symbols"),
        (&control, r#"{"symbols":["NOPE"]}"#, 404, "no-such-symbol"),
        (&control, r#"{"symbols":["A*"]}"#, 400, "bad-symbol"),
        (&control, r#"{"symbols":["AAPL","MSFT","BRK.B","BTC-USDT"]}"#, 400, "too-many-symbols"),
        (&control, r#"{"symbol":["AAPL"]}"#, 400, "bad-body"),
        (&foreign, "{}", 404, "no-such-stream"),
        (&"k3v9k3v9k3v9".to_owned(), "not JSON at all", 404, "no-such-stream"),
    ] {
        assert_eq!(kind(&post(&mut gateway.client(), control, body)), (status, wanted.into()), "{body}");
    }
    let detail = post(&mut client, &control, "{\"rev\":\n true}").json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("at line 2 column"), "{detail}");
    let get = client.get(&format!("/v1/streams/{control}"));
    assert_eq!((get.status, get.header("allow")), (405, Some("POST, OPTIONS")));
    let query = client.request("POST", &format!("/v1/streams/{control}?rev=3"), "");
    assert_eq!(kind(&query), (400, "unknown-parameter".into()));
    let preflight = client.request(
        "OPTIONS",
        &format!("/v1/streams/{control}"),
        "origin: https://a.example\r\naccess-control-request-method: POST\r\n\
         access-control-request-headers: content-type\r\n",
    );
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-methods").unwrap().contains("POST"));
    assert!(preflight.header("access-control-allow-headers").unwrap().contains("content-type"));
    gateway.stop();
}

#[test]
fn a_body_is_taken_with_its_length_on_few_paths_alone() {
    let gateway = Live::start();
    let (_stream, control) = open(&gateway, "AAPL");
    let json = "content-type: application/json\r\n";
    let target = format!("/v1/streams/{control}");
    for (method, target, headers, body, status, wanted, closes) in [
        ("POST", &*target, "content-length: 2\r\n", "{}", 415, "not-json", false),
        ("POST", &target, "content-type: text/plain\r\ncontent-length: 2\r\n", "{}", 415, "not-json", false),
        ("POST", &target, &format!("{json}content-length: 16385\r\n"), "", 413, "body-too-long", true),
        ("POST", &target, &format!("{json}transfer-encoding: chunked\r\n"), "2\r\n{}\r\n0\r\n\r\n", 400, "body", true),
        ("POST", "/v1/quotes/AAPL", &format!("{json}content-length: 2\r\n"), "{}", 400, "body", true),
        ("POST", "/v1/streams", &format!("{json}content-length: 2\r\n"), "{}", 400, "body", true),
        ("POST", &format!("{target}/x"), &format!("{json}content-length: 2\r\n"), "{}", 400, "body", true),
        ("PUT", &target, &format!("{json}content-length: 2\r\n"), "{}", 405, "method-not-allowed", true),
        ("PATCH", &target, &format!("{json}content-length: 2\r\n"), "{}", 405, "method-not-allowed", true),
        ("OPTIONS", &target, &format!("{json}content-length: 2\r\n"), "{}", 400, "body", true),
        ("GET", "/v1/quotes/AAPL", "content-length: 2\r\n", "{}", 400, "body", true),
    ] {
        let mut client = gateway.client();
        client.send(format!("{method} {target} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n{body}"));
        let answer = client.answer(true);
        assert_eq!(kind(&answer), (status, wanted.into()), "{method} {target} {headers}");
        assert_eq!(answer.header("connection"), closes.then_some("close"), "{method} {target} {headers}");
        if closes {
            assert_eq!(client.rest(), "");
        } else {
            assert_eq!(client.get("/v1/quotes/AAPL").status, 200, "the next request is told from the body");
        }
    }
    // As much as there may be, and in two segments.
    let mut client = gateway.client();
    let body = format!("{{}}{}", " ".repeat(16 * 1024 - 2));
    client.send(format!("POST {target} HTTP/1.1\r\nhost: localhost\r\n{json}content-length: 16384\r\n\r\n{{"));
    client.send(&body[1..]);
    assert_eq!(client.answer(true).status, 200);
    // curl asks first whether it may send a long body.
    client.send(format!(
        "POST {target} HTTP/1.1\r\nhost: localhost\r\n{json}expect: 100-continue\r\ncontent-length: 2\r\n\r\n"
    ));
    assert_eq!(client.answer(false).status, 100);
    client.send("{}");
    assert_eq!(client.answer(true).status, 200);
    gateway.stop();
}

#[test]
fn rule_10_a_body_that_does_not_come_ends_its_request() {
    let gateway = Live::with(|setup| setup.limits.head_timeout = Duration::from_millis(300));
    let (_stream, control) = open(&gateway, "AAPL");
    let mut client = gateway.client();
    client.send(format!(
        "POST /v1/streams/{control} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: 9\r\n\r\n{{"
    ));
    let answer = client.answer(true);
    assert_eq!(kind(&answer), (408, "late-body".into()));
    assert_eq!(client.rest(), "");
    gateway.stop();
}

#[test]
fn rule_10_a_stream_is_changed_only_so_often() {
    let gateway = Live::start();
    let (mut stream, control) = open(&gateway, "AAPL");
    let mut client = gateway.client();
    let refused = (0..).map(|_| post(&mut client, &control, "{}")).find(|answer| answer.status != 200).unwrap();
    assert_eq!(kind(&refused), (429, "too-many-changes".into()));
    assert_eq!(refused.header("retry-after"), Some("1"));
    let (_other, other) = open(&gateway, "AAPL");
    assert_eq!(post(&mut client, &other, "{}").status, 200, "another stream is not meant");
    let answers = (0..1_000).map(|_| post(&mut client, &other, "not JSON"));
    let refused = answers.into_iter().find(|answer| answer.status != 400).expect("each of them counts");
    assert_eq!(kind(&refused), (429, "too-many-changes".into()), "nothing of it is read");
    assert!(check(&stream.until(|text| text.matches("event: symbols").count() >= 20)) >= 20);
    gateway.stop();
}

#[test]
fn rule_10_what_a_client_names_in_vain_counts_as_symbols_too_since_its_stream_remembers_it() {
    let gateway = Live::with(|setup| setup.limits.subscriptions = 5);
    let (_stream, control) = open(&gateway, "AAPL,NOPE");
    assert_eq!(gateway.permits.subscriptions.in_use(), 2);
    let mut client = gateway.client();
    let mut change = |body: &str| (post(&mut client, &control, body).status, gateway.permits.subscriptions.in_use());
    assert_eq!(change(r#"{"symbols":["AAPL","NO","NE"]}"#), (200, 3));
    assert_eq!(change("{}"), (200, 3));
    let (_other, _) = open(&gateway, "MSFT,NOPE");
    assert_eq!(change(r#"{"symbols":["AAPL"]}"#), (200, 3));
    let (_third, _) = open(&gateway, "MSFT,NOPE");
    assert_eq!(change(r#"{"symbols":["AAPL","NOPE"]}"#), (429, 5));
    gateway.stop();
}

#[test]
fn rule_10_a_list_grows_only_within_the_limits_of_symbols() {
    let gateway = Live::with(|setup| {
        setup.limits.subscriptions = 5;
        setup.limits.subscriptions_per_address = 4;
    });
    let (stream, control) = open(&gateway, "AAPL");
    let (_second, _) = open(&gateway, "AAPL");
    let mut client = gateway.client();
    let mut change = |symbols: &str| {
        let answer = post(&mut client, &control, &format!(r#"{{"symbols":[{symbols}]}}"#));
        (answer.status, gateway.permits.subscriptions.in_use())
    };
    assert_eq!(change(r#""AAPL","MSFT","BRK.B""#), (200, 4));
    assert_eq!(change(r#""MSFT""#), (200, 2), "what it gives back is free");
    let (_third, _) = open(&gateway, "AAPL");
    assert_eq!(change(r#""AAPL","MSFT","BRK.B""#), (429, 3), "too many of its address");
    assert_eq!(change(r#""MSFT","BRK.B""#), (200, 4));
    drop(stream);
    eventually("the stream gives its symbols back", || gateway.permits.subscriptions.in_use() == 2);
    gateway.stop();
}
