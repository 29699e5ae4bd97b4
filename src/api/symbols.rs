//! `/v1/symbols`: what can be asked for.

use crate::{
    cache::Cache,
    server::{Parameter, Query, RequestError, Response, json},
};

const PARAMETERS: [Parameter; 2] = [Parameter::Scalar("prefix"), Parameter::Scalar("limit")];
/// How many symbols are listed unless the client says.
const LISTED: usize = 100;
/// How many are listed at most: about 60 KB.
const LISTED_MAX: usize = 1_000;

/// The symbols that start with `prefix=`, by name, `limit=` of them.
///
/// # Errors
/// As [`Query::check`], and [`RequestError::BadLimit`].
pub(super) fn symbols(query: &Query, cache: &Cache) -> Result<Response, RequestError> {
    query.check(&PARAMETERS)?;
    let limit = query.limit(LISTED, LISTED_MAX)?;
    let prefix = query.first("prefix").unwrap_or_default().to_ascii_uppercase();
    let (listed, more) = cache.list(&prefix, limit);
    let symbols: Vec<_> = listed
        .iter()
        .map(|state| {
            serde_json::json!({
                "symbol": state.symbol().as_str(),
                "feed": &*state.feed(),
                "state": state.newest().snapshot.state().name(),
            })
        })
        .collect();
    Ok(json(serde_json::json!({"symbols": symbols, "more": more}).to_string()))
}
