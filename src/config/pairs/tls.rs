//! The listener for https beside the others, and its limits beside theirs.

use super::{Found, counts::unreachable, found};
use crate::{
    config::{Config, Machine},
    tls::Certificate,
};
use std::net::SocketAddr;

pub(super) fn listeners(config: &Config, _: &Machine) -> Option<Found> {
    let listen = config.tls.as_ref()?.listen;
    let others = [("listen", config.server.listen), ("admin_listen", config.server.admin_listen)];
    let (name, other) = others.into_iter().find(|(_, other)| meet(listen, *other))?;
    found(
        format!("`tls.listen` ({listen}) and `{name}` ({other}) meet"),
        "http, https and operators need different listeners; change one of the ports",
    )
}

/// Whether two listeners want the same port of an interface.
fn meet(one: SocketAddr, other: SocketAddr) -> bool {
    let same_interface = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_interface
}

pub(super) fn handshakes(config: &Config, _: &Machine) -> Option<Found> {
    let handshakes = config.tls.as_ref()?.handshakes;
    let connections = config.limits.connections;
    (handshakes > connections).then(|| unreachable("handshakes", handshakes, "connections", connections))
}

pub(super) fn h2_streams(config: &Config, _: &Machine) -> Option<Found> {
    let h2_streams = config.tls.as_ref()?.h2_streams;
    let per_address = config.limits.streams_per_address;
    (per_address > 0 && h2_streams > per_address)
        .then(|| unreachable("h2_streams", h2_streams, "streams_per_address", per_address))
}

pub(super) fn hosts(config: &Config, _: &Machine) -> Option<Found> {
    let hosts = &config.server.hosts;
    let is_reached = |certificate: &Certificate| {
        !certificate.addresses.is_empty() || certificate.names.iter().any(|name| is_answered(name, hosts))
    };
    let certificate = config.tls.as_ref()?.loaded.all().iter().find(|certificate| !is_reached(certificate))?;
    let name = certificate.name();
    found(
        format!("`hosts` lists no name of the certificate {} of `certificates`", certificate.files.chain.display()),
        format!("a request for another name than those of `hosts` is answered 421; add it: hosts = [\"{name}\"]"),
    )
}

/// Whether requests for a name of a certificate, or for one below its wildcard, are answered.
fn is_answered(name: &str, hosts: &[String]) -> bool {
    let parent = name.strip_prefix("*.");
    name == "localhost"
        || hosts.iter().any(|host| match host.strip_prefix('*') {
            Some(below) => name.ends_with(below),
            None => host == name || parent.is_some_and(|parent| host.split_once('.').is_some_and(|it| it.1 == parent)),
        })
}

pub(super) fn keys(config: &Config, _: &Machine) -> Option<Found> {
    let certificate = config.tls.as_ref()?.loaded.all().iter().find(|certificate| certificate.key_is_public)?;
    let key = certificate.files.key.display();
    found(
        format!("every user of this machine can read the private key {key} of `certificates`"),
        format!("take that away: chmod o-r {key}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_certificate_is_answered_if_hosts_has_it() {
        let hosts = |listed: &[&str]| listed.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>();
        for (name, listed) in [
            ("localhost", &[][..]),
            ("a.example.com", &["b.example", "a.example.com"]),
            ("a.example.com", &["*.example.com"]),
            ("b.a.example.com", &["*.example.com"]),
            ("*.example.com", &["a.example.com"]),
            ("*.example.com", &["*.example.com"]),
            ("*.a.example.com", &["*.example.com"]),
        ] {
            assert!(is_answered(name, &hosts(listed)), "{name} {listed:?}");
        }
        for (name, listed) in [
            ("a.example.com", &[][..]),
            ("a.example.com", &["example.com", "b.example.com"]),
            ("example.com", &["*.example.com"]),
            ("*.example.com", &["example.com", "b.a.example.com"]),
            ("*.localhost", &[]),
        ] {
            assert!(!is_answered(name, &hosts(listed)), "{name} {listed:?}");
        }
    }
}
