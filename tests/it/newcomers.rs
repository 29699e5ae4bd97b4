//! A newcomer is answered while others hold all the connections that they can get.

use crate::support::{Admin, Client, Gateway, PATIENCE, Setup, connect_narrow};
use socket2::{Domain, SockAddr, Socket, Type};
use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};
use tickfan::{
    admin::{FeedHealth, HealthInputs},
    feed::FeedState,
};

/// Longer than any test runs: only another's giving way gets a newcomer in.
const NEVER: Duration = Duration::from_secs(3_600);
/// More than either listener of these tests takes at a time.
const HELD: u8 = 20;

/// How a client holds its connections.
#[derive(Debug, Clone, Copy)]
enum Hold {
    Silent,
    HalfHead,
    HalfHeadAfterAnAnswer,
    Idle,
    ReadsNoAnswer,
    AsksWithoutAPause,
}

const HOLDS: [Hold; 6] = [
    Hold::Silent,
    Hold::HalfHead,
    Hold::HalfHeadAfterAnAnswer,
    Hold::Idle,
    Hold::ReadsNoAnswer,
    Hold::AsksWithoutAPause,
];

fn client_from(last: u8, address: SocketAddr) -> Client {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::from(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))).unwrap();
    socket.connect(&address.into()).unwrap();
    Client::from_socket(socket.into())
}

fn request(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n")
}

/// Sends a request, perhaps on a connection that the gateway has ended.
fn ask(client: &mut Client, target: &str) {
    let _ = client.socket.write_all(request(target).as_bytes());
}

/// Begins to hold a connection. The gateway may end it at any moment, so errors are expected.
fn hold(how: Hold, mut client: Client, target: &str) -> Client {
    let half = "GET /livez HTTP/1.1\r\nho";
    match how {
        Hold::Silent | Hold::AsksWithoutAPause => {}
        Hold::HalfHead => drop(client.socket.write_all(half.as_bytes())),
        Hold::Idle => ask(&mut client, target),
        Hold::HalfHeadAfterAnAnswer => {
            ask(&mut client, target);
            drop(client.socket.write_all(half.as_bytes()));
        }
        Hold::ReadsNoAnswer => {
            client = Client::from_socket(connect_narrow(client.socket.peer_addr().unwrap()));
            drop(client.socket.write_all(request(target).repeat(500).as_bytes()));
        }
    }
    client
}

/// Asks on as soon as it is answered, on a new connection whenever the gateway ends one.
fn ask_on(last: u8, address: SocketAddr, target: &str, over: &AtomicBool) {
    let mut scratch = [0; 64 * 1024];
    while !over.load(Ordering::Relaxed) {
        let mut client = client_from(last, address);
        client.socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        while !over.load(Ordering::Relaxed)
            && client.socket.write_all(request(target).as_bytes()).is_ok()
            && matches!(client.socket.read(&mut scratch), Ok(1..))
        {}
    }
}

/// Raises its flag at its end, also if the test panics: the scope waits for the threads that look at it.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Asks on a new connection, and again on another if the gateway ends that first.
fn ask_as_newcomer(how: Hold, last: u8, address: SocketAddr, target: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut client = client_from(last, address);
        ask(&mut client, target);
        let mut head = [0; 15];
        if client.socket.read_exact(&mut head).is_ok() {
            return String::from_utf8_lossy(&head).into_owned();
        }
        assert!(Instant::now() < deadline, "a newcomer from {last} gets no answer to {target} ({how:?})");
    }
}

