//! The server that a command loads: where it is, and what is measured of it.

use super::{Failure, args::WatchedArgs};
use crate::{
    measure::{Admin, Process},
    run::Server,
    streams::Wire,
};
use std::{
    net::{SocketAddr, ToSocketAddrs as _},
    path::PathBuf,
};

/// The address to connect to and the `host` header of a URL.
pub(super) fn resolve(url: &str) -> Result<(SocketAddr, String), String> {
    let rest = url.strip_prefix("http://").ok_or_else(|| {
        format!("`{url}` cannot be loaded: write http://HOST:PORT; for TLS, load the server behind the TLS proxy")
    })?;
    let host = rest.trim_end_matches('/').to_owned();
    if host.contains('/') {
        return Err(format!("`{url}` has a path: write http://HOST:PORT, and give another server's path with --path"));
    }
    let host_and_port = if host.contains(':') { host.clone() } else { format!("{host}:80") };
    let mut found = host_and_port.to_socket_addrs().map_err(|error| format!("{url}: {error}"))?;
    found.next().map(|address| (address, host)).ok_or_else(|| format!("{url} has no address"))
}

/// The wire of a server: tickfan's, unless a path names another server's streams.
pub(super) fn wire(path: Option<&String>) -> Wire {
    path.map_or(Wire::Tickfan, |path| Wire::Plain { path: path.clone() })
}

/// A running server as it is measured.
pub(super) fn watched_server(args: &WatchedArgs) -> Result<Server, Failure> {
    let process = args.pid.map(Process::new).transpose();
    let process =
        process.map_err(|error| Failure::usage(format!("--pid {}: {error}", args.pid.unwrap_or_default())))?;
    Ok(Server { process, admin: args.admin.map(Admin::new) })
}

/// Any free port of loopback.
pub(super) fn free_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// The gateway's program in the folder of this one, where both are built or installed.
pub(super) fn sibling_gateway() -> PathBuf {
    std::env::current_exe().unwrap_or_default().with_file_name("tickfan")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let (address, host) = resolve("http://127.0.0.1:8080/").unwrap();
        assert_eq!((address.port(), host.as_str()), (8080, "127.0.0.1:8080"));
        for wrong in ["127.0.0.1:8080", "https://127.0.0.1", "http://127.0.0.1:8080/v1/stream", "http://127.0.0.1:x"] {
            assert!(resolve(wrong).is_err(), "{wrong}");
        }
    }
}
