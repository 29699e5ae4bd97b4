//! What operators get over HTTP, over real sockets.

use crate::support::{
    Admin, Client, Gateway, Setup,
    running::{Running, config},
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tickfan::{
    admin::{FeedHealth, HealthInputs},
    feed::FeedState,
};

fn health(state: FeedState, draining: &Arc<AtomicBool>) -> impl Fn() -> HealthInputs + Send + Sync + 'static {
    let draining = draining.clone();
    move || HealthInputs {
        uptime: Duration::from_secs(1),
        was_ready: false,
        draining: draining.load(Ordering::Relaxed),
        feeds: vec![FeedHealth { feed: "us-stocks".into(), state }],
        streams: 0,
        streams_limit: 10,
        keys_awaited: None,
        cluster: None,
    }
}

#[test]
fn operators_see_whether_it_lives_and_is_ready() {
    let draining = Arc::new(AtomicBool::new(false));
    let admin = Admin::start(health(FeedState::Live, &draining));
    let mut client = Client::connect(admin.address);
    assert_eq!(client.get("/livez").status, 200);
    let ready = client.get("/readyz");
    assert_eq!((ready.status, ready.json()), (200, serde_json::json!({"ready": true})));
    draining.store(true, Ordering::Relaxed);
    let draining = client.get("/readyz");
    assert_eq!((draining.status, &draining.json()["ready"]), (503, &false.into()));
    assert!(draining.json()["reason"].as_str().unwrap().starts_with("draining"));
    assert_eq!(client.get("/livez").status, 200, "a gateway that drains is alive");

    let admin = Admin::start(health(FeedState::Failed, &Arc::default()));
    let failed = Client::connect(admin.address).get("/readyz");
    assert_eq!(failed.status, 503);
    assert!(failed.json()["reason"].as_str().unwrap().contains("us-stocks"));
    assert_eq!(Client::connect(admin.address).get("/v1/quotes/AAPL").status, 404, "no client's routes here");
}

#[test]
fn requests_are_counted_by_a_closed_list_of_routes() {
    let admin = Admin::start(health(FeedState::Live, &Arc::default()));
    let gateway = Gateway::start(Setup::default());
    for target in ["/v1/quotes/AAPL", "/v1/stream/NOPE", "/some/where", "/some/where/else"] {
        gateway.client().get(target);
    }
    let mut unreadable = gateway.client();
    unreadable.send("GET / HTTP/9\r\n\r\n");
    unreadable.rest();
    let answer = Client::connect(admin.address).get("/metrics");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in [
        "tickfan_http_requests_total{route=\"quotes\",code=\"200\"} ",
        "tickfan_http_requests_total{route=\"stream\",code=\"404\"} ",
        "tickfan_http_requests_total{route=\"other\",code=\"404\"} ",
        "tickfan_http_requests_total{route=\"unreadable\",code=\"400\"} ",
        concat!("tickfan_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\",commit=\""),
    ] {
        assert!(answer.body.contains(line), "{line} is missing in {}", answer.body);
    }
    assert!(!answer.body.contains("/some"), "no path is a label");
}

#[test]
fn processor_time_is_a_counter_of_parts_of_a_second() {
    let admin = Admin::start(health(FeedState::Live, &Arc::default()));
    let mut client = Client::connect(admin.address);
    let mut cpu = || {
        let text = client.get("/metrics").body;
        assert!(text.contains("# TYPE process_cpu_seconds_total counter\n"), "{text}");
        let value = text.lines().find_map(|line| line.strip_prefix("process_cpu_seconds_total "));
        value.unwrap().parse::<f64>().unwrap()
    };
    // To tell it costs time, too.
    let first = cpu();
    while cpu().fract() == 0.0 {
        assert!(cpu() < first + 2.0, "it goes by whole seconds");
    }
}

#[test]
fn no_page_of_another_origin_reads_them() {
    let admin = Admin::start(health(FeedState::Live, &Arc::default()));
    let answer = Client::connect(admin.address).request("GET", "/metrics", "origin: https://app.example\r\n");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, None));
}

#[test]
fn the_operators_root_is_an_index_whose_links_all_lead_to_a_page() {
    let gateway = Running::start(&config(Vec::new()));
    let page = Client::connect(gateway.admin).get("/");
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    assert!(page.body.contains(concat!("tickfan ", env!("CARGO_PKG_VERSION"))), "{}", page.body);
    let links: Vec<&str> = page.body.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(links.len() >= 6, "{links:?}");
    for link in links {
        let answer = Client::connect(gateway.admin).get(link);
        assert!(answer.status == 200 || link == "/readyz", "{link}: {}", answer.body);
    }
    gateway.stop().unwrap();
}

#[test]
fn a_typo_is_answered_with_the_routes_of_its_own_listener() {
    let gateway = Running::start(&config(Vec::new()));
    for (address, target, says, hides) in [
        (gateway.admin, "/metric", "Did you mean /metrics?", "/v1/"),
        (gateway.admin, "/debug/stream", "Did you mean /debug/streams?", "/v1/"),
        (gateway.admin, "/readz?x=1", "Did you mean /readyz?", "/v1/"),
        (gateway.admin, "/nothing", "/debug/feeds", "Did you mean"),
        (gateway.admin, "/v1/quotes/AAPL", "`listen` under [server]", "/v1/"),
        (gateway.address, "/v1/symbol", "Did you mean /v1/symbols?", "/debug"),
        (gateway.address, "/metrics", "`admin_listen` under [server]", "127.0.0.1"),
        (gateway.address, "/debug/streams", "`admin_listen` under [server]", "/livez"),
        (gateway.address, "/%2e%2e/etc/passwd", "/v1/quotes", "passwd"),
    ] {
        let answer = Client::connect(address).get(target);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!((answer.status, answer.header("content-type")), (404, Some("application/problem+json")));
        assert!(detail.contains(says) && !detail.contains(hides), "{target}: {detail}");
    }
    gateway.stop().unwrap();
}
