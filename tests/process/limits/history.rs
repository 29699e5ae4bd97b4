//! How much history there is, of one symbol and of all.

use super::*;
use serde_json::Value;

/// The points of the symbol: when each was shown, in µs, and the symbol's trades until then.
fn points(rig: &Rig) -> Vec<(u64, u64)> {
    let points = rig.client().get("/v1/history/BTC-USDT").json()["points"].clone();
    let number = |point: &Value, place: usize| point[place].as_u64().unwrap();
    points.as_array().unwrap().iter().map(|point| (number(point, 0), number(point, 4))).collect()
}

/// Trades until the points satisfy the condition; returns them.
fn points_when(rig: &mut Rig, will_do: impl Fn(&[(u64, u64)]) -> bool) -> Vec<(u64, u64)> {
    let mut stream = rig.waiting_stream();
    let deadline = Instant::now() + PATIENCE;
    for number in 1.. {
        rig.trade([number]);
        stream.tick();
        let points = points(rig);
        if will_do(&points) {
            return points;
        }
        assert!(Instant::now() < deadline, "{points:?}");
    }
    unreachable!("the loop ends by itself");
}

pub(super) fn no_older_point_than_keep_remains_but_the_one_before() {
    let mut rig = Rig::start("[history]\nkeep = \"1s\"\nevery = \"100ms\"");
    let points = points_when(&mut rig, |points| points.first().is_some_and(|(_, trades)| *trades > 50));
    let reaches_back = points.last().unwrap().0 - points[1].0;
    assert!(reaches_back <= 1_200_000, "{reaches_back} µs");
}

pub(super) fn a_span_has_one_point() {
    let mut rig = Rig::start("[history]\nevery = \"200ms\"");
    let points = points_when(&mut rig, |points| points.len() > 4);
    for three in points.windows(3) {
        assert!(three[2].0 - three[0].0 > 200_000, "{points:?}");
    }
}

pub(super) fn all_history_takes_no_more_bytes() {
    let names: Vec<String> = (0..3_000).map(|number| format!("S{number:04}")).collect();
    let gateway = Process::start(
        "history.bytes_max",
        &format!(
            "[[feed]]\nname = \"sim\"\nvenue = \"sim\"\nrate = 20000\nsymbols = {names:?}\n[history]\nbytes_max = \"1MiB\"\n"
        ),
    );
    let open = |names: &[String]| {
        let mut client = Client::connect(gateway.address);
        client.send(format!("GET /v1/stream?symbols={} HTTP/1.1\r\nhost: localhost\r\n\r\n", names.join(",")));
        client.until(|text| text.contains("event: hello\n"));
        client
    };
    let _streams: Vec<Client> = names.chunks(500).map(open).collect();
    let bytes = gateway.metric_when("tickfan_history_bytes", "", |bytes| bytes > 1_000_000);
    assert!(bytes <= 1 << 20, "{bytes} bytes");
    let trails = gateway.metric("tickfan_history_trails", "");
    assert!(trails > 100 && trails < 2_500, "{trails} trails");
    assert_eq!(gateway.metric("tickfan_history_bytes_limit", ""), 1 << 20);
}
