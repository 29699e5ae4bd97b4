//! The server that a command loads: where it is, how clients speak to it, and what is measured of it.

use super::{
    Failure,
    args::{ClientArgs, WatchedArgs},
};
use crate::{
    measure::{Admin, Process},
    run::Server,
    streams::{Group, Header, Protocol, Wire},
    tls::{ClientTls, Trust},
};
use std::{
    net::{SocketAddr, ToSocketAddrs as _},
    path::PathBuf,
};

/// Where the streams connect to, and how they speak there.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    /// The `host` header.
    pub(super) host: String,
    pub(super) tls: Option<ClientTls>,
    pub(super) headers: Vec<Header>,
}

impl Target {
    /// A server on this machine without TLS.
    pub(super) fn plain(address: SocketAddr) -> Self {
        Self { address, host: address.to_string(), tls: None, headers: Vec::new() }
    }

    /// The server at a URL.
    pub(super) fn of_url(url: &str, client: &ClientArgs, groups: &[Group]) -> Result<Self, Failure> {
        let (address, host, is_https) = resolve(url).map_err(Failure::usage)?;
        if !is_https && groups.iter().any(|group| group.protocol == Protocol::Http2) {
            return Err(Failure::usage(format!("HTTP/2 is spoken over TLS only, as by browsers: {url} is not https")));
        }
        if !is_https && (client.ca.is_some() || client.insecure) {
            return Err(Failure::usage(format!("--ca and --insecure are for https, and {url} is not")));
        }
        let trust = match &client.ca {
            Some(path) => Trust::File(path.clone()),
            None if client.insecure => Trust::Any,
            None => Trust::Public,
        };
        let name = host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(&*host, |(name, _)| name);
        let tls = is_https.then(|| ClientTls::new(name, trust)).transpose().map_err(Failure::usage)?;
        Ok(Self { address, tls, headers: headers(client)?, host })
    }
}

/// What clients tell the server with each request.
pub(super) fn headers(client: &ClientArgs) -> Result<Vec<Header>, Failure> {
    let fixed = client.headers.iter().map(|header| header.parse());
    let headers: Result<_, _> = fixed.chain(client.header_files.iter().map(|header| Header::of_file(header))).collect();
    headers.map_err(Failure::usage)
}

/// The address to connect to and the `host` header of a URL, and whether it is https.
fn resolve(url: &str) -> Result<(SocketAddr, String, bool), String> {
    let (rest, port) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => (rest, 80),
        (_, Some(rest)) => (rest, 443),
        _ => return Err(format!("`{url}` cannot be loaded: write http://HOST:PORT or https://HOST:PORT")),
    };
    let host = rest.trim_end_matches('/').to_owned();
    if host.contains('/') {
        return Err(format!("`{url}` has a path: write http://HOST:PORT, and give another server's path with --path"));
    }
    let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.contains(']'));
    let host_and_port = if has_port { host.clone() } else { format!("{host}:{port}") };
    let mut found = host_and_port.to_socket_addrs().map_err(|error| format!("{url}: {error}"))?;
    found.next().map(|address| (address, host, port == 443)).ok_or_else(|| format!("{url} has no address"))
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
    fn an_address_is_a_scheme_a_host_and_a_port() {
        for (url, expected) in [
            ("http://127.0.0.1:8080/", ("127.0.0.1:8080", "127.0.0.1:8080", false)),
            ("http://127.0.0.1", ("127.0.0.1:80", "127.0.0.1", false)),
            ("https://127.0.0.1", ("127.0.0.1:443", "127.0.0.1", true)),
            ("https://[::1]", ("[::1]:443", "[::1]", true)),
            ("https://[::1]:8443", ("[::1]:8443", "[::1]:8443", true)),
        ] {
            let (address, host, is_https) = resolve(url).unwrap();
            assert_eq!((address.to_string().as_str(), host.as_str(), is_https), expected, "{url}");
        }
        for wrong in ["127.0.0.1:8080", "ftp://127.0.0.1", "http://127.0.0.1:8080/v1/stream", "http://127.0.0.1:x"] {
            assert!(resolve(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn https_and_http2_belong_together() {
        let h2 = [Group { protocol: Protocol::Http2, ..Group::default() }];
        let target = |url, client: &ClientArgs, groups: &[Group]| {
            Target::of_url(url, client, groups).map_err(|error| (error.code, error.to_string()))
        };
        let plain = ClientArgs::default();
        assert!(target("https://127.0.0.1:1", &plain, &h2).is_ok_and(|target| target.tls.is_some()));
        assert!(target("http://127.0.0.1:1", &plain, &[]).is_ok_and(|target| target.tls.is_none()));
        let (code, error) = target("http://127.0.0.1:1", &plain, &h2).unwrap_err();
        assert!(code == 64 && error.contains("HTTP/2 is spoken over TLS only"), "{error}");
        let insecure = ClientArgs { insecure: true, ..ClientArgs::default() };
        let (_, error) = target("http://127.0.0.1:1", &insecure, &[]).unwrap_err();
        assert!(error.contains("are for https"), "{error}");
        let secret = ClientArgs { headers: vec!["secret".to_owned()], ..ClientArgs::default() };
        let (_, error) = target("http://127.0.0.1:1", &secret, &[]).unwrap_err();
        assert!(error.contains("'Name: value'") && !error.contains("secret"), "{error}");
    }
}
