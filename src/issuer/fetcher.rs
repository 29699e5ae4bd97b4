//! Fetches the keys of one source.

use super::{
    error::FetchError,
    fetched::Fetched,
    https,
    local::{self, Reader},
    source::Source,
};
use crate::{
    auth::{KEY_SET_BYTES_MAX, SECRET_FILE_BYTES_MAX},
    dial::{Dialer, Dialing, LookUp},
};
use std::{fmt, sync::Arc, time::Duration};

/// Fetches the keys of one source, one fetch at a time. Its clones are the same fetcher.
#[derive(Debug, Clone)]
pub struct Fetcher(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    /// For a source in a network.
    dialer: Option<Dialer>,
    reader: Reader,
    step: Duration,
}

/// A fetch that gave no keys.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub error: FetchError,
    /// The network addresses that were tried, with what came of each; may be empty.
    pub tried: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.tried.as_str() {
            "" => write!(f, "{}", self.error),
            tried => write!(f, "{} ({tried})", self.error),
        }
    }
}

impl std::error::Error for Failed {}

impl Fetcher {
    /// Each step of a fetch takes `step` at most.
    pub fn new(source: Source, step: Duration) -> Self {
        Self::with_look_up(source, step, LookUp::default())
    }

    /// The same with another look-up of names.
    pub fn with_look_up(source: Source, step: Duration, look_up: LookUp) -> Self {
        let dialer = match &source {
            Source::Https(server) => {
                let own_cas = server.ca_file.as_ref().map_or(&[][..], |file| &file.certificates);
                Some(Dialer::new(Dialing::new(own_cas, server.proxy.clone()).with_look_up(look_up)))
            }
            _ => None,
        };
        Self(Arc::new(Inner { source, dialer, reader: Reader::default(), step }))
    }

    /// Where the keys come from.
    pub fn source(&self) -> &Source {
        &self.0.source
    }

    /// Fetches the keys once.
    ///
    /// # Errors
    /// [`Failed`].
    ///
    /// # Cancel safety
    /// Dropped, it has no effect. A thread that reads a file goes on until it has read it.
    pub async fn fetch(&self) -> Result<Fetched, Failed> {
        let Inner { source, dialer, reader, step } = &*self.0;
        let content = match (source, dialer) {
            (Source::Https(server), Some(dialer)) => https::fetch(dialer, &server.url, *step).await,
            (Source::File(path), _) => reader.read(path.clone(), KEY_SET_BYTES_MAX, *step).await,
            (Source::SecretFile(path), _) => reader.read(path.clone(), SECRET_FILE_BYTES_MAX, *step).await,
            (Source::Fixed(_), _) => Ok(Vec::new()),
            (Source::Https(_), None) => unreachable!("a source in a network has a dialer"),
        };
        content.and_then(|content| Fetched::read(source, &content)).map_err(|error| self.failed(error))
    }

    /// The keys of a source without a network, or `None`. It may block.
    ///
    /// # Errors
    /// [`Failed`].
    pub fn read_local(&self) -> Result<Option<Fetched>, Failed> {
        let source = self.source();
        let content = match source {
            Source::Https(_) => return Ok(None),
            Source::File(path) => local::read(path, KEY_SET_BYTES_MAX),
            Source::SecretFile(path) => local::read(path, SECRET_FILE_BYTES_MAX),
            Source::Fixed(_) => Ok(Vec::new()),
        };
        let read = content.and_then(|content| Fetched::read(source, &content));
        read.map(Some).map_err(|error| self.failed(error))
    }

    fn failed(&self, error: FetchError) -> Failed {
        // An answer that was read says enough.
        let tells = matches!(error, FetchError::Dial(_) | FetchError::Timeout(_) | FetchError::Tls(_));
        let tried = self.0.dialer.as_ref().filter(|_| tells).map(Dialer::tried);
        Failed { error, tried: tried.unwrap_or_default() }
    }
}
