//! An epoch that begins while streams are open, over each protocol.

use super::{streams::each_protocol, *};

impl Live {
    /// All symbols begin an epoch.
    fn begin(&mut self, epoch: Epoch) {
        for state in self.cache.slice(0, usize::MAX) {
            state.shard().begin(epoch);
            if let Published::Tick { interest } = state.open(Reason::Reconnect, Now::read(), None) {
                self.announcer.add(&state, interest);
            }
        }
        self.announcer.flush();
    }
}

/// The data of the `hello` events, and the ticks behind the last of them.
fn hellos(text: &str) -> (Vec<Value>, Vec<(String, u64)>) {
    let mut hellos = Vec::new();
    let mut ticks = Vec::new();
    for seen in seen(text) {
        match seen {
            Seen::Named(name, data) if name == "hello" => {
                hellos.push(data);
                ticks.clear();
            }
            Seen::Named(..) => {}
            Seen::Tick(symbol, seq) => ticks.push((symbol, seq)),
        }
    }
    (hellos, ticks)
}

#[test]
fn hello_comes_again_in_a_new_epoch_and_the_newest_of_each_symbol_over_each_protocol() {
    let mut gateway = Live::start();
    ["AAPL", "MSFT", "AAPL"].iter().for_each(|symbol| _ = gateway.publish(symbol));
    let epoch = Epoch::from_bits(77).unwrap();
    let mut streams = each_protocol(&gateway, "AAPL,MSFT");
    gateway.begin(epoch);
    let aapl = gateway.publish("AAPL");
    assert_eq!(aapl, 4);
    for stream in &mut streams {
        let newest = format!("\"symbol\":\"AAPL\",\"seq\":{aapl},");
        let text = stream.until(&|text| text.contains(&newest) && text.contains("\"symbol\":\"MSFT\",\"seq\":2,"));
        let (hellos, ticks) = hellos(&text);
        let [first, second] = &hellos[..] else { panic!("{text}") };
        assert_eq!(second["epoch"], epoch.to_string());
        assert_ne!(first["epoch"], second["epoch"]);
        for field in ["stream", "symbols", "unknown", "control"] {
            assert_eq!(first[field], second[field], "{field}");
        }
        let of = |symbol: &str| ticks.iter().filter(|tick| tick.0 == symbol).map(|tick| tick.1).collect::<Vec<_>>();
        assert!(of("MSFT") == [2] && [&[4][..], &[3, 4]].contains(&&of("AAPL")[..]), "{ticks:?}");
        let (status, answer) = stream.change(r#"{"symbols":["MSFT"]}"#);
        assert_eq!((status, &answer["epoch"]), (200, &epoch.to_string().into()), "it keeps its name");
    }
    gateway.stop();
}

#[test]
fn an_id_of_a_former_epoch_resumes_and_one_of_an_unknown_epoch_does_not() {
    let mut gateway = Live::start();
    gateway.publish("AAPL");
    let id = gateway.state("AAPL").newest().id;
    // A stream that stays keeps the ring.
    let kept = open(&gateway, "AAPL");
    gateway.begin(Epoch::from_bits(77).unwrap());
    gateway.publish("AAPL");
    for (epoch, expected) in [(id.epoch, &[2, 3][..]), (Epoch::from_bits(78).unwrap(), &[3])] {
        let mut client = gateway.client();
        client.send(format!(
            "GET /v1/stream/AAPL HTTP/1.1\r\nhost: localhost\r\nlast-event-id: {epoch}-{}\r\n\r\n",
            id.n
        ));
        let (hellos, ticks) = hellos(&client.until(|text| text.contains("\"seq\":3,")));
        assert_eq!(hellos[0]["epoch"], "25");
        assert_eq!(ticks.iter().map(|tick| tick.1).collect::<Vec<_>>(), expected);
    }
    drop(kept);
    gateway.stop();
}
