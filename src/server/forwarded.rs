//! The client that a request comes from, behind trusted proxies.

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// Each proxy appends the address that connected to it. Read from the right, everything behind the first untrusted
/// address may be forged.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client of a request that came from `peer`: the nearest address on its way that is not a trusted proxy. A
/// malformed entry ends the way at the last good address.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut way = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',').map(parse));
    let mut client = peer.to_canonical();
    while is_trusted(client, trusted)
        && let Some(Some(before)) = way.next()
    {
        client = before;
    }
    client
}

/// Whether an address is that of a trusted proxy.
pub(super) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|net| net.contains(&address.to_canonical()))
}

/// Parses an address, also in brackets or with a port, as some proxies write it. An IPv4 address mapped into IPv6
/// becomes IPv4.
fn parse(entry: &str) -> Option<IpAddr> {
    let entry = entry.trim();
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let address = bare.parse().ok().or_else(|| entry.parse().ok().map(|with_port: SocketAddr| with_port.ip()))?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn check(peer: &str, lines: &[&[u8]], trusted: &[&str], expected: &str) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, HeaderValue::from_bytes(line).unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        let found = client(peer.parse().unwrap(), &headers, &trusted);
        assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer}, {lines:?}, {trusted:?}");
    }

    #[test]
    fn the_client_is_the_rightmost_address_that_is_not_a_trusted_proxy() {
        const INSIDE: &[&str] = &["10.0.0.0/8", "127.0.0.1/32", "fd00::/8"];
        for (peer, lines, trusted, expected) in [
            // This peer is not a trusted proxy: the header does not count.
            ("192.0.2.1", &[][..], &[][..], "192.0.2.1"),
            ("192.0.2.1", &[&b"198.51.100.1"[..]], &[], "192.0.2.1"),
            ("192.0.2.1", &[b"198.51.100.1"], INSIDE, "192.0.2.1"),
            ("11.0.0.1", &[b"198.51.100.1"], INSIDE, "11.0.0.1"),
            // One proxy or several; an entry that the client forged is left of those that they appended.
            ("127.0.0.1", &[b"198.51.100.1"], INSIDE, "198.51.100.1"),
            ("10.1.2.3", &[b"1.1.1.1, 198.51.100.1"], INSIDE, "198.51.100.1"),
            ("10.1.2.3", &[b"1.1.1.1,198.51.100.1 , 10.9.9.9"], INSIDE, "198.51.100.1"),
            ("10.1.2.3", &[b"1.1.1.1", b"198.51.100.1", b"10.9.9.9"], INSIDE, "198.51.100.1"),
            // Only proxies, or no header: the farthest known address.
            ("10.1.2.3", &[], INSIDE, "10.1.2.3"),
            ("10.1.2.3", &[b"10.0.0.2, 10.0.0.3"], INSIDE, "10.0.0.2"),
            // Malformed: the last good address.
            ("10.1.2.3", &[b""], INSIDE, "10.1.2.3"),
            ("10.1.2.3", &[b"unknown"], INSIDE, "10.1.2.3"),
            ("10.1.2.3", &[b"198.51.100.1, _hidden"], INSIDE, "10.1.2.3"),
            ("10.1.2.3", &[b"198.51.100.1, 10.0.0.2, 10.0.0.3,"], INSIDE, "10.1.2.3"),
            ("10.1.2.3", &[b"198.51.100.1, x, 10.0.0.3"], INSIDE, "10.0.0.3"),
            ("10.1.2.3", &[b"198.51.100.1", b"\xff\xfe"], INSIDE, "10.1.2.3"),
            ("10.1.2.3", &[b"198.51.100.1%0d%0a"], INSIDE, "10.1.2.3"),
            ("10.1.2.3", &[b"198.51.100.999"], INSIDE, "10.1.2.3"),
            // The forms of an address.
            ("10.1.2.3", &[b"198.51.100.1:4711"], INSIDE, "198.51.100.1"),
            ("10.1.2.3", &[b"::ffff:198.51.100.1"], INSIDE, "198.51.100.1"),
            ("::ffff:10.1.2.3", &[b"198.51.100.1"], INSIDE, "198.51.100.1"),
            ("10.1.2.3", &[b"198.51.100.1, ::ffff:10.0.0.3"], INSIDE, "198.51.100.1"),
            ("fd00::1", &[b"2001:db8::1"], INSIDE, "2001:db8::1"),
            ("fd00::1", &[b"[2001:db8::1]"], INSIDE, "2001:db8::1"),
            ("fd00::1", &[b"[2001:db8::1]:4711"], INSIDE, "2001:db8::1"),
        ] {
            check(peer, lines, trusted, expected);
        }
    }
}
