//! The page for people: the files beside this one, and the client library.
//!
//! The page has no build step of its own: the browser loads the modules that are tested in node. The gateway's build
//! compresses them, and gives the page addresses of them that change with their content: a browser keeps these files
//! for a year without asking, and never mixes two versions. The same files are at stable addresses too, for pages of
//! others that import the client library; there a browser asks each time whether its copy is up to date.

mod files;

use super::error::ApiError;
use crate::server::{AcceptEncoding, Response};
use bytes::Bytes;
use files::{File, IDENTITY, VERSION};
use http::{HeaderMap, HeaderValue, StatusCode, header};

/// The page may run, show and contact only what this gateway serves.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// The browser keeps a copy but revalidates it each time.
const REVALIDATE: HeaderValue = HeaderValue::from_static("no-cache");
/// The address is that of the content: a copy is never out of date.
const IMMUTABLE: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Where files are at addresses that change with their content.
const VERSIONED: &str = "/assets/";

/// What is at a path.
pub(super) struct Found {
    file: &'static File,
    /// Whether the path names this content, and no other.
    is_immutable: bool,
}

/// The file at a path: `/`, or one that it names.
pub(super) fn find(path: &str) -> Option<Found> {
    let Some(versioned) = path.strip_prefix(VERSIONED) else {
        return Some(Found { file: file(path)?, is_immutable: false });
    };
    let (version, _) = versioned.split_once('/')?;
    let path = &versioned[version.len()..];
    // While a site upgrades its gateways, one may be asked for a file of another's page. Its own, for this once, is
    // better than a page that does not load.
    let is_version = version.len() == VERSION.len() && version.bytes().all(|byte| byte.is_ascii_hexdigit());
    let file = file(path).filter(|file| is_version && file.path != "/")?;
    Some(Found { file, is_immutable: version == VERSION })
}

fn file(path: &str) -> Option<&'static File> {
    files::all().iter().find(|file| file.path == path)
}

