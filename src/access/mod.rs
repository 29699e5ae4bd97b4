//! Sign-on: reads the credentials of a request, verifies them, and says what its client may read. Sessions and tickets
//! carry a verified token to clients that cannot send a header.
//!
//! In reading order: a route `Asks` for credentials, `credentials` finds them in a request's
//! head without verifying any, `SignOn` verifies them, or says by a `Refusal` why they do not count; `missing_keys`
//! remembers which keys tokens name in vain, `verified` which tokens were verified; `session` makes cookies.

mod credentials;
mod missing_keys;
mod refusal;
mod session;
mod sign_on;
mod verified;

pub(crate) use credentials::{bearer, has_other_scheme};
pub(crate) use refusal::Refusal;
pub(crate) use session::{cleared, cookie};
pub use sign_on::Keys;
pub(crate) use sign_on::{SignOn, lasts};
