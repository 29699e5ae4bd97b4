//! `proxy` of `[[feed]]`, and the variables that set a proxy for all programs.

use super::{
    environment::Variables,
    error::{Wrong, shown},
    names,
};
use crate::venue::Secret;
use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use std::net::IpAddr;

/// The longest address of a proxy.
const URL_LENGTH_MAX: usize = 2048;
/// The port of an address without one.
const PORT_DEFAULT: u16 = 80;

/// An HTTP proxy that a feed connects through, by `CONNECT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Without the brackets of an IPv6 address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The field `Proxy-Authorization`, where the address has a user.
    pub authorization: Option<Secret>,
    /// The password itself, so that it can be hidden wherever it appears.
    pub password: Option<Secret>,
    /// Whether the configuration file sets it, rather than a variable.
    pub is_of_file: bool,
}

impl Proxy {
    /// Its address, without the user.
    pub(super) fn url(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("http://[{host}]:{port}") } else { format!("http://{host}:{port}") }
    }

    /// What must never be shown, in every form in which it is sent.
    pub fn secrets(&self) -> impl Iterator<Item = Secret> {
        let token = self.authorization.as_ref().map(|field| Secret::new(field.expose().trim_start_matches("Basic ")));
        token.into_iter().chain(self.password.clone())
    }
}

/// An address such as `http://user:password@proxy.example.com:3128`. The error does not repeat it: it may hold a
/// password.
pub(super) fn read(text: &str) -> Result<Proxy, Wrong> {
    let wrong = |what: &str| Err(Wrong::new(what).help("write an address such as \"http://proxy.example.com:3128\""));
    if text.len() > URL_LENGTH_MAX {
        return wrong(&format!("the address of a proxy has at most {URL_LENGTH_MAX} characters"));
    }
    let found = Matcher::builder().all(text).build().intercept(&Uri::from_static("http://venue"));
    let Some(found) = found else {
        return wrong("this is not the address of an HTTP proxy");
    };
    if found.uri().scheme_str() != Some("http") {
        let kind = shown(found.uri().scheme_str().unwrap_or_default());
        return wrong(&format!("a proxy of the kind {kind}:// is not supported; http:// is, which speaks CONNECT"));
    }
    if names::has_wrong_port(found.uri()) {
        return wrong("the port of the proxy is not a number from 1 to 65535");
    }
    let Some(host) = found.uri().host().filter(|host| !host.is_empty()) else {
        return wrong("the address of the proxy has no host");
    };
    let authorization = found.basic_auth().and_then(|field| field.to_str().ok()).map(Secret::new);
    Ok(Proxy {
        host: without_brackets(host).to_owned(),
        port: found.uri().port_u16().unwrap_or(PORT_DEFAULT),
        authorization,
        password: password(text),
        is_of_file: false,
    })
}

fn password(text: &str) -> Option<Secret> {
    let (before, _) = text.rsplit_once('@')?;
    let user = before.split_once("://").map_or(before, |(_, rest)| rest);
    let (_, password) = user.split_once(':')?;
    let plain = percent_encoding::percent_decode_str(password).decode_utf8_lossy().into_owned();
    (!plain.is_empty()).then(|| Secret::new(plain))
}

/// The proxy that the environment sets for an address, by curl's conventions: the variable of its scheme, else the one
/// for all, lower case first, and none for what `no_proxy` lists. An address on this host needs no proxy. The
/// caller knows what overrides the variable.
pub(super) fn of_variables(url: &str, variables: &Variables) -> Result<Option<Proxy>, Wrong> {
    let Ok(uri) = url.parse::<Uri>() else { return Ok(None) };
    let Some(host) = uri.host() else { return Ok(None) };
    let names = match uri.scheme_str() {
        Some("wss" | "https") => ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        _ => ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
    };
    let Some((name, text)) = first_set(&names, variables) else { return Ok(None) };
    let exceptions = first_set(&["no_proxy", "NO_PROXY"], variables).map_or(String::new(), |(_, text)| text);
    let port = uri.port_u16().unwrap_or(if matches!(uri.scheme_str(), Some("wss" | "https")) { 443 } else { 80 });
    if is_this_host(host) || is_listed(host, port, &exceptions) {
        return Ok(None);
    }
    read(&text).map(Some).map_err(|wrong| wrong.in_front(&format!("the variable {name}: ")))
}

