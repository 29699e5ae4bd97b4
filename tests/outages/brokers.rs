//! Three brokers with the configuration of `deploy/nats/three.conf`, and lines between them that can be cut.

use super::{PATIENCE, broker::Broker, link::Link, world::pause};
use rand::RngExt as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    time::Instant,
};

pub(crate) const BROKERS: usize = 3;
/// Where no broker listens: brokers tell each other this address, so that they only use the lines of the test.
const NOWHERE: &str = "127.0.0.1:1";

/// What the configuration does not allow, and a test does: to delete the bucket of the leases.
const DELETE: &str = "$JS.API.STREAM.DELETE.KV_tickfan_prod";

/// Three brokers.
pub(crate) struct Brokers {
    tool: PathBuf,
    brokers: Vec<Broker>,
    http: Vec<SocketAddr>,
    route_ports: [u16; BROKERS],
    /// The line from one broker to another; `None` from a broker to itself.
    routes: Vec<Vec<Option<Link>>>,
}

/// A port that stays free while its broker restarts: the system chooses only higher ones for sockets that name none.
fn lasting_port() -> u16 {
    let mut random = rand::rng();
    loop {
        let port = random.random_range(10_000..32_000);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

impl Brokers {
    pub(crate) async fn start(tool: &Path) -> Self {
        let ports = [(); BROKERS].map(|()| lasting_port());
        let route_ports = [(); BROKERS].map(|()| lasting_port());
        let http_ports = [(); BROKERS].map(|()| lasting_port());
        let mut routes = Vec::new();
        for from in 0..BROKERS {
            let mut row = Vec::new();
            for (to, port) in route_ports.into_iter().enumerate() {
                row.push(if from == to { None } else { Some(Link::to(port).await) });
            }
            routes.push(row);
        }
        let start = |place: usize| {
            let [port, http] = [ports[place], http_ports[place]].map(|port| port.to_string());
            let arguments = ["--port", &port, "--http_port", &http, "--cluster_advertise", NOWHERE];
            let arguments = arguments.map(str::to_owned);
            let to = [0, 1, 2].map(|to| routes[place][to].as_ref().map_or(route_ports[to], |link: &Link| link.port));
            Broker::deployed_of_three(tool, place, &[DELETE], &arguments, route_ports[place], to)
        };
        let brokers = (0..BROKERS).map(start).collect();
        let http = http_ports.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port))).into();
        Self { tool: tool.to_owned(), brokers, http, route_ports, routes }
    }

    pub(crate) fn port(&self, place: usize) -> u16 {
        self.brokers[place].port
    }

    /// Cuts or heals all lines of a broker to the other two.
    pub(crate) fn cut_off(&self, place: usize, is_cut: bool) {
        for (from, row) in self.routes.iter().enumerate() {
            for (to, link) in row.iter().enumerate() {
                match link {
                    Some(link) if (from == place || to == place) && is_cut => link.cut(),
                    Some(link) if from == place || to == place => link.heal(),
                    _ => {}
                }
            }
        }
    }

    pub(crate) fn kill(&mut self, place: usize) {
        self.brokers[place].kill();
    }

    /// Stops one by SIGTERM and waits for its end.
    pub(crate) fn stop(&mut self, place: usize) {
        self.signal(place, Signal::TERM);
        self.brokers[place].wait();
    }

    pub(crate) fn restart(&mut self, place: usize) {
        self.brokers[place].restart(&self.tool);
    }

    pub(crate) fn signal(&self, place: usize, signal: Signal) {
        let pid = i32::try_from(self.brokers[place].pid()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
    }

    /// The place of the broker that leads the stream of the leases.
    pub(crate) fn leader(&self) -> usize {
        self.leader_of(&[0, 1, 2])
    }

    /// The place of the broker of these that leads, once one does.
    pub(crate) fn leader_of(&self, places: &[usize]) -> usize {
        let until = Instant::now() + PATIENCE;
        let says = |place: usize| {
            let answer = get(self.http[place], "/jsz?accounts=true&streams=true")?;
            let leader = &answer["account_details"][0]["stream_detail"][0]["cluster"]["leader"];
            Some(leader.as_str()?.strip_prefix('n')?.parse::<usize>().ok()? - 1)
        };
        loop {
            if let Some(leader) = places.iter().find_map(|&place| says(place).filter(|leader| places.contains(leader)))
            {
                return leader;
            }
            assert!(Instant::now() < until, "the stream of the leases has no leader");
            pause();
        }
    }

    /// Waits until all brokers are up and have all leases.
    pub(crate) fn all_serve(&self) {
        let until = Instant::now() + PATIENCE;
        let serves = |address: &SocketAddr| get(*address, "/healthz").is_some_and(|answer| answer["status"] == "ok");
        while !self.http.iter().all(serves) {
            assert!(Instant::now() < until, "the brokers do not serve");
            pause();
        }
    }

    /// Checks that brokers are connected only by the lines of the test.
    pub(crate) fn assert_use_links(&self) {
        for address in &self.http {
            let answer = get(*address, "/routez").unwrap();
            let routes = answer["routes"].as_array().unwrap();
            assert!(!routes.is_empty());
            let past = |route: &&Value| self.route_ports.iter().any(|port| route["port"] == *port);
            assert_eq!(routes.iter().find(past), None, "a route past the lines");
        }
    }
}

/// A page of a broker's monitoring. By HTTP/1.0 it ends with the connection.
fn get(address: SocketAddr, target: &str) -> Option<Value> {
    let mut socket = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.write_all(format!("GET {target} HTTP/1.0\r\nhost: localhost\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}
