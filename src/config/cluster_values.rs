//! The strings with a form in `[cluster]`: the names of the cluster and of a node, the addresses of brokers.

use super::{
    error::{Wrong, shown},
    names,
};
use http::Uri;

/// The longest name of a cluster.
const NAME_LENGTH_MAX: usize = 32;
/// The longest name of a node.
const NODE_LENGTH_MAX: usize = 64;
/// The longest address of a broker.
const SERVER_LENGTH_MAX: usize = 512;
/// The longest name of a variable.
const VARIABLE_LENGTH_MAX: usize = 64;

/// A cluster's name, `[a-z0-9-]{1,32}`; it may be empty until all of the configuration is read.
pub(super) fn name(text: &str) -> Result<String, Wrong> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.len() <= NAME_LENGTH_MAX && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("`{}` is not a name for a cluster", shown(text)))
        .help(format!("a name has 1 to {NAME_LENGTH_MAX} characters of a-z, 0-9 and '-'")))
}

/// A node's name, `[A-Za-z0-9_-]{1,64}`; an empty one is the host's.
pub(super) fn node(text: &str) -> Result<String, Wrong> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if text.len() <= NODE_LENGTH_MAX && text.bytes().all(plain) {
        return Ok(text.to_owned());
    }
    Err(Wrong::new(format!("`{}` is not a name for a node", shown(text)))
        .help(format!("a name has 1 to {NODE_LENGTH_MAX} letters, digits, '_' and '-'")))
}

/// The address of a broker. The error does not repeat it: it may hold a password.
pub(super) fn server(text: &str) -> Result<String, Wrong> {
    let wrong = |what: &str| {
        Wrong::new(what).help("write an address such as \"tls://n1.example.com:4222\" or \"nats://127.0.0.1:4222\"")
    };
    let Some(address) = text.parse::<Uri>().ok().filter(|_| text.len() <= SERVER_LENGTH_MAX) else {
        return Err(wrong("this is not the address of a broker").without_line());
    };
    if address.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(wrong("a broker's address must not hold a user or a token")
            .help("name them in user_env and password_env, in token_env, or in credentials_file")
            .without_line());
    }
    match address.scheme_str() {
        Some("nats" | "tls") => {}
        Some(other) => {
            return Err(wrong(&format!("a broker of the kind {}:// is not supported", shown(other))).without_line());
        }
        None => return Err(wrong("the address of a broker begins with nats:// or tls://").without_line()),
    }
    if address.host().is_none_or(str::is_empty) || names::has_wrong_port(&address) {
        return Err(wrong("the address of a broker has a host, and a port from 1 to 65535").without_line());
    }
    if !matches!(address.path(), "" | "/") || address.query().is_some() {
        return Err(wrong("the address of a broker has neither a path nor a query").without_line());
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// The name of a variable, or an empty string for none.
pub(super) fn variable(text: &str) -> Result<String, Wrong> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_name = text.len() <= VARIABLE_LENGTH_MAX
        && text.bytes().all(plain)
        && !text.starts_with(|first: char| first.is_ascii_digit());
    if is_name {
        return Ok(text.to_owned());
    }
    // Perhaps it is the secret itself: then the line must not be shown.
    Err(Wrong::new("this is not the name of a variable")
        .help("write the name of the variable that holds the secret, never the secret itself")
        .without_line())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::names::NodeName;

    fn wrong(result: Result<String, Wrong>) -> String {
        result.unwrap_err().nowhere().to_string()
    }

    #[test]
    fn names_are_parts_of_subjects() {
        for (text, is_name) in [("prod", true), ("eu-1", true), (&"a".repeat(32), true), (&"a".repeat(33), false)] {
            assert_eq!(name(text).is_ok(), is_name, "{text}");
        }
        for text in ["Prod", "eu.1", "eu 1", "eu_1", "eu>", "é"] {
            assert!(wrong(name(text)).contains("a-z, 0-9 and '-'"), "{text}");
        }
        for text in ["gw-1", "GW_1", &"a".repeat(64), &"a".repeat(65), "gw.example", "gw 1", "gw>", "gw*", "gé"] {
            assert_eq!(node(text).is_ok(), text.parse::<NodeName>().is_ok(), "{text}");
        }
    }

    #[test]
    fn a_broker_has_an_address_without_secrets() {
        for (text, address) in [
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
            ("tls://n1.example.com", "tls://n1.example.com"),
            ("tls://[fd00::7]:4222/", "tls://[fd00::7]:4222"),
        ] {
            assert_eq!(server(text).unwrap(), address);
        }
        for (text, what) in [
            ("", "this is not the address"),
            ("n1:4222", "begins with nats:// or tls://"),
            ("n1", "begins with nats:// or tls://"),
            ("wss://n1:443", "of the kind wss:// is not supported"),
            ("nats://user:hush@n1:4222", "must not hold a user or a token"),
            ("nats://hush@n1:4222", "must not hold a user or a token"),
            ("nats://n1:0", "a port from 1 to 65535"),
            ("nats://n1:99999", "a port from 1 to 65535"),
            ("nats://n1:4222/hush", "neither a path nor a query"),
            ("nats://n1:4222?hush", "neither a path nor a query"),
            (&format!("nats://{}", "a".repeat(SERVER_LENGTH_MAX)), "this is not the address"),
        ] {
            let error = wrong(server(text));
            assert!(error.contains(what) && !error.contains("hush"), "{text}: {error}");
        }
    }

    #[test]
    fn a_variable_is_named_and_not_its_value() {
        assert_eq!((variable("").unwrap(), variable("NATS_TOKEN").unwrap()), (String::new(), "NATS_TOKEN".to_owned()));
        for text in ["hu-sh", "1HUSH", "hush!", &"H".repeat(65)] {
            assert!(!wrong(variable(text)).to_lowercase().contains("hush"), "{text}");
        }
    }
}
