//! How a feed's connections leave: `proxy` and `ca_file` of `[[feed]]`, and the variables for proxies.

use super::{
    Feed,
    ca_file::{self, CaFile},
    environment::Variables,
    error::{Wrong, Wrongs},
    proxy::{self, Proxy},
    value::text,
};
use crate::venue::{self, Setup};
use std::ops::Range;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Reads the keys of a feed.
pub(super) fn read(fields: &DeTable<'_>) -> Result<(Option<Proxy>, Option<CaFile>), Wrong> {
    let mut wrongs = Wrongs::default();
    let proxy = wrongs.take(fields.get("proxy").map(read_proxy).transpose());
    let ca_file = wrongs.take(fields.get("ca_file").map(read_ca_file).transpose());
    wrongs.value(proxy.zip(ca_file))
}

fn read_proxy(value: &Spanned<DeValue<'_>>) -> Result<Proxy, Wrong> {
    let address = text("proxy", value, "http://proxy.example.com:3128")?;
    // Its line may hold a password.
    let proxy = proxy::read(address).map_err(|wrong| wrong.at(value.span()).without_line())?;
    Ok(Proxy { is_of_file: true, ..proxy })
}

fn read_ca_file(value: &Spanned<DeValue<'_>>) -> Result<CaFile, Wrong> {
    let path = text("ca_file", value, "/etc/ssl/private-ca.pem")?;
    ca_file::read(path, "the working directory of the process").map_err(|wrong| wrong.at(value.span()))
}

/// Checks both keys against the feed's address. Where `proxy` is not set, the variables may set one.
pub(super) fn check(
    feed: &mut Feed,
    fields: &DeTable<'_>,
    table: Range<usize>,
    variables: &Variables,
) -> Result<(), Wrong> {
    let place = |name: &str| fields.get(name).map_or(table.clone(), Spanned::span);
    let runs_its_server = feed.url.is_none() && feed.venue.local_server.is_some();
    if feed.ca_file.is_some() && (runs_its_server || feed.url.as_ref().is_some_and(|url| url.starts_with("ws://"))) {
        return Err(Wrong::new("`ca_file` is set, but the feed connects without TLS")
            .help("remove it, or set a `url` that begins with wss://")
            .at(place("ca_file")));
    }
    if feed.proxy.is_some() && runs_its_server {
        return Err(Wrong::new("`proxy` is set, but the feed runs its own server in this process")
            .help("remove it, or set `url`")
            .at(place("proxy"))
            .without_line());
    }
    if feed.proxy.is_some() || runs_its_server {
        return Ok(());
    }
    // One symbol is enough for an address. Settings that the venue does not take are reported at its start.
    let symbols = &feed.symbols[..feed.symbols.len().min(1)];
    let setup = Setup { url: feed.url.as_deref(), symbols, credentials: feed.credentials.as_ref(), playback: None };
    if let Ok(venue) = venue::new(feed.venue, &setup) {
        let overrides = "`proxy` of the feed, or NO_PROXY, overrides it";
        feed.proxy = proxy::of_variables(venue.url(), variables).map_err(|wrong| wrong.help(overrides).at(table))?;
    }
    Ok(())
}
