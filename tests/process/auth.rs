//! Sign-on of the built program: what its logs tell, and the example of the documentation.

use crate::support::{
    Client,
    certificates::{Ca, folder, table},
    issuer::Issuer,
    process::Process,
    wire::{Place, Reply, Wire, named},
};
use serde_json::json;
use std::{fs, path::Path, process::Command};

/// A gateway whose clients may sign on, its issuer, and where it is.
fn start(name: &str, auth: &str) -> (Process, Issuer, Place) {
    let folder = folder(name);
    let issuer = Issuer::new(1, "one");
    fs::write(folder.join("keys.json"), issuer.jwks()).unwrap();
    let ca = Ca::new("a CA");
    let files = ca.sign(&["localhost"]).write(&folder);
    let keys = folder.join("keys.json").display().to_string();
    let config = format!(
        "{}\n[[feed]]\nvenue = \"sim\"\nsymbols = [\"AAPL\", \"MSFT\"]\n[auth]\nkeys = \"file:{keys}\"\n{auth}\n",
        table(&[files])
    );
    let gateway = Process::start(name, &config);
    let place = Place { plain: gateway.address, tls: gateway.tls.unwrap(), trusted: ca.der() };
    (gateway, issuer, place)
}

fn ticket(place: &Place, token: &str) -> Reply {
    place.ask(Wire::Http1, "POST", "/v1/tickets", &[("authorization", &format!("Bearer {token}"))])
}

#[test]
fn no_token_no_ticket_no_cookie_no_name_and_no_query_reaches_a_log_a_metric_or_a_debug_page() {
    let (gateway, issuer, place) = start("auth-logs", "mode = \"required\"\nstreams_per_subject = 2");
    let mut secrets = vec!["customer-4711".to_owned(), "q-u-e-r-y".to_owned(), "u-n-k-n-o-w-n".to_owned()];
    let good = issuer.live("customer-4711", &["AAPL"]);
    let expired = issuer.token("customer-4711", -60, &json!({"live": ["*"]}));
    let ends_soon = issuer.token("customer-4711", -28, &json!({"live": ["*"]}));
    let forged = Issuer::new(2, "one").live("customer-4711", &["*"]);
    let mut open = Vec::new();
    for wire in Wire::ALL {
        for token in [&good, &expired, &ends_soon, &forged] {
            let bearer = format!("Bearer {token}");
            let cookie = format!("__Host-tickfan={token}");
            for target in ["/v1/stream/AAPL?heartbeat=60&x=q-u-e-r-y", "/v1/quotes/AAPL", "/v1/quotes/u-n-k-n-o-w-n"] {
                for fields in [
                    &[("authorization", bearer.as_str())][..],
                    &[("cookie", cookie.as_str())],
                    &[("authorization", bearer.as_str()), ("cookie", cookie.as_str())],
                    &[("cookie", cookie.as_str()), ("sec-fetch-site", "cross-site")],
                ] {
                    place.ask(wire, "GET", target, fields);
                }
            }
            open.push(place.ask(wire, "GET", "/v1/stream/AAPL?last_event_id=q-u-e-r-y", &[("cookie", &cookie)]));
            place.ask(wire, "POST", "/v1/session", &[("authorization", &bearer)]);
            place.ask(wire, "GET", &format!("/v1/quotes/AAPL?token={token}"), &[]);
            place.ask(wire, "GET", &format!("/v1/stream/AAPL?ticket={token}"), &[]);
        }
        let issued = ticket(&place, &good).answer.json()["ticket"].as_str().unwrap().to_owned();
        for _ in 0..2 {
            open.push(place.ask(wire, "GET", &format!("/v1/stream/AAPL?ticket={issued}"), &[]));
        }
        secrets.push(issued);
    }
    let control = open[0].hello()["control"].as_str().unwrap().to_owned();
    let mut client = Client::connect(gateway.address);
    client.send(format!(
        "POST /v1/streams/{control} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {good}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}"
    ));
    assert_eq!(client.answer(true).status, 200);
    secrets.push(control);
    // The signature of a token is its secret part; header and claims name the subject.
    for token in [&good, &expired, &ends_soon, &forged] {
        secrets.extend(token.split('.').map(str::to_owned));
    }
    let mut shown: Vec<String> =
        ["/metrics", "/debug/streams", "/debug/symbols", "/debug/feeds", "/debug/keys", "/debug/config", "/readyz"]
            .map(|path| Client::connect(gateway.admin).get(path).body)
            .into();
    drop(open);
    gateway.metric_when("tickfan_streams_closed_total", "left", |closed| closed > 0);
    shown.extend(gateway.first_lines.clone());
    let log = gateway.log();
    for said in ["a stream began", "a stream changed", "a stream ended"] {
        assert!(log.iter().any(|line| line.contains(said) && line.contains("subject=")), "{said}: {log:#?}");
    }
    assert!(log.iter().any(|line| line.contains("rejected a request")), "{log:#?}");
    shown.extend(log);
    for secret in &secrets {
        let found: Vec<&String> = shown.iter().filter(|text| text.contains(secret.as_str())).collect();
        assert!(found.is_empty(), "{secret} is in {found:#?}");
    }
}

#[test]
fn the_example_signs_on_with_a_key_set_and_tokens_of_the_shell() {
    let folder = folder("sign-on-example");
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/sign-on");
    let issuer = |arguments: &[&str]| {
        let output = Command::new(example.join("issuer.sh")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let place = folder.to_str().unwrap();
    issuer(&["keys", place]);
    let config = fs::read_to_string(example.join("tickfan.toml")).unwrap();
    let keys = format!("\"file:{place}/keys.json\"");
    assert!(config.contains("\"file:keys.json\""));
    let gateway = Process::start("sign-on-example", &config.replace("\"file:keys.json\"", &keys));
    let ask = |method: &str, target: &str, fields: &str| {
        Client::connect(gateway.address).request(method, target, &format!("origin: http://localhost:8000\r\n{fields}"))
    };
    let anonymous = ask("GET", "/v1/quotes?symbols=AAPL,BTC-USDT", "").json();
    assert_eq!((&anonymous["denied"], &anonymous["quotes"][0]["symbol"]), (&json!(["AAPL"]), &json!("BTC-USDT")));
    let token = issuer(&["token", place, "u17", "600", r#"{"live":["@us","BTC-*"]}"#]);
    let issued = ask("POST", "/v1/tickets", &format!("authorization: Bearer {token}\r\n"));
    assert_eq!(issued.header("access-control-allow-origin"), Some("http://localhost:8000"));
    let ticket = issued.json()["ticket"].as_str().unwrap().to_owned();
    let target = format!("/v1/stream?symbols=AAPL%2CMSFT%2CBTC-USDT&last_event_id=&ticket={ticket}");
    let mut page = Client::connect(gateway.address);
    page.send(format!("GET {target} HTTP/1.1\r\nhost: localhost\r\norigin: http://localhost:8000\r\n\r\n"));
    let text = page.until(|text| named(text, "hello").is_some());
    let hello: serde_json::Value = serde_json::from_str(named(&text, "hello").unwrap()).unwrap();
    assert_eq!((&hello["symbols"], &hello["denied"]), (&json!(["AAPL", "MSFT", "BTC-USDT"]), &json!([])));
    assert_eq!(ask("GET", &target, "").status, 401, "a ticket counts once");
    let html = fs::read_to_string(example.join("page/index.html")).unwrap();
    assert!(
        html.contains("/v1/tickets")
            && html.contains("/v1/stream?")
            && html.contains(r#"["AAPL", "MSFT", "BTC-USDT"]"#)
    );
}
