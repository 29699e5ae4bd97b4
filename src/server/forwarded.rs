//! Which client a request comes from, where proxies stand in between.

use crate::limits::ClientAddress;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

/// Each proxy appends the address that it was reached from; what stands left of the first untrusted one, anybody may have written.
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The client of a request that came from `peer`: the nearest address on its way that is no trusted proxy. What is no address
/// ends the way at the last good one.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> ClientAddress {
    let is_proxy = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut way = lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',').map(read));
    let mut client = peer.to_canonical();
    while is_proxy(client)
        && let Some(Some(before)) = way.next()
    {
        client = before;
    }
    client.into()
}

/// An address, in brackets and with a port as some proxies write it. An IPv4 address that is mapped into IPv6 is one of IPv4.
fn read(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse().ok().map(|socket: SocketAddr| socket.ip()))?;
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
        assert_eq!(found, expected.parse::<IpAddr>().unwrap().into(), "{peer}, {lines:?}, {trusted:?}");
    }

    #[test]
    fn it_is_the_rightmost_address_that_is_no_trusted_proxy() {
        const INSIDE: &[&str] = &["10.0.0.0/8", "127.0.0.1/32", "fd00::/8"];
        for (peer, lines, trusted, expected) in [
            // Nobody is trusted, or not this peer: it may write what it likes.
            ("192.0.2.1", &[][..], &[][..], "192.0.2.1"),
            ("192.0.2.1", &[&b"198.51.100.1"[..]], &[], "192.0.2.1"),
            ("192.0.2.1", &[b"198.51.100.1"], INSIDE, "192.0.2.1"),
            ("11.0.0.1", &[b"198.51.100.1"], INSIDE, "11.0.0.1"),
            // One proxy, or several; what the client itself wrote stands left of what they found.
            ("127.0.0.1", &[b"198.51.100.1"], INSIDE, "198.51.100.1"),
            ("10.1.2.3", &[b"1.1.1.1, 198.51.100.1"], INSIDE, "198.51.100.1"),
            ("10.1.2.3", &[b"1.1.1.1,198.51.100.1 , 10.9.9.9"], INSIDE, "198.51.100.1"),
            ("10.1.2.3", &[b"1.1.1.1", b"198.51.100.1", b"10.9.9.9"], INSIDE, "198.51.100.1"),
            // All of them are proxies, or there is no header: the farthest that is known.
            ("10.1.2.3", &[], INSIDE, "10.1.2.3"),
            ("10.1.2.3", &[b"10.0.0.2, 10.0.0.3"], INSIDE, "10.0.0.2"),
            // Malformed: the last good one.
            ("10.1.2.3", &[b""], INSIDE, "10.1.2.3"),
            ("10.1.2.3", &[b"unknown"], INSIDE, "10.1.2.3"),
            ("10.1.2.3", &[b"198.51.100.1, _hidden"], INSIDE, "10.1.2.3"),
            ("10.1.2.3", &[b"198.51.100.1, 10.0.0.2, 10.0.0.3,"], INSIDE, "10.1.2.3"),
            ("10.1.2.3", &[b"198.51.100.1, x, 10.0.0.3"], INSIDE, "10.0.0.3"),
            ("10.1.2.3", &[b"198.51.100.1", b"\xff\xfe"], INSIDE, "10.1.2.3"),
            ("10.1.2.3", &[b"198.51.100.1%0d%0a"], INSIDE, "10.1.2.3"),
            ("10.1.2.3", &[b"198.51.100.999"], INSIDE, "10.1.2.3"),
            // Forms of an address.
            ("10.1.2.3", &[b"198.51.100.1:4711"], INSIDE, "198.51.100.1"),
            ("10.1.2.3", &[b"::ffff:198.51.100.1"], INSIDE, "198.51.100.1"),
            ("::ffff:10.1.2.3", &[b"198.51.100.1"], INSIDE, "198.51.100.1"),
            ("10.1.2.3", &[b"198.51.100.1, ::ffff:10.0.0.3"], INSIDE, "198.51.100.1"),
            ("fd00::1", &[b"2001:db8::1"], INSIDE, "2001:db8::"),
            ("fd00::1", &[b"[2001:db8::1]"], INSIDE, "2001:db8::"),
            ("fd00::1", &[b"[2001:db8::1]:4711"], INSIDE, "2001:db8::"),
        ] {
            check(peer, lines, trusted, expected);
        }
    }
}
