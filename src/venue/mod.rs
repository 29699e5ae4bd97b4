//! The venues: a folder each, with the venue's [`Spec`] and its protocol.
//!
//! A venue says what to send and turns frames into updates. It does no I/O and reads no clock, so recorded frames are
//! enough to test it. Bytes that cannot be read are a counted [`DecodeError`]; they never end a feed. `config` reads
//! the specs, `feed` drives the protocols.

mod credentials;
mod decode_error;
mod error;
mod listed_symbol;
mod protocol;
mod script;
mod spec;
mod kit;

mod alpaca;
mod binance;
mod bitstamp;
mod bybit;
mod coinbase;
mod finnhub;
mod kraken;
mod massive;
mod okx;
mod replay;
mod sim;
mod tiingo;
mod twelvedata;

pub use credentials::{Credentials, CredentialsRule, Secret};
pub use decode_error::DecodeError;
pub use error::{NAME_BYTES_MAX, VenueError};
pub use kit::address::in_query;
pub use listed_symbol::ListedSymbol;
pub use protocol::{
    Batch, Change, Eviction, Failure, Message, Ping, Played, Request, Rules, Silence, SnapshotRequest, Venue,
};
pub use script::{Act, Script, ScriptedEvent};
pub use spec::{
    AssetClass, LocalServer, Options, Playback, Setup, SnapshotRule, Spec, Speed, StartServer, VenueOption,
};

/// All venues, in the order of the documentation. The first one needs neither a key nor a network: it serves feeds
/// that name no venue.
pub const VENUES: &[&Spec] = &[
    &sim::SPEC,
    &binance::SPEC,
    &binance::USDM,
    &bybit::SPOT,
    &bybit::LINEAR,
    &bybit::INVERSE,
    &coinbase::SPEC,
    &kraken::SPEC,
    &okx::SPEC,
    &bitstamp::SPEC,
    &alpaca::SPEC,
    &alpaca::COINS,
    &massive::SPEC,
    &finnhub::SPEC,
    &tiingo::SPEC,
    &twelvedata::SPEC,
    &replay::SPEC,
];

/// The venue of feeds that name none.
pub const DEFAULT: &Spec = VENUES[0];

/// The venue of this name.
pub fn find(name: &str) -> Option<&'static Spec> {
    VENUES.iter().copied().find(|spec| spec.name == name)
}

/// Checks that each symbol has a name at the venue, and no two the same.
///
/// # Errors
/// [`VenueError`] of the first symbol that does not fit.
pub fn check_names(spec: &Spec, symbols: &[ListedSymbol]) -> Result<(), VenueError> {
    kit::Names::new(spec, symbols).map(|_| ())
}

/// The venue's side of one connection.
///
/// # Errors
/// [`VenueError`] where the settings do not fit the venue.
pub fn new(spec: &'static Spec, setup: &Setup<'_>) -> Result<Box<dyn Venue>, VenueError> {
    if setup.symbols.len() > spec.symbols_per_connection {
        return Err(VenueError::TooManySymbols {
            count: setup.symbols.len(),
            per_connection: spec.symbols_per_connection,
            venue: spec.name,
        });
    }
    if let Some(url) = setup.url {
        (spec.check_url)(url)?;
    }
    (spec.new)(setup)
}

#[cfg(test)]
mod change_tests;
