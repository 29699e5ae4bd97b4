//! The kernel's view of a connection, and a client that vanishes without closing it.

use socket2::{SockFilter, SockRef};
use std::{
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use super::PATIENCE;

/// The lines of the kernel's table of connections with this IPv4 address of the gateway and this one of the client.
pub fn sockets(gateway: SocketAddr, client: SocketAddr) -> Vec<String> {
    let hex = |address: SocketAddr| match address {
        SocketAddr::V4(v4) => format!("{:08X}:{:04X}", u32::from_le_bytes(v4.ip().octets()), v4.port()),
        SocketAddr::V6(_) => panic!("{address} stands in another table"),
    };
    let ends = format!(": {} {} ", hex(gateway), hex(client));
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().filter(|line| line.contains(&ends)).map(str::to_owned).collect()
}

/// The bytes in such a line that wait to be sent or acknowledged.
pub fn unacknowledged(line: &str) -> u64 {
    let queues = line.split_whitespace().nth(4).unwrap();
    u64::from_str_radix(queues.split_once(':').unwrap().0, 16).unwrap()
}

/// Waits until the gateway has read all that a client sent.
pub fn wait_until_all_is_read(client: &TcpStream) {
    let gateway = client.peer_addr().unwrap();
    let client = client.local_addr().unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let lines = sockets(gateway, client);
        // The queues stand as `sent:received`.
        if lines.iter().all(|line| line.split_whitespace().nth(4).unwrap().ends_with(":00000000")) {
            return;
        }
        assert!(Instant::now() < deadline, "{lines:?} has bytes that were not read");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the kernel has dropped the gateway's end of a client's connection, with every byte that waited to be
/// sent.
pub fn wait_until_nothing_is_left(client: &TcpStream) {
    let gateway = client.peer_addr().unwrap();
    let client = client.local_addr().unwrap();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let left = sockets(gateway, client);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "{left:?} are left");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Makes a client vanish as if its line were cut: its kernel drops everything that arrives, so that it acknowledges
/// nothing, answers no probe and sends no reset. It needs no privilege.
pub fn vanish(client: &TcpStream) {
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K: of each segment keep so many bytes
    SockRef::from(client).attach_filter(&[SockFilter::new(RETURN, 0, 0, 0)]).unwrap();
}