/// Holds all connections from these addresses in each way, and asks as a newcomer from another one and, but for a flood
/// of requests, from the first of them.
fn check(address: SocketAddr, holds: &[Hold], from: &[u8], target: &str, asked: &[&str]) {
    for &how in holds {
        let over = AtomicBool::new(false);
        let place = |number: u8| from[usize::from(number) % from.len()];
        let held: Vec<Client> =
            (0..HELD).map(|number| hold(how, client_from(place(number), address), target)).collect();
        thread::scope(|scope| {
            if matches!(how, Hold::AsksWithoutAPause) {
                for number in 0..HELD {
                    scope.spawn({
                        let over = &over;
                        move || ask_on(place(number), address, target, over)
                    });
                }
            }
            let _over = Raised(&over);
            // Requests that are being answered do not give way: a flood of them leaves its own address no turn.
            let floods = matches!(how, Hold::AsksWithoutAPause | Hold::ReadsNoAnswer);
            let newcomers: &[u8] = if floods { &[99] } else { &[from[0], 99] };
            for &last in newcomers {
                for wanted in asked {
                    assert_eq!(ask_as_newcomer(how, last, address, wanted), "HTTP/1.1 200 OK", "{how:?} {target}");
                }
            }
        });
        drop(held);
    }
}

fn setup(connections: usize, trusted_proxies: &[&str]) -> Setup {
    let mut setup = Setup::default();
    setup.limits.connections = connections;
    setup.limits.head_timeout = NEVER;
    setup.limits.write_timeout = NEVER;
    setup.server.trusted_proxies = trusted_proxies.iter().map(|net| net.parse().unwrap()).collect();
    setup
}

#[test]
fn a_newcomer_is_answered_while_clients_hold_all_the_connections_that_they_can() {
    for (connections, from, proxies) in
        [(8, &[7][..], &[][..]), (8, &[7, 8, 9, 10], &[]), (8, &[7], &["127.0.0.7/32"]), (1, &[7], &[])]
    {
        let gateway = Gateway::start(setup(connections, proxies));
        check(gateway.address, &HOLDS, from, "/app.js", &["/v1/symbols"]);
    }
}

#[test]
fn probes_and_scrapes_are_answered_while_others_hold_all_connections_of_the_operators_listener() {
    let feeds = || vec![FeedHealth { feed: "us-stocks".into(), state: FeedState::Live }];
    let health = move || HealthInputs {
        uptime: NEVER,
        was_ready: false,
        draining: false,
        feeds: feeds(),
        streams: 0,
        streams_limit: 10,
        keys_awaited: None,
        cluster: None,
    };
    let admin = Admin::start(health);
    for target in ["/metrics", "/debug/streams", "/debug/symbols?limit=1000"] {
        check(admin.address, &HOLDS, &[7], target, &["/livez", "/readyz", "/metrics"]);
    }
}

#[test]
fn a_large_answer_waits_for_its_turn_and_a_small_one_or_a_stream_does_not() {
    let names = |count: usize| (0..count).map(|index| format!("S{index}")).collect::<Vec<_>>().join(",");
    let symbols = names(200).split(',').map(str::to_owned).collect();
    let mut setup = Setup { symbols, ..setup(100, &[]) };
    setup.limits.symbols_per_stream = 200;
    let gateway = Gateway::start(setup);
    let turns = &gateway.permits.large_answers;
    let all_turns = || (0..turns.limit()).map(|_| turns.try_acquire().unwrap()).collect::<Vec<_>>();
    let (listed, named) = (names(100), names(101));
    for target in
        ["/v1/symbols", "/v1/symbols?limit=100", "/v1/quotes/S1", &format!("/v1/quotes?symbols={listed}"), "/"]
    {
        let _held = all_turns();
        assert_eq!(gateway.client().get(target).status, 200, "{target}");
    }
    for target in ["/v1/symbols?limit=101", "/v1/symbols?limit=1000&prefix=S1", &format!("/v1/quotes?symbols={named}")]
    {
        let held = all_turns();
        let mut client = gateway.client();
        ask(&mut client, target);
        assert!(client.is_quiet(), "{target} does not wait");
        gateway.open(&format!("/v1/stream?symbols={named}"), "");
        drop(held);
        assert_eq!(client.answer(true).status, 200, "{target}");
    }
}

/// A stream begins on a connection, so a newcomer that wants one needs a place too.
#[test]
fn a_newcomer_gets_its_stream_while_another_client_holds_all_connections() {
    let gateway = Gateway::start(setup(4, &[]));
    let _held: Vec<_> = (0..HELD).map(|_| hold(Hold::Silent, client_from(7, gateway.address), "/v1/symbols")).collect();
    let _opened = gateway.open("/v1/stream/AAPL", "");
}

