//! A gateway that has no descriptor left waits for one and goes on. Alone in its process, whose descriptors it uses up.

#![allow(clippy::unwrap_used, reason = "test code")]

#[path = "../support/mod.rs"]
mod support;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{fs::File, time::Instant};
use support::{Admin, Client, Gateway, PATIENCE, Setup, metrics};
use tickfan::admin::HealthInputs;

const COUNTED: &str = "tickfan_http_accept_errors_total{reason=\"descriptors\"} ";

fn counted() -> u64 {
    let text = metrics().render();
    text.lines().find_map(|line| line.strip_prefix(COUNTED)).map_or(0, |count| count.parse().unwrap())
}

#[test]
fn without_descriptors_it_waits_and_goes_on() {
    let admin = Admin::start(std::sync::Arc::new(|| -> HealthInputs { unreachable!("nobody asks") }));
    let gateway = Gateway::start(Setup::default());
    let hard = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(256), maximum: hard }).unwrap();
    let mut filler: Vec<File> = std::iter::from_fn(|| File::open("/dev/null").ok()).collect();
    // One for the client; none is left for the gateway's side of it.
    filler.pop();
    let mut client = gateway.client();
    client.send("GET /v1/quotes/AAPL HTTP/1.1\r\nhost: localhost\r\n\r\n");

    let begun = Instant::now();
    while counted() < 3 {
        assert!(begun.elapsed() < PATIENCE, "the failures are counted");
        std::thread::yield_now();
    }
    let (failures, elapsed) = (counted(), begun.elapsed());
    assert!(failures < 20, "{failures} failures in {elapsed:?}: it does not wait between them");
    drop(filler);
    assert_eq!(client.answer(true).status, 200, "served once there are descriptors again");
    assert_eq!(Client::connect(admin.address).get("/livez").status, 200);
}
