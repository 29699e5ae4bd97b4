//! The API as a document for machines: a file, served as it is.

use super::{quotes::json, routes::Route};
use warp::{Filter, Rejection, reply::Response};

/// OpenAPI 3.2, the first version that can say what the events of a stream are.
pub const OPENAPI: &str = include_str!("openapi.json");

/// `/openapi.json`.
pub(super) fn routes() -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    warp::path!("openapi.json").and(warp::get()).map(|| Route::OpenApi.answer(Ok(json(OPENAPI))))
}
