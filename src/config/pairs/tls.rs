//! The listener for https beside the others, and its limits beside theirs.

use super::{Found, counts::unreachable, found};
use crate::config::{Config, Machine};
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
