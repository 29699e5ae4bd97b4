//! `POST /reload`: reads the configuration again, as `SIGHUP` does, and answers with what changed.

use crate::{
    config::{Change, ReloadError, Reloaded},
    server::{Problem, Request, Response, json},
};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, StatusCode, header};
use serde_json::{Value, json as value};
use std::sync::Arc;

/// Browsers add it to every request and no page can remove it.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Reloads the configuration: in a gateway its reloader.
pub trait Reload: Send + Sync {
    /// Reads the configuration again, and applies all of it or nothing.
    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, ReloadError>>;
}

/// Answers a request for a reload.
pub(super) async fn reload(reload: Arc<dyn Reload>, request: Request) -> Result<Response, Problem> {
    if is_of_a_page(&request.headers) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "of-a-page",
            "Not for web pages",
            "A web page must not reload the configuration. Send the request from a terminal, without `Origin`."
                .to_owned(),
        ));
    }
    match reload.reload().await {
        Ok(report) => Ok(json(document(&report).to_string())),
        Err(error) => Err(problem(&error)),
    }
}

/// Whether a page of a site may have caused the request.
pub(super) fn is_of_a_page(headers: &HeaderMap) -> bool {
    let sites = headers.get_all(SEC_FETCH_SITE);
    headers.contains_key(header::ORIGIN) || sites.iter().any(|site| site != "none")
}

fn document(report: &Reloaded) -> Value {
    let list = |changes: &[Change]| -> Vec<Value> {
        changes.iter().map(|change| value!({"key": change.key, "from": change.from, "to": change.to})).collect()
    };
    let failed = report.failed.iter().map(|failed| value!({"feed": failed.feed, "why": failed.why}));
    value!({
        "changed": list(&report.changed),
        "at_restart": list(&report.at_restart),
        "failed": failed.collect::<Vec<_>>(),
    })
}

fn problem(error: &ReloadError) -> Problem {
    let (status, kind, title) = match error {
        ReloadError::WithoutFile => (StatusCode::CONFLICT, "no-file", "Nothing to reload"),
        ReloadError::Rejected(_) | ReloadError::Mixed { .. } | ReloadError::Venue { .. } => {
            (StatusCode::UNPROCESSABLE_ENTITY, "bad-configuration", "Wrong configuration")
        }
        ReloadError::Keys { .. } | ReloadError::Slow(_) | ReloadError::Thread(_) => {
            (StatusCode::SERVICE_UNAVAILABLE, "not-read", "The configuration cannot be read for now")
        }
    };
    Problem::new(status, kind, title, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FailedFeed;
    use http::HeaderValue;

    #[test]
    fn an_answer_names_the_feeds_that_could_not_be_changed_and_not_as_changed() {
        let change = |key: &str| Change { key: key.to_owned(), from: "a feed".to_owned(), to: "+B".to_owned() };
        let report = Reloaded { changed: vec![change("feed.a"), change("feed.b")], ..Reloaded::default() };
        let failed = FailedFeed { feed: "a".to_owned(), why: "more than 100000 symbols".to_owned() };
        assert_eq!(
            document(&report.with_failed(vec![failed])),
            value!({
                "changed": [{"key": "feed.b", "from": "a feed", "to": "+B"}],
                "at_restart": [],
                "failed": [{"feed": "a", "why": "more than 100000 symbols"}],
            })
        );
    }

    #[test]
    fn only_a_request_that_no_page_can_send_reloads() {
        for (name, value, of_a_page) in [
            ("accept", "*/*", false),
            ("sec-fetch-site", "none", false),
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "same-site", true),
            ("sec-fetch-site", "cross-site", true),
            ("sec-fetch-site", "", true),
            ("origin", "null", true),
            ("origin", "http://localhost:8081", true),
        ] {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
            assert_eq!(is_of_a_page(&headers), of_a_page, "{name}: {value}");
        }
    }
}
