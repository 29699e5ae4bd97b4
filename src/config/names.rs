//! The strings with a form in `[server]` and `[[feed]]`: hosts, origins, networks, feed names, addresses of venues.

use super::error::{Wrong, shown};
use http::{HeaderName, Uri, header};
use ipnet::IpNet;
use std::net::IpAddr;

/// The longest name of a host, by DNS.
const HOST_LENGTH_MAX: usize = 253;
/// The longest name of a feed: it is a label of metrics.
const FEED_NAME_LENGTH_MAX: usize = 32;
/// The longest name of a header that is configured.
const HEADER_LENGTH_MAX: usize = 64;
/// The longest address of a venue.
const URL_LENGTH_MAX: usize = 2048;

/// A host as a client names it, without port and final dot, in lower case; or `*.example.com` for every name below.
pub(super) fn host_pattern(text: &str) -> Result<String, Wrong> {
    let Some(parent) = wildcard(text)? else { return host(text) };
    Ok(format!("*.{}", host(parent)?))
}

/// The name behind `*.`. A `*` stands for whole labels at the start, below a name of two labels at least: a wider
/// pattern would take in names of others.
fn wildcard(text: &str) -> Result<Option<&str>, Wrong> {
    if !text.contains('*') {
        return Ok(None);
    }
    let wrong = |help: &str| Err(Wrong::new(format!("`{}` is not a pattern of names", shown(text))).help(help));
    let Some(parent) = text.strip_prefix("*.").filter(|parent| !parent.contains('*')) else {
        return match text {
            "*" => wrong(
                "a site that points its own name here (DNS rebinding) would pass; write the names, such as \"ticks.example.com\" or \"*.example.com\"",
            ),
            _ => wrong("`*` stands for whole labels at the start: \"*.example.com\""),
        };
    };
    let labels = parent.strip_suffix('.').unwrap_or(parent).split('.').filter(|label| !label.is_empty());
    match labels.count() {
        0 | 1 => wrong("names of others would match; name a domain of yours, such as \"*.example.com\""),
        _ => Ok(Some(parent)),
    }
}

fn host(text: &str) -> Result<String, Wrong> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if !text.is_empty() && text.len() <= HOST_LENGTH_MAX && text.bytes().all(plain) && !text.starts_with('.') {
        return Ok(text.to_ascii_lowercase());
    }
    let wrong = Wrong::new(format!("`{}` is not a host name", shown(text)));
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
    let bare = bare.split(['/', ':']).next().unwrap_or_default();
    if bare != text && host(bare).is_ok() {
        return Err(wrong.help(format!("write the name alone, without scheme, port and path: \"{bare}\"")));
    }
    Err(wrong.help("write a name as in a URL, such as \"ticks.example.com\""))
}

/// An origin as a browser sends it, in lower case, or `*`.
pub(super) fn origin(text: &str) -> Result<String, Wrong> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    let lower = text.to_ascii_lowercase();
    let wrong = |help: String| Wrong::new(format!("`{}` is not an origin", shown(text))).help(help);
    let example = || {
        wrong("write a scheme, a host and, unless it is the default, a port, such as \"https://app.example.com\" or \"http://localhost:8000\", or \"*\" for all".to_owned())
    };
    let is_origin = |text: &str| origin(text).is_ok();
    let Some((scheme, authority)) = lower.split_once("://") else {
        let names_host = lower.contains(['.', ':']) && is_origin(&format!("https://{lower}"));
        let named = format!("write its scheme too: \"https://{lower}\" or \"http://{lower}\"");
        return Err(if names_host { wrong(named) } else { example() });
    };
    let scheme_ok = scheme.starts_with(|c: char| c.is_ascii_lowercase())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let (name, port) = split_port(authority);
    // Origins are compared as strings: one that no browser sends would never match.
    let bare = authority.split_once('/').map(|(bare, _)| format!("{scheme}://{bare}"));
    if let Some(bare) = bare.filter(|bare| is_origin(bare)) {
        return Err(wrong(format!("an origin has no path; write \"{bare}\"")));
    }
    if matches!((scheme, port), ("https", Some("443")) | ("http", Some("80"))) {
        return Err(wrong(format!("browsers omit the default port; write \"{scheme}://{name}\"")));
    }
    let port_ok = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number.to_string() == port));
    let name = &name_of_origin(name)?;
    let name_ok = host(name).is_ok() || name.parse::<std::net::Ipv6Addr>().is_ok() || is_bracketed_v6(name);
    if scheme_ok && port_ok && name_ok { Ok(lower) } else { Err(example()) }
}

