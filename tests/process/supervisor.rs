//! What a supervisor gets to know: notifications to systemd, and the verdict of `tickfan health`.

use crate::support::{PATIENCE, log_watch::looked_at, process::Process, stream::Stream};
use rustix::process::Signal;
use std::{
    net::SocketAddr,
    os::unix::net::UnixDatagram,
    path::PathBuf,
    process::{Command, Output},
};

/// The other end of `NOTIFY_SOCKET`.
struct Systemd {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Systemd {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("tickfan-notify-{}", std::process::id()));
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, path }
    }

    /// The lines of the next notification.
    fn next(&self) -> Vec<String> {
        let mut buffer = [0; 1024];
        let length = self.socket.recv(&mut buffer).unwrap();
        std::str::from_utf8(&buffer[..length]).unwrap().lines().map(str::to_owned).collect()
    }
}

impl Drop for Systemd {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[test]
fn systemd_is_told_when_the_gateway_is_ready_reloads_and_stops() {
    let systemd = Systemd::new();
    let config = "[[feed]]\nname = \"sim\"\nvenue = \"sim\"\nsymbols = [\"AAPL\"]\n";
    let gateway = Process::start_with("notify", config, &[("NOTIFY_SOCKET", systemd.path.to_str().unwrap())]);
    let serving = format!("STATUS=serving clients on {}", gateway.address);
    assert_eq!(systemd.next(), ["READY=1", &serving]);
    // A unit that waited for the notification can connect.
    drop(Stream::open(gateway.address, "/v1/stream/AAPL").named("hello"));
    gateway.hang_up();
    let reloading = systemd.next();
    assert_eq!(reloading[0], "RELOADING=1");
    assert!(reloading[1].strip_prefix("MONOTONIC_USEC=").is_some_and(|time| time.parse::<u64>().is_ok()));
    assert_eq!(systemd.next(), ["READY=1", &serving]);
    gateway.signal(Signal::TERM);
    assert_eq!(systemd.next(), ["STOPPING=1", "STATUS=ending its streams"]);
}

/// What `tickfan health` says with these arguments.
fn health(arguments: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } =
        looked_at(Command::new(env!("CARGO_BIN_EXE_tickfan")).arg("health").args(arguments).output().unwrap());
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

#[test]
fn health_is_what_the_admin_listener_says() {
    let config = "[[feed]]\nname = \"sim\"\nvenue = \"sim\"\nsymbols = [\"AAPL\"]\n[server]\ndrain_delay = \"600s\"\n";
    let gateway = Process::start("health", config);
    let mut stream = Stream::open(gateway.address, "/v1/stream/AAPL");
    drop(stream.named("hello"));
    // Not before the feed's first verdict is the gateway ready.
    gateway.metric_when("tickfan_feed_up", "", |up| up == 1);
    let url = format!("http://{}/", gateway.admin);
    let (code, said) = health(&["--admin", &url]);
    assert_eq!(code, Some(0), "{said}");
    gateway.signal(Signal::TERM);
    gateway.until_logged("stopping");
    let (code, said) = health(&["--admin", &url]);
    assert!(code == Some(1) && said.contains("not ready") && said.contains("draining"), "{said}");
    // What decides over a restart does not depend on venues or a drain.
    let (code, said) = health(&["--admin", &url, "--live"]);
    assert_eq!(code, Some(0), "{said}");
    let nothing = SocketAddr::from(([127, 0, 0, 1], 1)).to_string();
    let (code, said) = health(&["--admin", &nothing]);
    assert!(code == Some(1) && said.contains("--admin"), "{said}");
}
