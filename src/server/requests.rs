//! Counts of requests, by route and status.

use crate::telemetry::{catalog::HTTP_REQUESTS, labels::labels};
use http::StatusCode;

labels! {
    /// How a request is counted that reached no route. Each listener has a list of its own for those that did.
    pub(super) enum Unrouted {
        /// The preflight of a browser.
        Preflight = "preflight",
        /// No route has its path, or none that has it its method.
        Other = "other",
        /// hyper could not parse its head and answered it.
        Unreadable = "unreadable",
    }
}

/// Counts a request. `route` is the label of a closed set.
pub(super) fn count(route: &'static str, status: StatusCode) {
    HTTP_REQUESTS.handle([route.into(), status.as_str().to_owned().into()]).increment(1);
}
