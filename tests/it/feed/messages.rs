//! What a venue sends that is broken, or too long.

use super::*;

#[tokio::test]
async fn rule_9_bad_bytes_are_dropped_and_counted_and_the_connection_stays() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = grant(&venue).await;
    send_trade(&mut peer, 1).await;
    peer.send("{\"type\":").await;
    peer.socket.send(Message::binary(vec![0, 159, 146, 150, 255])).await.unwrap();
    peer.send("[]").await;
    peer.send(r#"{"type":"trade","symbol":"IBM","price":1}"#).await;
    peer.send(&sim::trade(2).replace("\"size\":1", "\"size\":1e99")).await;
    peer.send(&"[".repeat(MESSAGE_BYTES_MAX)).await;
    send_trade(&mut peer, 3).await;
    assert_eq!(rig.prices(3).await, ["1", "2", "3"]);
    for (reason, count) in [("json", 3), ("shape", 1), ("unknown_symbol", 1), ("range", 1)] {
        rig.dropped(reason, count).await;
    }
    rig.stop().await;
}

#[tokio::test]
async fn rule_10_a_message_over_the_limit_ends_the_connection_and_the_feed_goes_on() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut peer = grant(&venue).await;
    send_trade(&mut peer, 1).await;
    // The feed may hang up before all of it is written.
    let _ = peer.socket.send(Message::text("x".repeat(MESSAGE_BYTES_MAX + 1))).await;
    rig.lost_by("oversize").await;
    let mut peer = grant(&venue).await;
    send_trade(&mut peer, 2).await;
    assert_eq!(rig.prices(1).await, ["2"]);
    rig.stop().await;
}

#[tokio::test]
async fn rule_10_the_longest_message_is_what_the_venue_needs_unless_the_configuration_says_otherwise() {
    let spec = venue::find("sim").unwrap();
    let need = spec.message_bytes_max(&listed(&["AAPL", "MSFT"]));
    for (limit, bytes, fits) in
        [(None, need, true), (None, need + 1, false), (Some(2 * need), 2 * need, true), (Some(4_096), 4_097, false)]
    {
        let venue = Venue::bind().await;
        let limits = config::Limits { venue_message_bytes: limit, ..limits() };
        let config =
            config::Feed { url: Some(venue.url.clone()), ..config::Feed::new(spec, listed(&["AAPL", "MSFT"])) };
        let rig = Rig::within(&config, &limits, timing());
        let mut peer = grant(&venue).await;
        // The feed may close the connection while the rest of the message is still on its way.
        let _ = peer.socket.send(Message::text("x".repeat(bytes))).await;
        if fits {
            rig.dropped("json", 1).await;
        } else {
            rig.counted("disconnects_total{feed=\"test\",reason=\"oversize\"}", "1").await;
        }
        rig.stop().await;
    }
}

#[tokio::test]
async fn rule_10_a_message_over_the_limit_in_fragments_is_no_way_around() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut stream = grant(&venue).await.socket.into_inner();
    // Unmasked, as a venue sends: a text frame that is not the last, then continuations for ever.
    let mut fragment = vec![0x01, 126, 4, 0];
    fragment.resize(4 + 1_024, b'x');
    let flood = async {
        while stream.write_all(&fragment).await.is_ok() {
            fragment[0] = 0x00;
        }
    };
    tokio::select! {
        () = flood => {}
        _ = rig.lost() => {}
    }
    rig.counted("disconnects_total{feed=\"test\",reason=\"oversize\"}", "1").await;
    rig.stop().await;
}

#[tokio::test]
async fn rule_9_broken_frames_are_a_counted_reason_too() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut stream = grant(&venue).await.socket.into_inner();
    stream.write_all(&[0xff; 64]).await.unwrap();
    rig.lost_by("protocol").await;
    let mut stream = grant(&venue).await.socket.into_inner();
    stream.write_all(&[0x81, 2, 0xc3, 0x28]).await.unwrap();
    rig.lost().await;
    rig.counted("disconnects_total{feed=\"test\",reason=\"protocol\"}", "2").await;
    send_trade(&mut grant(&venue).await, 1).await;
    rig.stop().await;
}

/// The gateway never offers to take compressed messages: a short one could become one of any length.
#[tokio::test]
async fn rule_9_a_frame_that_says_it_is_compressed_is_not_decompressed() {
    let (mut rig, venue) = Rig::against(timing()).await;
    let mut stream = grant(&venue).await.socket.into_inner();
    // The reserved bit that RFC 7692 gives to compressed messages, before what would be a trade without it.
    let trade = sim::trade(7);
    let frame = [&[0xc1, u8::try_from(trade.len()).unwrap()], trade.as_bytes()].concat();
    stream.write_all(&frame).await.unwrap();
    rig.lost_by("protocol").await;
    let mut peer = grant(&venue).await;
    send_trade(&mut peer, 1).await;
    assert_eq!(rig.prices(1).await, ["1"]);
    rig.stop().await;
}
