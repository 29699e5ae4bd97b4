//! What venues share: names, addresses, readers of fields, subscriptions, heartbeats.

pub(super) mod address;
pub(super) mod facts;
pub(super) mod frame_count;

pub(super) mod list;
mod names;
pub(super) mod object;
pub(super) mod raw;
pub(super) mod record;
mod rfc3339;
pub(super) mod scan;
mod several;
mod subscription;
mod time_unit;

pub(super) use names::Names;
pub(super) use several::read_each;
pub(super) use subscription::{Aim, Form, Subscription};

use crate::market::Symbol;

/// The name of a stock of the United States, which is its symbol: `BRK.B`. A symbol with other separators is not one.
pub(super) fn stock(symbol: &Symbol) -> Option<String> {
    let symbol = symbol.as_str();
    (!symbol.contains(['-', '_'])).then(|| symbol.to_owned())
}

#[cfg(test)]
mod testing;
#[cfg(test)]
pub(super) use testing::{CONDITIONS, Given, Moves};
