//! What fetches are counted as.

use crate::telemetry::labels::labels;

labels! {
    /// How a fetch ended.
    pub enum Outcome {
        /// Its keys differ from those before.
        Changed = "changed",
        /// It gave what the one before gave.
        Unchanged = "unchanged",
        /// The file cannot be read.
        File = "file",
        /// The server's name cannot be looked up.
        LookUp = "look_up",
        /// None of its addresses accepts a connection.
        Unreachable = "unreachable",
        /// The proxy does not lead there.
        Proxy = "proxy",
        /// The handshake failed, most often for the certificate.
        Tls = "tls",
        /// A step took too long.
        Timeout = "timeout",
        /// The answer is not HTTP, is cut, or is compressed.
        Http = "http",
        /// The server answered with another status than 200.
        Status = "status",
        /// The server answered with a redirect.
        Redirect = "redirect",
        /// The answer, or the file, is too long.
        TooLong = "too_long",
        /// It is not a JWK set with a usable key, or not a secret.
        Unreadable = "unreadable",
    }
}
