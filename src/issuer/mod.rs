//! The issuer's keys: where they come from, and a task that keeps them fresh.
//!
//! [`keep`] makes the shared [`IssuerKeys`] and the [`Keeper`], whose task fetches them from their [`Source`]: at the
//! start, then every ten minutes, and sooner for a token with a key that is not known yet. A failed fetch keeps the
//! keys for a day. A pure schedule decides when to fetch; a fetch itself is a file, or one request over https. The task
//! knows nothing of requests and tokens: their verifier asks [`IssuerKeys::newest`], and [`IssuerKeys::renew`] where a
//! token names a key that is not in it.

mod source;
mod fetched;
mod error;
mod outcome;
mod local;
mod https;
mod fetcher;
mod schedule;
mod status;
mod keys;
mod report;
mod keeper;

pub use error::FetchError;
pub use fetched::{Fetched, ListedKey};
pub use fetcher::{Failed, Fetcher};
pub use keeper::{Keeper, keep};
pub use keys::{IssuerKeys, Replacement};
pub use outcome::Outcome;
pub use report::register_metrics;
pub use schedule::Times;
pub use source::{FixedKeys, HttpsUrl, KeyServer, Source, URL_BYTES_MAX, UrlError};
pub use status::KeysStatus;
