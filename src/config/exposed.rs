//! Secrets in a file that every user of the machine can read.

use super::{Config, Proxy};
use std::{fs::File, os::unix::fs::PermissionsExt as _, path::Path};

const READ_BY_ALL: u32 = 0o004;

/// The feeds with a proxy whose password stands in the file, if all users of the machine can read it; each with the
/// file.
pub fn exposed_proxies<'a>(config: &'a Config, file: Option<&'a Path>) -> Vec<(&'a str, &'a Path)> {
    // The configuration has read the same file: a failure here would be a race.
    let is_exposed = |file: &&Path| {
        File::open(file).and_then(|file| file.metadata()).is_ok_and(|of| of.permissions().mode() & READ_BY_ALL != 0)
    };
    let Some(file) = file.filter(is_exposed) else { return Vec::new() };
    let exposes = |proxy: &Proxy| proxy.is_of_file && proxy.password.is_some();
    let feeds = config.feeds.iter().filter(|feed| feed.proxy.as_ref().is_some_and(exposes));
    feeds.map(|feed| (&*feed.name, file)).collect()
}