/// An empty variable counts as not set.
fn first_set<'a>(names: &[&'a str], variables: &Variables) -> Option<(&'a str, String)> {
    names.iter().find_map(|name| {
        let (_, value) = variables.iter().find(|(variable, _)| variable == *name)?;
        let value = value.to_string_lossy().trim().to_owned();
        (!value.is_empty()).then_some((*name, value))
    })
}

fn is_this_host(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || without_brackets(host).parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Entries are separated by commas or blanks: `*`, addresses, networks, and names with all below them. One with a port
/// counts for that port alone.
fn is_listed(host: &str, port: u16, exceptions: &str) -> bool {
    let entries = exceptions.split([',', ' ', '\t']).filter_map(|entry| without_port(entry, port));
    let entries = entries.map(|entry| entry.strip_prefix("*.").unwrap_or(entry).replace(['[', ']'], ""));
    let entries = entries.collect::<Vec<_>>().join(",");
    let Ok(address) = Uri::builder().scheme("http").authority(host).path_and_query("/").build() else { return false };
    Matcher::builder().all("http://proxy").no(entries).build().intercept(&address).is_none()
}

/// The entry without its port; nothing where that is another one. An IPv6 address has a port only behind brackets.
fn without_port(entry: &str, port: u16) -> Option<&str> {
    match entry.rsplit_once(':') {
        Some((host, digits)) if host.ends_with(']') || !host.contains(':') => {
            digits.parse().is_ok_and(|entrys: u16| entrys == port).then_some(host)
        }
        _ => Some(entry),
    }
}

fn without_brackets(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shows(text: &str) -> Result<(String, u16, Option<String>), Wrong> {
        let proxy = read(text)?;
        Ok((proxy.host, proxy.port, proxy.authorization.map(|field| field.expose().to_owned())))
    }

    #[test]
    fn a_proxy_is_an_http_address_with_or_without_a_user() {
        let basic = |token: &str| Some(format!("Basic {token}"));
        for (text, host, port, authorization) in [
            ("http://proxy.example.com:3128", "proxy.example.com", 3128, None),
            ("http://proxy.example.com/", "proxy.example.com", 80, None),
            ("proxy.example.com:3128", "proxy.example.com", 3128, None),
            ("HTTP://10.0.0.7:8080", "10.0.0.7", 8080, None),
            ("http://[fd00::7]:8080", "fd00::7", 8080, None),
            ("http://user:hush@proxy:1", "proxy", 1, basic("dXNlcjpodXNo")),
            ("http://user:h%40u%3Ash@proxy:1", "proxy", 1, basic("dXNlcjpoQHU6c2g=")),
            ("http://user@proxy:1", "proxy", 1, basic("dXNlcjo=")),
        ] {
            assert_eq!(shows(text), Ok((host.to_owned(), port, authorization)), "{text}");
        }
        for text in [
            "",
            "http://",
            "socks5://proxy:1080",
            "socks5h://u:hush@proxy:1080",
            "https://u:hush@proxy",
            "ftp://proxy",
            "http://pro xy:1",
            "http://u:hu sh@proxy:1",
            "http://proxy:99999",
            "http://proxy:0",
            "http://[fd00::7]:",
            &format!("http://{}", "a".repeat(URL_LENGTH_MAX)),
        ] {
            let wrong = read(text).expect_err(text).nowhere().to_string();
            assert!(wrong.contains("write an address such as") && !wrong.contains("hush"), "{text}: {wrong}");
        }
        let wrong = read("socks5://proxy:1080").unwrap_err().nowhere().to_string();
        assert!(wrong.starts_with("a proxy of the kind socks5:// is not supported; http:// is"), "{wrong}");
    }

    #[test]
    fn a_proxys_password_is_not_shown() {
        let proxy = read("http://user:h%40ush@proxy:1").unwrap();
        let debug = format!("{proxy:?}");
        let secrets: Vec<_> = proxy.secrets().map(|secret| secret.expose().to_owned()).collect();
        assert_eq!(secrets, ["dXNlcjpoQHVzaA==", "h@ush"]);
        assert!(secrets.iter().all(|secret| !debug.contains(secret)), "{debug}");
    }

    fn chosen(url: &str, variables: &[(&str, &str)]) -> Option<String> {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        of_variables(url, &variables).unwrap().map(|proxy| proxy.host)
    }

    #[test]
    fn the_environment_sets_a_proxy_by_the_conventions_of_curl() {
        let all = [("https_proxy", "http://a"), ("HTTPS_PROXY", "http://b"), ("all_proxy", "http://c")];
        for (url, variables, host) in [
            ("wss://venue.test", &all[..], Some("a")),
            ("wss://venue.test", &all[1..], Some("b")),
            ("wss://venue.test", &all[2..], Some("c")),
            ("ws://venue.test", &all, Some("c")),
            ("ws://venue.test", &[("HTTP_PROXY", "http://d")], Some("d")),
            ("ws://venue.test", &[("https_proxy", "http://a")], None),
            ("wss://venue.test", &[("http_proxy", "http://d")], None),
            ("wss://venue.test", &[("https_proxy", ""), ("HTTPS_PROXY", "b")], Some("b")),
            ("wss://venue.test", &[], None),
            ("wss://127.0.0.1:9", &all, None),
            ("wss://[::1]:9", &all, None),
            ("wss://localhost", &all, None),
            ("wss://10.0.0.7", &all, Some("a")),
            ("https://login.test/keys", &all, Some("a")),
            ("https://login.test/keys", &[("http_proxy", "http://d")], None),
        ] {
            assert_eq!(chosen(url, variables).as_deref(), host, "{url} {variables:?}");
        }
    }

    #[test]
    fn no_proxy_lists_names_addresses_and_networks() {
        for (host, exceptions, is_listed) in [
            ("venue.test", "venue.test", true),
            ("VENUE.test", "venue.TEST", true),
            ("eu.venue.test", "venue.test", true),
            ("eu.venue.test", ".venue.test", true),
            ("eu.venue.test", "*.venue.test", true),
            ("notvenue.test", "venue.test", false),
            ("venue.test.evil", "venue.test", false),
            ("venue.test", "other.test, venue.test", true),
            ("venue.test", "other.test venue.test", true),
            ("venue.test", "*", true),
            ("10.0.0.7", "10.0.0.0/8", true),
            ("10.0.0.7", "10.0.0.7", true),
            ("11.0.0.7", "10.0.0.0/8", false),
            ("[fd00::7]", "fd00::/8", true),
            ("[fd00::7]", "fd00::7", true),
            ("[fd00::7]", "[fd00::7]", true),
            ("[fd00::7]", "[fd00::7]:443", true),
            ("[fd00::7]", "[fd00::7]:80", false),
            ("[fd00::7]", "[fd00::]/8", true),
            ("[fd00::8]", "[fd00::7]", false),
            ("venue.test", "venue.test:443", true),
            ("venue.test", "venue.test:9443", false),
            ("venue.test:9443", "venue.test:9443", true),
            ("venue.test:9443", "venue.test", true),
            ("eu.venue.test", "*.venue.test:443", true),
            ("10.0.0.7", "10.0.0.7:443", true),
            ("10.0.0.7", "10.0.0.7:80", false),
            ("venue.test", "venue.test:", false),
            ("venue.test", "venue.test:99999", false),
            ("venue.test", ":443", false),
            ("venue.test", "", false),
            ("venue.test", ",,", false),
        ] {
            let variables = [("all_proxy", "http://proxy"), ("NO_PROXY", exceptions)];
            let found = chosen(&format!("wss://{host}/ws"), &variables);
            assert_eq!(found.is_none(), is_listed, "{host} in {exceptions:?}");
        }
        let lower_first = [("all_proxy", "http://proxy"), ("no_proxy", "a.test"), ("NO_PROXY", "venue.test")];
        assert!(chosen("wss://venue.test", &lower_first).is_some());
    }

    #[test]
    fn a_proxy_of_the_environment_that_is_not_supported_is_an_error_only_where_it_is_needed() {
        let variables = [("ALL_PROXY".into(), "socks5://u:hush@proxy:1080".into())];
        let wrong = of_variables("wss://venue.test", &variables).unwrap_err().nowhere().to_string();
        assert!(wrong.starts_with("the variable ALL_PROXY: a proxy of the kind socks5://"), "{wrong}");
        assert!(!wrong.contains("hush"), "{wrong}");
        assert_eq!(of_variables("ws://127.0.0.1:9", &variables), Ok(None));
    }
}
