//! Runs the race of an attempt over real sockets.

use super::{
    race::{Move, Race, order},
    record::{SharedRecord, Step},
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use std::{io, net::SocketAddr, time::Instant};
use tokio::{net::TcpStream, time::sleep_until};

/// Connects to the first address that accepts, and drops the others. Returns nothing where all fail; the record has
/// each address's own error. An address that does not answer ends with the attempt.
pub(super) async fn first_of(found: &[SocketAddr], record: &SharedRecord) -> Option<TcpStream> {
    record.step(Step::Connect);
    let mut race = Race::new(order(found, &record.failed_before()), Instant::now());
    let mut running = FuturesUnordered::new();
    loop {
        let until = match race.next(Instant::now()) {
            Move::Lost => return None,
            Move::Try(address) => {
                record.begun(address);
                running.push(async move { (address, connect(address).await) });
                continue;
            }
            Move::Wait(until) => until,
        };
        let next_is_due = async {
            match until {
                Some(until) => sleep_until(until.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            Some((address, connected)) = running.next() => match connected {
                Ok(socket) => {
                    record.connected(address);
                    return Some(socket);
                }
                Err(error) => {
                    record.failed(address, why(&error));
                    race.failed(Instant::now());
                }
            },
            () = next_is_due => {}
        }
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::connect(address).await?;
    // Requests are small, and each waits for its answer.
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// The reason alone, without the system's number.
fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "refused".to_owned(),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => "unreachable".to_owned(),
        io::ErrorKind::TimedOut => "no answer".to_owned(),
        _ => error.to_string(),
    }
}
