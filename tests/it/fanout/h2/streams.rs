//! Streams and answers of a connection.

use super::*;

#[test]
fn streams_of_a_connection_each_get_head_newest_and_every_tick() {
    let mut gateway = Sockets::start(PATIENCE);
    gateway.publish();
    let (listener, ended) = gateway.h2();
    let mut client = Client::connect(&listener);
    let streams = [(); 20].map(|()| client.peer.get("/stream"));
    client.until_price(&streams, 1);
    for price in 2..=200 {
        gateway.publish();
        if price % 10 == 0 {
            client.until_price(&streams, price);
        }
    }
    for stream in streams {
        assert!(client.peer.streams[&stream].head_text().contains("text/event-stream"));
        assert!(client.peer.streams[&stream].text().starts_with("HELLO\n\nid: "));
        assert_eq!(seqs(&client.peer, stream), (1..=200).collect::<Vec<_>>());
    }
    gateway.pool.drain(Duration::ZERO);
    client.read_to_end();
    for stream in streams {
        let stream = &client.peer.streams[&stream];
        assert!(stream.has_ended && stream.text().ends_with("event: bye\ndata: {\"reason\":\"shutdown\"}\n\n"));
    }
    assert_eq!(client.peer.go_aways, [(0x7fff_ffff, 0), (39, 0)]);
    assert_eq!(ended.iter().take(20).count(), 20);
    drop(client);
    gateway.workers.join().unwrap();
    let counts = gateway.pool.counts();
    assert_eq!((counts.missed.total(), closed(&counts, CloseReason::Shutdown)), (0, 20));
}

#[test]
fn whole_answers_of_any_length_arrive_beside_a_stream() {
    let mut gateway = Sockets::start(PATIENCE);
    let (listener, _ended) = gateway.h2();
    let mut client = Client::connect(&listener);
    let stream = client.stream();
    let lengths = [0, 1, 1_023, 16_000, 16_385, 300_000];
    let answers = lengths.map(|bytes| client.peer.get(&format!("/bytes/{bytes}")));
    loop {
        gateway.publish();
        let price = gateway.price;
        client.until_price(&[stream], price);
        if answers.iter().all(|answer| client.peer.streams.get(answer).is_some_and(|stream| stream.has_ended)) {
            break;
        }
    }
    for (answer, length) in answers.iter().zip(lengths) {
        assert_eq!(client.peer.streams[answer].body.len(), length);
    }
    assert_eq!(seqs(&client.peer, stream), (0..=gateway.price as u64).collect::<Vec<_>>());
}
