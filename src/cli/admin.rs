//! The admin listener that `top` and `health` ask.

use crate::config::parse_address;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

/// The variable that sets the gateway's admin listener, in a container above all.
pub const ADMIN_VARIABLE: &str = "TICKFAN_SERVER_ADMIN_LISTEN";
/// The default of `[server] admin_listen`.
const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8081);

/// An address, also by a host name, and as the URL that a browser shows: `http://127.0.0.1:8081/`.
///
/// # Errors
/// What would be right, also where the name has no address.
pub(super) fn parse_admin(argument: &str) -> Result<SocketAddr, String> {
    if argument.starts_with("https://") {
        return Err("the admin listener speaks plain HTTP; write `http://` or the address alone".to_owned());
    }
    let address = argument.strip_prefix("http://").map_or(argument, |rest| rest.strip_suffix('/').unwrap_or(rest));
    parse_address(address).or_else(|error| look_up(address, error))
}

/// The address of a host name with a port: one of IPv4 if there is one, as the default listener's. Anything else is the
/// error that it was as an address.
fn look_up(name: &str, not_an_address: String) -> Result<SocketAddr, String> {
    let Some((host, port)) = name.rsplit_once(':') else { return Err(not_an_address) };
    if host.is_empty() || host.contains([':', '/']) || port.parse::<u16>().is_err() {
        return Err(not_an_address);
    }
    let unknown = |why: String| format!("`{host}` cannot be resolved: {why}");
    let found = name.to_socket_addrs().map_err(|error| unknown(error.to_string()))?;
    found.min_by_key(SocketAddr::is_ipv6).ok_or_else(|| unknown("it has no address".to_owned()))
}

/// The listener that a command asks: that of `--admin`, or else the one that [`ADMIN_VARIABLE`] gives the gateway, or
/// else the default one.
///
/// # Errors
/// The variable is not an address.
pub fn admin_address(flag: Option<SocketAddr>, variable: Option<&str>) -> Result<SocketAddr, String> {
    let address = match (flag, variable) {
        (Some(address), _) => address,
        (None, Some(text)) => parse_address(text).map_err(|error| format!("{ADMIN_VARIABLE}: {error}"))?,
        (None, None) => DEFAULT,
    };
    Ok(reachable(address))
}

/// A gateway that listens on all interfaces is asked by loopback.
fn reachable(address: SocketAddr) -> SocketAddr {
    let loopback = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(loopback, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_a_url_or_a_host_name() {
        for (argument, expected) in [
            ("127.0.0.1:8081", Ok("127.0.0.1:8081")),
            ("http://127.0.0.1:8081", Ok("127.0.0.1:8081")),
            ("http://[::1]:8081/", Ok("[::1]:8081")),
            ("https://127.0.0.1:8081", Err("plain HTTP")),
            ("http://127.0.0.1:8081/metrics", Err("not an address")),
            ("http://localhost:8081/", Ok("127.0.0.1:8081")),
            ("localhost:8081", Ok("127.0.0.1:8081")),
            ("localhost", Err("not an address")),
            ("no-such-host.invalid:8081", Err("`no-such-host.invalid` cannot be resolved")),
        ] {
            match (parse_admin(argument), expected) {
                (Ok(address), Ok(expected)) => assert_eq!(address.to_string(), expected, "{argument}"),
                (Err(error), Err(part)) => assert!(error.contains(part), "{argument}: {error}"),
                (parsed, _) => panic!("{argument}: {parsed:?}"),
            }
        }
    }

    #[test]
    fn the_flag_comes_before_the_variable_and_all_interfaces_are_asked_by_loopback() {
        let asked = |flag: Option<&str>, variable: Option<&str>| {
            admin_address(flag.map(|flag| flag.parse().unwrap()), variable).map(|address| address.to_string())
        };
        assert_eq!(asked(None, None).unwrap(), "127.0.0.1:8081");
        assert_eq!(asked(None, Some("0.0.0.0:9081")).unwrap(), "127.0.0.1:9081");
        assert_eq!(asked(None, Some("[::]:9081")).unwrap(), "[::1]:9081");
        assert_eq!(asked(Some("192.0.2.1:1"), Some("0.0.0.0:9081")).unwrap(), "192.0.2.1:1");
        assert!(asked(None, Some("8081")).unwrap_err().starts_with(ADMIN_VARIABLE));
    }
}
