//! The listener for https.

use super::*;

/// A gateway under a limit of its listener for https, and where that is.
fn https(limit: &str) -> (Rig, SocketAddr) {
    let (rig, _) = https_of(&Ca::new("a CA"), limit);
    let address = rig.gateway.tls.unwrap();
    (rig, address)
}

/// The same with a certificate of a CA, whose files are in this folder.
fn https_of(ca: &Ca, limit: &str) -> (Rig, PathBuf) {
    let folder = certificates::folder(thread::current().name().unwrap_or_default());
    let files = ca.sign(&["localhost"]).write(&folder);
    (Rig::start(&format!("{}{limit}", certificates::table(&[files]))), folder)
}

/// A client of the listener for https, which trusts this CA.
fn https_client(rig: &Rig, ca: &Ca) -> TlsClient {
    let socket = TcpStream::connect(rig.gateway.tls.unwrap()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut config = tls::client_config_of(ca.der(), &tls::VERSIONS);
    config.alpn_protocols = vec![b"h2".to_vec()];
    tls::client(socket, config)
}

pub(super) fn a_stream_too_many_of_a_connection_is_refused() {
    let ca = Ca::new("a CA");
    let (rig, _) = https_of(&ca, "h2_streams = 1000");
    let mut client = https_client(&rig, &ca);
    let mut peer = H2Peer::new(&[]);
    let first = open_streams(&mut peer, &mut client, 1_000);
    let one_more = peer.get(TARGET);
    peer.until(&mut client, |peer| peer.streams.contains_key(&one_more));
    let refused = peer.streams.iter().filter(|(_, stream)| stream.reset.is_some());
    let refused: Vec<_> = refused.map(|(number, stream)| (*number, stream.reset)).collect();
    assert_eq!(refused, [(one_more, Some(7))]);
    rig.gateway.metric_when("tickfan_streams", "", |streams| streams == 1_000);
    // The page is closed, and the next one too: with the refused stream, these are as many resets as may be.
    first.iter().for_each(|stream| peer.reset(*stream, 8));
    let second = open_streams(&mut peer, &mut client, 999);
    second.iter().for_each(|stream| peer.reset(*stream, 8));
    open_streams(&mut peer, &mut client, 1);
    rig.gateway.metric_when("tickfan_streams", "", |streams| streams == 1);
}

/// Opens so many streams; returns their numbers.
fn open_streams(peer: &mut H2Peer, client: &mut TlsClient, count: usize) -> Vec<u32> {
    let mut opened = Vec::new();
    while opened.len() < count {
        let streams: Vec<u32> = (0..50.min(count - opened.len())).map(|_| peer.get(TARGET)).collect();
        peer.until(client, |peer| streams.iter().all(|stream| peer.streams.contains_key(stream)));
        opened.extend(streams);
    }
    opened
}

pub(super) fn a_renewed_certificate_is_served_after_the_next_look() {
    let ca = Ca::new("a CA");
    let (rig, folder) = https_of(&ca, "look = \"1s\"");
    let renewed = ca.sign(&["localhost"]);
    renewed.write(&folder);
    rig.gateway.metric_when("tickfan_certificate_reloads_total", "applied", |count| count == 1);
    let mut client = https_client(&rig, &ca);
    client.conn.complete_io(&mut client.sock).unwrap();
    assert_eq!(client.conn.peer_certificates().unwrap()[0], renewed.der());
}

pub(super) fn a_handshake_that_takes_longer_is_cut_off() {
    let (rig, address) = https("handshake_timeout = \"100ms\"");
    let mut client = Client::connect(address);
    client.send([0x16, 3, 1]);
    assert_eq!(client.socket.read(&mut [0; 1]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    rig.gateway.metric_when("tickfan_tls_handshakes_total", "timeout", |count| count == 1);
}

pub(super) fn a_handshake_that_pauses_gives_way_to_one_too_many() {
    let (rig, address) = https("handshakes = 1");
    let mut clients = [Client::connect(address), Client::connect(address)];
    // The first record of a hello of 60,000 bytes: it has a turn for the rest.
    let record = [&[0x16, 3, 1, 0x40, 0, 1, 0, 0xea, 0x60][..], &[0; 16_380]].concat();
    for client in &mut clients {
        client.send(&record);
    }
    rig.gateway.metric_when("tickfan_tls_handshakes_total", "gave_way", |count| count == 1);
}

pub(super) fn https_alone_is_demanded_for_so_long() {
    let (_rig, address) = https("hsts = \"1d\"");
    let curl =
        Command::new("curl").args(["--silent", "--include", "--insecure"]).arg(format!("https://{address}/")).output();
    let answer = String::from_utf8(curl.expect("curl is installed").stdout).unwrap();
    assert!(answer.contains("strict-transport-security: max-age=86400\r\n"), "{answer}");
}