/// The name of a header that may be shown to operators.
pub(super) fn header(text: &str) -> Result<HeaderName, Wrong> {
    let name = HeaderName::try_from(text).ok().filter(|name| name.as_str().len() <= HEADER_LENGTH_MAX);
    let name = name.ok_or_else(|| {
        Wrong::new(format!("`{}` is not the name of a header", shown(text)))
            .help("write the name alone, such as \"x-client-id\"")
    })?;
    if [header::AUTHORIZATION, header::PROXY_AUTHORIZATION, header::COOKIE].contains(&name) {
        return Err(Wrong::new(format!("`{name}` carries secrets, which must not appear in logs"))
            .help("let a proxy write the client's name into a header of its own, such as \"x-client-id\""));
    }
    Ok(name)
}

/// The name of an origin; for `*.example.com` the part behind the `*`.
fn name_of_origin(name: &str) -> Result<String, Wrong> {
    if name == "*" {
        return Err(Wrong::new("an origin with any name would be any origin")
            .help("write \"*\" alone for all, or a domain of yours, such as \"https://*.example.com\""));
    }
    Ok(wildcard(name)?.unwrap_or(name).to_owned())
}

/// An IP address or a network.
pub(super) fn net(text: &str) -> Result<IpNet, Wrong> {
    let wrong = || Wrong::new(format!("`{}` is neither an IP address nor a network", shown(text)));
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let net = address.or_else(|_| text.parse::<IpNet>()).map_err(|_| {
        wrong().help("write an address, such as \"10.0.0.7\" or \"fd00::7\", or a network, such as \"10.0.0.0/8\"")
    })?;
    if net.trunc() != net {
        return Err(Wrong::new(format!("`{}` is neither a network nor an address", shown(text))).help(format!(
            "write the network, \"{}\", or the address, \"{}\"",
            net.trunc(),
            net.addr()
        )));
    }
    // An IPv4 client of a listener on all interfaces has such an address, and is treated as IPv4.
    if let IpAddr::V6(v6) = net.addr()
        && let Some(v4) = v6.to_ipv4_mapped()
    {
        return Err(Wrong::new(format!("`{}` is an IPv4 address in IPv6 form", shown(text)))
            .help(format!("write it as IPv4: \"{v4}\"")));
    }
    Ok(net)
}

/// A feed's name, `[a-z0-9-]{1,32}`.
pub(super) fn feed(text: &str) -> Result<String, Wrong> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if (1..=FEED_NAME_LENGTH_MAX).contains(&text.len()) && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("`{}` is not a name for a feed", shown(text)))
        .help(format!("a name has 1 to {FEED_NAME_LENGTH_MAX} characters of a-z, 0-9 and '-'")))
}

/// The address of a venue, `ws://` or `wss://`.
pub(super) fn url(text: &str) -> Result<String, Wrong> {
    let wrong = |help: &str| Err(Wrong::new("this is not the address of a websocket".to_owned()).help(help));
    if text.len() > URL_LENGTH_MAX {
        return wrong(&format!("an address has at most {URL_LENGTH_MAX} characters"));
    }
    let Ok(uri) = text.parse::<Uri>() else {
        return wrong("write an address such as \"wss://stream.example.com/path\"");
    };
    if has_wrong_port(&uri) {
        return wrong("a port is a number from 1 to 65535");
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return wrong("remove the part before the @: a feed logs in with its first messages, not with its address");
    }
    match (uri.scheme_str(), uri.host()) {
        (Some("ws" | "wss"), Some(host)) if !host.is_empty() => Ok(text.to_owned()),
        (Some("http" | "https"), _) => wrong("write \"wss://\", or \"ws://\" without TLS"),
        _ => wrong("write it with its scheme, such as \"wss://stream.example.com/path\""),
    }
}