#[test]
fn the_oldest_idle_connection_gives_way_and_the_others_stay() {
    let gateway = Gateway::start(setup(4, &[]));
    let mut clients: Vec<_> = [7, 8, 9, 10].into_iter().map(|last| client_from(last, gateway.address)).collect();
    for client in &mut clients {
        assert_eq!(client.get("/v1/symbols").status, 200);
    }
    // The first has asked again since, so the second has been idle the longest.
    assert_eq!(clients[0].get("/v1/symbols").status, 200);
    assert_eq!(client_from(11, gateway.address).get("/v1/symbols").status, 200);
    assert_eq!(clients.remove(1).rest(), "");
    for client in &mut clients {
        assert_eq!(client.get("/v1/symbols").status, 200);
    }
}

#[test]
fn an_address_holds_at_most_its_share_of_connections_and_a_trusted_proxy_all() {
    for (proxies, closes) in [(&[][..], true), (&["127.0.0.7/32"], false)] {
        let mut setup = setup(8, proxies);
        setup.limits.connections_per_address = 2;
        let gateway = Gateway::start(setup);
        let mut clients: Vec<_> = (0..3).map(|_| client_from(7, gateway.address)).collect();
        for client in &mut clients {
            assert_eq!(client.get("/v1/symbols").status, 200);
        }
        if closes {
            assert_eq!(clients.remove(0).rest(), "");
        }
        for client in &mut clients {
            assert_eq!(client.get("/v1/symbols").status, 200);
        }
    }
}

/// Takes an address's share of the connections, and keeps it: what they ask for waits until the turns are given back.
fn hold_share(gateway: &Gateway, last: u8, share: usize) -> (Vec<Client>, impl Sized) {
    let turns = &gateway.permits.large_answers;
    let held: Vec<_> = (0..turns.limit()).map(|_| turns.try_acquire().unwrap()).collect();
    let mut clients: Vec<_> = (0..share).map(|_| client_from(last, gateway.address)).collect();
    clients.iter_mut().for_each(|client| ask(client, "/v1/symbols?limit=101"));
    (clients, held)
}

/// A gateway with four places and a waiting room for as many; an address may have three of each.
fn small(head_timeout: Duration) -> Gateway {
    let mut setup = Setup { waiting: 4, ..setup(4, &[]) };
    setup.limits.head_timeout = head_timeout;
    Gateway::start(setup)
}

fn is_reset(client: &mut Client) -> bool {
    client.socket.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::ConnectionReset)
}

#[test]
fn rule_10_an_address_that_fills_the_waiting_room_is_turned_away_and_another_is_answered() {
    let gateway = small(NEVER);
    let (mut served, held) = hold_share(&gateway, 7, 3);
    let mut waiting: Vec<_> = (0..4).map(|_| client_from(7, gateway.address)).collect();
    waiting.iter_mut().for_each(|client| ask(client, "/v1/symbols"));
    let mut too_many: Vec<_> = (0..9).map(|_| client_from(7, gateway.address)).collect();
    assert_eq!(client_from(8, gateway.address).get("/v1/symbols").status, 200);
    assert!(too_many.iter_mut().all(is_reset));
    drop(held);
    for client in served.iter_mut().chain(&mut waiting) {
        assert_eq!(client.answer(true).status, 200);
    }
}

#[test]
fn a_newcomer_waits_no_longer_than_for_a_head_and_not_beyond_a_stop() {
    for (head_timeout, stops) in [(Duration::from_millis(100), false), (NEVER, true)] {
        let gateway = small(head_timeout);
        let _held = hold_share(&gateway, 7, 3);
        let mut waiting = client_from(7, gateway.address);
        assert_eq!(client_from(8, gateway.address).get("/v1/symbols").status, 200, "the one before it was accepted");
        if stops {
            gateway.begin_to_stop();
        }
        assert!(is_reset(&mut waiting), "{head_timeout:?}");
    }
}
