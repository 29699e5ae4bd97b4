//! Mock venues for tests: real websockets on a free port, whose side of the dialogue each test writes out.
//!
//! A [`Venue`] accepts connections, and a test scripts each [`Connection`]: it expects a request, grants or refuses it,
//! sends frames, falls silent, or cuts the line. [`serve`] answers as the venue does instead, in its [`Dialect`]: tests
//! of all venues take theirs from [`DIALECTS`]. [`blocking`] wraps a venue for tests that do not run in a runtime.
//!
//! A broken expectation panics, as an assertion of the test would.

pub mod alpaca;
pub mod binance;
pub mod binance_usdm;
pub mod bitstamp;
pub mod blocking;
pub mod bybit;
pub mod dialect;
pub mod finnhub;
pub mod kraken;
pub mod coinbase;
pub mod massive;
pub mod okx;
pub mod sim;
pub mod tiingo;
pub mod twelvedata;
pub mod time;

mod connection;
mod http;
mod serve;

pub use connection::{Connection, Venue};
pub use dialect::{Account, DIALECTS, Dialect, Manner, Part};
pub use http::reply;
pub use serve::{Line, line, serve};

use std::{future::Future, time::Duration};

/// Only a broken test waits this long for one step.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for one step of a dialogue, and panics if it does not come within [`PATIENCE`].
pub async fn within<T>(step: &str, wait: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, wait).await {
        Ok(output) => output,
        Err(_) => panic!("within {PATIENCE:?} it did not happen that {step}"),
    }
}