/// Whether an address has a port that is not one. `Uri` accepts it, and then says that there is none.
pub(super) fn has_wrong_port(uri: &Uri) -> bool {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let has_port = authority.rsplit(['@', ']']).next().unwrap_or_default().contains(':');
    has_port && uri.port_u16().is_none_or(|port| port == 0)
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (authority, None),
    }
}

fn is_bracketed_v6(name: &str) -> bool {
    let inner = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_domain_of_ones_own() {
        for (text, read) in [
            ("*.Example.com", "*.example.com"),
            ("*.a.example.com.", "*.a.example.com"),
            ("ticks.example.com.", "ticks.example.com"),
        ] {
            assert_eq!(host_pattern(text).ok().as_deref(), Some(read));
            let origin_of = format!("https://{}", read);
            assert_eq!(origin(&origin_of).ok(), Some(origin_of));
        }
        assert!(origin("https://*.example.com:8443").is_ok());
        for bad in [
            "*",
            "*.",
            "*.com",
            "*.com.",
            "*..com",
            "*.*.com",
            "a.*.com",
            "*a.example.com",
            "**.example.com",
            "*.example.com:80",
            "*example.com",
            "*.a_b c.d",
        ] {
            assert!(host_pattern(bad).is_err(), "{bad}");
            assert!(bad.ends_with(":80") || origin(&format!("https://{bad}")).is_err(), "{bad}");
        }
    }

    #[test]
    fn hosts_are_names_without_port() {
        assert_eq!(host("Ticks.Example.com").ok().as_deref(), Some("ticks.example.com"));
        for bad in ["", "a:80", "https://a", "a/b", "a b", "*", ".a", "é", &"a".repeat(254)] {
            assert!(host(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn origins_are_what_a_browser_sends() {
        for good in [
            "*",
            "https://a.example",
            "http://localhost:3000",
            "capacitor://localhost",
            "http://[::1]:8080",
            "http://127.0.0.1",
        ] {
            assert_eq!(origin(good).ok().as_deref(), Some(good));
        }
        for bad in [
            "",
            "a.example",
            "https://",
            "https://a/",
            "https://a/b",
            "https://a:443",
            "http://a:80",
            "http://a:080",
            "http://a:x",
            "null",
            "http://a\r\nx: y",
            "http://*.a",
            "http://u@a",
        ] {
            assert!(origin(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_nearly_an_origin_is_told_what_to_write() {
        for (bad, help) in [
            ("http://localhost:8000/", "an origin has no path; write \"http://localhost:8000\""),
            ("https://App.example/a/b", "an origin has no path; write \"https://app.example\""),
            ("https://*.example.com/", "an origin has no path; write \"https://*.example.com\""),
            ("localhost:8000", "write its scheme too: \"https://localhost:8000\" or \"http://localhost:8000\""),
            ("app.example.com", "write its scheme too: \"https://app.example.com\" or \"http://app.example.com\""),
            ("null", "write a scheme, a host and, unless it is the default, a port, such as"),
            ("http://a:x/", "write a scheme, a host and, unless it is the default, a port, such as"),
        ] {
            let said = format!("{:?}", origin(bad).unwrap_err());
            assert!(said.contains(format!("{help:?}").trim_matches('"')), "{bad}: {said}");
        }
    }

    #[test]
    fn nets_are_addresses_or_begin_with_their_first() {
        for (text, read) in [
            ("10.0.0.7", "10.0.0.7/32"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("fd00::7", "fd00::7/128"),
            ("FD00::/8", "fd00::/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            assert_eq!(net(text).ok().map(|net| net.to_string()).as_deref(), Some(read), "{text}");
        }
        for bad in
            ["", "localhost", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.7:80", "[::1]", "::ffff:10.0.0.7", "10.0.0.0/8 "]
        {
            assert!(net(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn venues_are_reached_by_websocket() {
        for good in ["ws://127.0.0.1:9000", "wss://stream.example.com/a?b=c", "ws://[::1]:9000/"] {
            assert!(url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "stream.example.com",
            "https://a",
            "wss://",
            "/path",
            "wss://a b",
            "ftp://a",
            "wss://a:99999",
            "wss://a:0",
            "wss://[::1]:",
            &format!("wss://{}", "a".repeat(2048)),
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
