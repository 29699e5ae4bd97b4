//! Who may read what: tokens, the keys that verify them, grants, and one-use tickets. A leaf without sockets or clocks:
//! `access` asks it for each request.
//!
//! A [`KeySet`] holds the keys of the issuer; [`verify`] reads a token with them and returns its
//! [`Claims`]; a [`Policy`] turns claims into a [`Grant`], which answers for each symbol. A [`Tickets`] exchanges a
//! grant for a ticket that may stand in a URL, once.
//!
//! A credential never appears in an error, in a log or in `Debug`. Operators see a [`Subject`], which is a keyed hash.

mod claims;
mod error;
mod grant;
mod jwk;
mod keys;
mod object;
mod pattern;
mod policy;
mod subject;
mod ticket;
mod token;
mod value;

pub use claims::{Claims, Expected, LEEWAY, LIST_MAX};
pub use error::{TOKEN_BYTES_MAX, TokenError};
pub use grant::{Access, Grant};
pub use jwk::{Algorithm, KeyFault, KeyOrigin, SECRET_BYTES_MAX, SECRET_BYTES_MIN, SECRET_FILE_BYTES_MAX};
pub use keys::{KEY_SET_BYTES_MAX, KEYS_MAX, KeySet, KeySetError, ReadKeys, SkippedKey, UnknownKey};
pub use pattern::{Groups, Pattern, PatternError, Patterns, is_group_name};
pub use policy::{Lists, Policy};
pub use subject::{Subject, SubjectKey};
pub use ticket::{TICKETS_MAX, TICKETS_PER_SUBJECT, Ticket, Tickets, TooManyTickets};
pub use token::{named_key, verify};

#[cfg(test)]
mod attack_tests;
#[cfg(test)]
mod signing_tests;
#[cfg(test)]
mod vector_tests;