/// The file in the coding that its client likes best, or that the client's copy is up to date.
///
/// # Errors
/// [`ApiError::NoCoding`]: the client takes it in none.
pub(super) fn answer(found: &Found, request: &HeaderMap) -> Result<Response, ApiError> {
    let Found { file, is_immutable } = found;
    let coding = AcceptEncoding::of(request).best(file.forms.iter().map(|form| form.coding));
    let form = file.forms.iter().find(|form| Some(form.coding) == coding).ok_or(ApiError::NoCoding)?;
    let known = has(request, &form.tag);
    let mut response = Response::new(Bytes::from_static(if known { b"" } else { form.bytes }).into());
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let headers = response.headers_mut();
    if !known {
        headers.insert(header::CONTENT_TYPE, file.content_type.clone());
        if form.coding != IDENTITY {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(form.coding));
        }
    }
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::CACHE_CONTROL, if *is_immutable { IMMUTABLE } else { REVALIDATE });
    headers.insert(header::ETAG, form.tag.clone());
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
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
    use files::{Form, all};
    use std::{
        collections::BTreeSet,
        io::Read as _,
        path::{Path, PathBuf},
    };

    /// Where a served file is kept.
    fn source(path: &str) -> PathBuf {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        match path.strip_prefix("/tickfan/") {
            Some(name) => root.join("clients/js/src").join(name),
            None => root.join("src/api/page").join(&path[1..]),
        }
    }

    fn requesting(headers: &[(&str, &str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn answered(path: &str, headers: &[(&str, &str)]) -> Response {
        answer(&find(path).unwrap(), &requesting(headers)).unwrap()
    }

    fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
        response.headers().get(name).map(|value| value.to_str().unwrap())
    }

    fn decoded(form: &Form) -> Vec<u8> {
        let mut plain = Vec::new();
        match form.coding {
            "br" => _ = brotli::Decompressor::new(form.bytes, 4096).read_to_end(&mut plain).unwrap(),
            "zstd" => plain = zstd::decode_all(form.bytes).unwrap(),
            "gzip" => _ = flate2::read::GzDecoder::new(form.bytes).read_to_end(&mut plain).unwrap(),
            _ => plain = form.bytes.to_vec(),
        }
        plain
    }

    #[test]
    fn every_coding_of_a_file_is_that_file_and_shorter() {
        assert!(all().len() > 30);
        for file in all() {
            let plain = file.forms.iter().find(|form| form.coding == IDENTITY).unwrap();
            if file.path != "/" {
                assert!(std::fs::read(source(file.path)).unwrap() == plain.bytes, "{} is not its source", file.path);
            }
            for form in &file.forms {
                assert!(decoded(form) == plain.bytes, "{} in {}", file.path, form.coding);
                assert!(
                    form.coding == IDENTITY || form.bytes.len() < plain.bytes.len(),
                    "{} in {}",
                    file.path,
                    form.coding
                );
            }
            assert!(file.forms.is_sorted_by_key(|form| form.bytes.len()), "{}", file.path);
        }
        let tags: BTreeSet<_> = all().iter().flat_map(|file| &file.forms).map(|form| form.tag.as_bytes()).collect();
        assert_eq!(tags.len(), all().iter().map(|file| file.forms.len()).sum::<usize>(), "each has a tag of its own");
    }

    #[test]
    fn the_page_names_its_files_by_version_and_all_that_it_names_are_there() {
        let page = String::from_utf8(decoded(&file("/").unwrap().forms[0])).unwrap();
        let mut named = 0;
        for (place, _) in page.match_indices("=\"/") {
            let path = page[place + 2..].split('"').next().unwrap();
            if !path.starts_with("/v1/") {
                assert!(find(path).unwrap_or_else(|| panic!("{path} is not served")).is_immutable, "{path}");
                named += 1;
            }
        }
        assert!(named > 7, "{named}");
        for path in all().iter().map(|file| file.path).filter(|path| path.ends_with(".js")) {
            let text = std::fs::read_to_string(source(path)).unwrap();
            for line in text.lines().filter(|line| line.starts_with("import ")) {
                assert!(line.contains("from \"."), "{path} would leave its version: {line}");
            }
        }
    }

    #[test]
    fn a_file_is_immutable_where_its_address_names_its_content() {
        let immutable = Some("public, max-age=31536000, immutable");
        for (path, storing) in [
            (format!("/assets/{VERSION}/app.js"), immutable),
            (format!("/assets/{VERSION}/tickfan/index.js"), immutable),
            ("/assets/0123456789abcdef/app.js".to_owned(), Some("no-cache")),
            ("/app.js".to_owned(), Some("no-cache")),
            ("/tickfan/index.js".to_owned(), Some("no-cache")),
            ("/".to_owned(), Some("no-cache")),
        ] {
            let response = answered(&path, &[]);
            assert_eq!((response.status(), header(&response, "cache-control")), (StatusCode::OK, storing), "{path}");
        }
        for path in [
            "",
            "/index.html",
            "/mod.rs",
            "/assets",
            "/assets/",
            "/assets/app.js",
            "/assets//app.js",
            "/assets/1/app.js",
            "/assets/0123456789abcdeg/app.js",
            "//app.js",
            "/../app.js",
        ] {
            assert!(find(path).is_none(), "{path}");
        }
        assert!(find(&format!("/assets/{VERSION}/")).is_none(), "the page itself has one address");
        assert!(find(&format!("/assets/{VERSION}/assets/{VERSION}/app.js")).is_none());
    }

    #[test]
    fn a_client_gets_the_coding_that_it_likes_best() {
        let plain = decoded(&file("/app.js").unwrap().forms[0]);
        for (accepts, coding) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("gzip;q=0.5, zstd", Some("zstd")),
            ("gzip", Some("gzip")),
            ("identity;q=0, gzip;q=0.1", Some("gzip")),
            ("identity", None),
            ("deflate", None),
            ("br;q=0", None),
        ] {
            let response = answered("/app.js", &[("accept-encoding", accepts)]);
            assert_eq!(header(&response, "content-encoding"), coding, "{accepts}");
            assert_eq!(header(&response, "vary"), Some("accept-encoding"), "{accepts}");
            assert_eq!(header(&response, "content-type"), Some("text/javascript; charset=utf-8"), "{accepts}");
        }
        assert_eq!(header(&answered("/app.js", &[]), "content-encoding"), None);
        let refused = answer(&find("/app.js").unwrap(), &requesting(&[("accept-encoding", "identity;q=0")]));
        assert_eq!(refused.err(), Some(ApiError::NoCoding));
        assert!(plain.starts_with(b"// "), "compressed once: what is decoded is the file");
    }

    #[test]
    fn a_browser_that_has_a_file_in_this_coding_does_not_get_it_again() {
        for (accepts, suffix) in [("", ""), ("gzip", "-gzip"), ("br, gzip", "-br"), ("zstd", "-zstd")] {
            let full = answered("/app.js", &[("accept-encoding", accepts)]);
            let tag = header(&full, "etag").unwrap();
            assert!(tag.ends_with(&format!("{suffix}\"")), "{tag}");
            let other = answered("/app.js", &[("accept-encoding", if accepts == "zstd" { "br" } else { "zstd" })]);
            for (known, status) in [
                (tag, 304),
                (&*format!("W/{tag}"), 304),
                (&*format!("\"1\", {tag}"), 304),
                ("*", 304),
                ("\"1\"", 200),
                ("", 200),
                (header(&other, "etag").unwrap(), 200),
            ] {
                let response = answered("/app.js", &[("accept-encoding", accepts), ("if-none-match", known)]);
                assert_eq!(response.status(), status, "{known}");
                assert_eq!(header(&response, "etag"), Some(tag));
                assert_eq!(header(&response, "cache-control"), Some("no-cache"));
                assert_eq!(header(&response, "vary"), Some("accept-encoding"));
                assert_eq!(response.headers().contains_key("content-encoding"), status == 200 && !suffix.is_empty());
                assert!(response.headers().contains_key(header::CONTENT_SECURITY_POLICY));
            }
        }
    }
}
