//! A request for a stream, valid by construction.

use super::{compression, error::ApiError, selection::Selection, stream_params::StreamParams};
use crate::{
    access::Refusal,
    server::{Request, Rights},
    wire::Dictionary,
};
use http::{HeaderMap, header};
use std::sync::Arc;

/// A stream that may be opened as far as its request goes.
pub(super) struct StreamRequest {
    /// What it carries.
    pub(super) selection: Selection,
    /// What else was asked for.
    pub(super) params: StreamParams,
    /// What its client may read.
    pub(super) rights: Rights,
    /// What it is compressed with, if it is.
    pub(super) dictionary: Option<Arc<Dictionary>>,
    /// Whether the gateway compresses streams at all.
    pub(super) may_compress: bool,
}

impl StreamRequest {
    /// Makes one of the symbols and of what the client says of itself. `dictionary`: what streams are compressed with,
    /// if their clients want it.
    ///
    /// # Errors
    /// [`ApiError::NotAcceptable`] if the client cannot take a stream, [`Refusal::NoStreams`] if it may not,
    /// and as [`StreamParams::new`].
    pub(super) fn new(
        selection: Selection,
        request: &Request,
        dictionary: Option<&Arc<Dictionary>>,
    ) -> Result<Self, ApiError> {
        if !accepts_stream(&request.headers) {
            return Err(ApiError::NotAcceptable);
        }
        let rights = request.rights.clone();
        if let Rights::Granted(grant) = &rights
            && grant.streams == Some(0)
        {
            return Err(Refusal::NoStreams.into());
        }
        let params = StreamParams::new(&request.query, &request.headers)?;
        let may_compress = dictionary.is_some();
        let dictionary = dictionary.filter(|dictionary| compression::is_wanted(&request.headers, dictionary)).cloned();
        Ok(Self { selection, params, rights, dictionary, may_compress })
    }
}

/// Whether `Accept` allows `text/event-stream`. A client that does not say takes everything.
fn accepts_stream(headers: &HeaderMap) -> bool {
    let mut accepts = headers.get_all(header::ACCEPT).iter().peekable();
    accepts.peek().is_none()
        || accepts.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let fits = ["*/*", "text/*", "text/event-stream"].iter().any(|ours| media.eq_ignore_ascii_case(ours));
            fits && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn a_client_that_excludes_streams_gets_none() {
        for (accept, accepts) in [
            (None, true),
            (Some("text/event-stream"), true),
            (Some("*/*"), true),
            (Some("text/html, */*;q=0.8"), true),
            (Some("application/json, TEXT/*"), true),
            (Some("application/json"), false),
            (Some("text/event-stream; q=0"), false),
            (Some(""), false),
        ] {
            let mut headers = HeaderMap::new();
            accept.map(|accept| headers.insert(header::ACCEPT, HeaderValue::from_static(accept)));
            assert_eq!(accepts_stream(&headers), accepts, "{accept:?}");
        }
    }
}
