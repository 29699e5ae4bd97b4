//! How a gateway reaches its venues: by name, past dead addresses, through a proxy.
//!
//! Names need a hosts file and a name server of their own. The test runs itself again within namespaces that have them.

use crate::support::{PATIENCE, process::Process};
use socket2::{Domain, Socket, Type};
use std::{
    env,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    process::Command,
    thread,
    time::{Duration, Instant},
};
use venue_sim::blocking::Venue;

/// Set within the namespaces.
const INSIDE: &str = "TEST_INSIDE_NAMESPACES";
const DEAD: &str = "198.51.100.9";
const GOOD: &str = "192.0.2.1";
/// A hosts file with a dead and a good address, of which the system prefers the dead one, and a name server for all
/// other names.
const SETUP: &str = "set -e
ip link set lo up
ip addr add 198.51.100.9/32 dev lo
ip addr add 192.0.2.1/32 dev lo
mount -t tmpfs none /etc
printf '198.51.100.9 venue.test\\n192.0.2.1 venue.test\\n' >/etc/hosts
printf 'precedence ::ffff:198.51.100.0/120 100\\nprecedence ::ffff:0:0/96 10\\n' >/etc/gai.conf
printf 'multi on\\n' >/etc/host.conf
printf 'hosts: files dns\\n' >/etc/nsswitch.conf
printf 'nameserver 127.0.0.53\\noptions timeout:30 attempts:2\\n' >/etc/resolv.conf
exec \"$@\"
";

