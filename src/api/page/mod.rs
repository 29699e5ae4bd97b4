//! The page for people: the files beside this one, and the client library, served as they are.
//!
//! The page has no build step: the browser loads the modules that are tested in node. A file's tag is a hash of its
//! content, so a browser downloads a file again only if a newer gateway has a different one.

use crate::server::Response;
use bytes::Bytes;
use foldhash::quality::FixedState;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use std::{hash::BuildHasher, sync::LazyLock};

/// The page may run, show and contact only what this gateway serves.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// The browser keeps a copy but revalidates it each time: one page must never mix the modules of two versions.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

/// A file of the page.
pub(super) struct File {
    path: &'static str,
    content_type: &'static str,
    text: &'static str,
    tag: HeaderValue,
}

macro_rules! files {
    ($($path:literal $content_type:ident $name:literal)*) => {
        [$(($path, $content_type, include_str!($name))),*]
    };
}

/// All files, with their tags.
static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let files = files![
        "/" HTML "index.html"
        "/icon.svg" IMAGE "icon.svg"
        "/style.css" STYLE "style.css"
        "/detail.css" STYLE "detail.css"
        "/theme.js" SCRIPT "theme.js"
        "/app.js" SCRIPT "app.js"
        "/choices.js" SCRIPT "choices.js"
        "/clock.js" SCRIPT "clock.js"
        "/history.js" SCRIPT "history.js"
        "/looks.js" SCRIPT "looks.js"
        "/meter.js" SCRIPT "meter.js"
        "/numbers.js" SCRIPT "numbers.js"
        "/offer.js" SCRIPT "offer.js"
        "/past.js" SCRIPT "past.js"
        "/store.js" SCRIPT "store.js"
        "/ticks.js" SCRIPT "ticks.js"
        "/tickfan/backoff.js" SCRIPT "../../../clients/js/src/backoff.js"
        "/tickfan/book.js" SCRIPT "../../../clients/js/src/book.js"
        "/tickfan/changes.js" SCRIPT "../../../clients/js/src/changes.js"
        "/tickfan/events.js" SCRIPT "../../../clients/js/src/events.js"
        "/tickfan/index.js" SCRIPT "../../../clients/js/src/index.js"
        "/tickfan/numbers.js" SCRIPT "../../../clients/js/src/numbers.js"
        "/tickfan/share.js" SCRIPT "../../../clients/js/src/share.js"
        "/tickfan/stream.js" SCRIPT "../../../clients/js/src/stream.js"
        "/tickfan/transport.js" SCRIPT "../../../clients/js/src/transport.js"
        "/words.js" SCRIPT "words.js"
        "/view/announcer.js" SCRIPT "view/announcer.js"
        "/view/chart.js" SCRIPT "view/chart.js"
        "/view/detail.js" SCRIPT "view/detail.js"
        "/view/dom.js" SCRIPT "view/dom.js"
        "/view/drag.js" SCRIPT "view/drag.js"
        "/view/looks.js" SCRIPT "view/looks.js"
        "/view/row.js" SCRIPT "view/row.js"
        "/view/search.js" SCRIPT "view/search.js"
        "/view/sparkline.js" SCRIPT "view/sparkline.js"
        "/view/status.js" SCRIPT "view/status.js"
        "/view/tape.js" SCRIPT "view/tape.js"
        "/view/watchlist.js" SCRIPT "view/watchlist.js"
        "/vendor/uplot.js" SCRIPT "vendor/uplot.js"
        "/vendor/uplot.css" STYLE "vendor/uplot.css"
        "/vendor/uplot-LICENSE.txt" TEXT "vendor/uplot-LICENSE.txt"
    ];
    files.map(|(path, content_type, text)| File { path, content_type, text, tag: tag(text) }).into()
});

/// The same content has the same tag in every process and on every machine.
fn tag(text: &str) -> HeaderValue {
    let hash = FixedState::with_seed(0).hash_one(text);
    HeaderValue::from_str(&format!("\"{hash:016x}\"")).expect("hexadecimal digits in quotes")
}

/// The file at a path: `/`, or one that it names.
pub(super) fn find(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

/// The file, or that the browser's copy is up to date.
pub(super) fn answer(file: &File, request: &HeaderMap) -> Response {
    let known = has(request, &file.tag);
    let body = if known { "" } else { file.text };
    let mut response = Response::new(Bytes::from_static(body.as_bytes()).into());
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    if !known {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.content_type));
    }
    headers.insert(header::CACHE_CONTROL, REVALIDATE);
    headers.insert(header::ETAG, file.tag.clone());
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Whether the browser has the file with this tag. A proxy may have turned it into a weak one.
fn has(request: &HeaderMap, tag: &HeaderValue) -> bool {
    let tags = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    tags.flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known).as_bytes() == tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, fs, path::Path};

    #[test]
    fn every_file_is_served_and_every_file_that_is_named_is_there() {
        let served: BTreeSet<&str> = FILES.iter().map(|file| file.path).collect();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/page");
        for (name, place) in [
            ("", folder.clone()),
            ("view", folder.join("view")),
            ("vendor", folder.join("vendor")),
            ("tickfan", folder.join("../../../clients/js/src")),
        ] {
            for entry in fs::read_dir(place).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
                let file = entry.file_name().into_string().unwrap();
                let path = if name.is_empty() { format!("/{file}") } else { format!("/{name}/{file}") };
                let not_the_browsers = ["/mod.rs", "/package.json", "/index.html"].contains(&path.as_str());
                assert!(not_the_browsers || served.contains(path.as_str()), "{path} is not served");
            }
        }
        for file in FILES.iter().filter(|file| file.content_type == HTML) {
            for (place, _) in file.text.match_indices("=\"/") {
                let path = file.text[place + 2..].split('"').next().unwrap();
                let ours = !path.starts_with("/v1/");
                assert!(!ours || served.contains(path), "{} names {path}", file.path);
            }
        }
    }

    #[test]
    fn a_browser_that_has_a_file_does_not_get_it_again() {
        let file = &FILES[0];
        let tag = file.tag.to_str().unwrap();
        for (known, status) in [
            (tag.to_owned(), 304),
            (format!("W/{tag}"), 304),
            (format!("\"1\", {tag}"), 304),
            ("*".to_owned(), 304),
            ("\"1\"".to_owned(), 200),
            (String::new(), 200),
        ] {
            let mut request = HeaderMap::new();
            request.insert(header::IF_NONE_MATCH, known.parse().unwrap());
            let response = answer(file, &request);
            assert_eq!(response.status(), status, "{known}");
            assert_eq!(response.headers()[header::ETAG], file.tag);
            assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
            assert!(response.headers().contains_key(header::CONTENT_SECURITY_POLICY));
        }
        let tags: BTreeSet<_> = FILES.iter().map(|file| file.tag.as_bytes()).collect();
        assert_eq!(tags.len(), FILES.len(), "each has a tag of its own");
    }
}
