//! Starts a client's connection without waiting for it.

use mio::net::TcpStream;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// Streams per source address: Linux has about 28,000 ephemeral ports per address, some of them in TIME_WAIT.
const STREAMS_PER_SOURCE: u32 = 20_000;

/// The source address of a stream. On loopback every 20,000 streams get an address of their own; elsewhere the system
/// chooses.
pub(super) fn source(target: IpAddr, stream: u32) -> Option<IpAddr> {
    let number = stream / STREAMS_PER_SOURCE;
    let is_needed = number > 0 && target.is_loopback() && target.is_ipv4();
    is_needed.then(|| IpAddr::V4(Ipv4Addr::from_bits(Ipv4Addr::LOCALHOST.to_bits() + number)))
}

/// Starts to connect.
///
/// # Errors
/// The system refuses at once. It may also refuse later.
pub(super) fn dial(target: SocketAddr, source: Option<IpAddr>, receive_buffer: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Before the handshake, which negotiates the window scale.
    socket.set_recv_buffer_size(receive_buffer)?;
    if let Some(source) = source {
        socket.bind(&SockAddr::from(SocketAddr::new(source, 0)))?;
    }
    match socket.connect(&target.into()) {
        Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_streams_than_ports_come_from_several_addresses() {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(source(loopback, 19_999), None);
        assert_eq!(source(loopback, 20_000), Some(Ipv4Addr::new(127, 0, 0, 2).into()));
        assert_eq!(source(loopback, 99_999), Some(Ipv4Addr::new(127, 0, 0, 5).into()));
        assert_eq!(source(Ipv4Addr::new(10, 0, 0, 1).into(), 99_999), None);
    }
}
