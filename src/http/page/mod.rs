//! The page for people: three files, served as they are.

use super::routes::Route;
use http::{HeaderValue, header};
use warp::{Filter, Rejection, reply::Response};

/// Nothing but what the gateway itself serves may run, be shown or be spoken to.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// `/` and the files that it names.
pub(super) fn routes() -> impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static {
    let index = warp::path::end().map(|| file("text/html; charset=utf-8", include_str!("index.html")));
    let script = warp::path!("app.js").map(|| file("text/javascript; charset=utf-8", include_str!("app.js")));
    let style = warp::path!("style.css").map(|| file("text/css; charset=utf-8", include_str!("style.css")));
    index.or(script).unify().or(style).unify().and(warp::get())
}

fn file(content_type: &'static str, text: &'static str) -> Response {
    let mut response = Response::new(text.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Route::Page.answer(Ok(response))
}
