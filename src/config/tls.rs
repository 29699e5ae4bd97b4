//! `[tls]`: a second listener for clients, by https.

use super::Config;
use crate::tls::{CertificateFiles, CertificateSet, TlsVersion};
use std::{net::SocketAddr, sync::Arc, time::Duration};

/// `[tls]`: the listener for https. It stands beside the plain one.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Where clients connect.
    pub listen: SocketAddr,
    /// The certificates. The first is for clients that name none of the others' names.
    pub certificates: Vec<CertificateFiles>,
    /// What those files held when they were loaded.
    pub loaded: Arc<CertificateSet>,
    /// Whether clients may speak HTTP/2.
    pub http2: bool,
    /// Open streams of one HTTP/2 connection.
    pub h2_streams: usize,
    /// Whether a stream of HTTP/2 whose client no longer reads it is held back, so that its neighbours go on.
    pub h2_reader_check: bool,
    /// The oldest version that clients may use.
    pub min_version: TlsVersion,
    /// How long a client may take for its handshake.
    pub handshake_timeout: Duration,
    /// Handshakes at a time.
    pub handshakes: usize,
    /// How often the files of the certificates are compared with what was loaded.
    pub look: Duration,
    /// For how long browsers are to use https alone; zero sends no such header.
    pub hsts: Duration,
}

/// The table, which is made with its defaults if it is absent.
pub(super) fn table(config: &mut Config) -> &mut Tls {
    config.tls.get_or_insert_default()
}
