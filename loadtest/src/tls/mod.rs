//! TLS: whom clients trust, their sessions, and the certificates of a gateway that the load tester starts.

mod authority;
mod session;
mod trust;

pub use authority::TlsFiles;
pub use session::{Negotiated, Session};
pub use trust::{ClientTls, Trust, TrustError, explain};