/// Runs a test within namespaces of its own. Returns whether this is within them; outside, the test is over.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
fn is_inside_namespaces(test: &str) -> bool {
    if env::var_os(INSIDE).is_some() {
        return true;
    }
    let namespaces = ["--user", "--map-root-user", "--net", "--mount"];
    let may = Command::new("unshare").args(namespaces).args(["ip", "link", "set", "lo", "up"]).output();
    if !may.is_ok_and(|output| output.status.success()) {
        assert!(
            env::var("CI").ok().as_deref() != Some("true"),
            "with CI=true nothing may be skipped: allow namespaces"
        );
        println!("skipped: this system allows no namespaces");
        return false;
    }
    let mut inside = Command::new("unshare");
    inside.args(namespaces).args(["bash", "-c", SETUP, "bash"]).arg(env::current_exe().unwrap());
    let output = inside.args(["--exact", test, "--nocapture"]).env(INSIDE, "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    false
}

fn feed(url: &str) -> String {
    format!("[[feed]]\nvenue = \"binance\"\nurl = \"{url}\"\nsymbols = [\"BTC-USDT\"]\n")
}

/// The first line with this text; what it has logged before is dropped.
fn line_with(gateway: &Process, text: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    let mut seen = Vec::new();
    while let Some(line) = gateway.next_line(deadline) {
        if line.contains(text) {
            return line;
        }
        seen.push(line);
    }
    panic!("it does not log {text:?}: {seen:#?}");
}

#[test]
fn a_venue_whose_first_address_swallows_packets_is_reached_by_the_second() {
    if !is_inside_namespaces("dialing::a_venue_whose_first_address_swallows_packets_is_reached_by_the_second") {
        return;
    }
    let venue = TcpListener::bind((GOOD, 0)).unwrap();
    let port = venue.local_addr().unwrap().port();
    let dead = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    dead.bind(&format!("{DEAD}:{port}").parse::<SocketAddr>().unwrap().into()).unwrap();
    dead.listen(0).unwrap();
    let _queued = TcpStream::connect((DEAD, port)).unwrap();

    let gateway = Process::start("dead-address", &feed(&format!("ws://venue.test:{port}")));
    let accepted = thread::spawn(move || {
        let (tcp, _) = venue.accept().unwrap();
        tokio_tungstenite::tungstenite::accept(tcp).unwrap()
    });
    let line = line_with(&gateway, " connected");
    let tried = format!("{DEAD}:{port} no answer, {GOOD}:{port} connected");
    assert!(line.contains(&tried), "{line}");
    drop(accepted.join().unwrap());
}

#[test]
fn a_name_look_up_that_hangs_does_not_keep_a_gateway_from_ending() {
    if !is_inside_namespaces("dialing::a_name_look_up_that_hangs_does_not_keep_a_gateway_from_ending") {
        return;
    }
    let server = UdpSocket::bind("127.0.0.53:53").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    for count in [1, 3] {
        let feeds: String = (0..count)
            .map(|place| {
                let symbols = format!("symbols = [\"A{place}-USDT\"]");
                feed(&format!("ws://hangs-{place}.test")).replace("symbols = [\"BTC-USDT\"]", &symbols)
                    + &format!("name = \"hangs-{place}\"\n")
            })
            .collect();
        let gateway = Process::start("hanging-look-up", &format!("{feeds}[server]\ndrain = \"0s\"\n"));
        server.recv(&mut [0; 512]).expect("the look-up asks the name server, which does not answer");
        assert!(gateway.terminate().success());
    }
}

/// A proxy that takes one request and leads to this address; returns the request's head.
fn proxy(listener: TcpListener, venue: SocketAddr) -> String {
    let (mut client, _) = listener.accept().unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let mut venue = TcpStream::connect(venue).unwrap();
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").unwrap();
    let (mut from_client, mut to_venue) = (client.try_clone().unwrap(), venue.try_clone().unwrap());
    thread::spawn(move || std::io::copy(&mut from_client, &mut to_venue));
    thread::spawn(move || std::io::copy(&mut venue, &mut client));
    String::from_utf8(head).unwrap()
}

#[test]
fn a_feed_goes_through_the_proxy_of_its_file_or_of_the_environment_and_no_line_has_its_password() {
    let key = |port: u16| format!("proxy = \"http://user:hu%24sh@127.0.0.1:{port}\"\n");
    for in_file in [true, false] {
        let venue = Venue::bind();
        let address = venue.url.strip_prefix("ws://").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let variable = format!("http://user:hu%24sh@127.0.0.1:{port}");
        let lines = feed("ws://venue.test/ws") + if in_file { key(port) } else { String::new() }.as_str();
        let variables = [("NO_PROXY", "other.test"), ("HTTP_PROXY", if in_file { "http://unused" } else { &variable })];
        let head = thread::spawn(move || proxy(listener, address));
        let gateway = Process::start_with(&format!("proxy-{in_file}"), &lines, &variables);
        let _connection = venue.grant(&["btcusdt"]);
        gateway.metric_when("tickfan_feed_up", "binance", |up| up == 1);
        let head = head.join().unwrap();
        assert!(head.starts_with("CONNECT venue.test:80 HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("\r\nproxy-authorization: Basic dXNlcjpodSRzaA==\r\n"), "{head}");
        let log = gateway.log().join("\n");
        assert!(["hu%24sh", "hu$sh", "dXNlcjpodSRzaA"].iter().all(|secret| !log.contains(secret)), "{log}");
    }
}

#[test]
fn a_proxy_that_repeats_the_password_in_its_refusal_does_not_bring_it_into_the_log() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let key = format!("proxy = \"http://user:hu%24sh@127.0.0.1:{port}\"\n");
    thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            client.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let _ = client.read(&mut [0; 1024]);
            let _ = client.write_all(b"HTTP/1.1 503 dXNlcjpodSRzaA== is hu$sh\r\n\r\n");
        }
    });
    let gateway = Process::start("proxy-echo", &(feed("ws://venue.test/ws") + &key));
    gateway.metric_when("tickfan_feed_disconnects_total", "proxy", |count| count > 0);
    let log = gateway.log().join("\n");
    assert!(log.contains("it does not reach the address (503 (hidden) is (hidden))"), "{log}");
    assert!(!log.contains("hu$sh") && !log.contains("dXNlcjpodSRzaA"), "{log}");
}
