//! The page's files, as `build.rs` has compressed them.

use http::HeaderValue;
use std::sync::LazyLock;

const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const IMAGE: &str = "image/svg+xml";

/// A file as `build.rs` writes it.
pub(super) struct Built {
    path: &'static str,
    content_type: &'static str,
    /// A hash of its content.
    tag: &'static str,
    /// Its content in each coding that makes it shorter, and as it is; the shortest first.
    forms: &'static [(&'static str, &'static [u8])],
}

include!(concat!(env!("OUT_DIR"), "/page_files.rs"));

/// A file of the page.
pub(super) struct File {
    pub(super) path: &'static str,
    pub(super) content_type: HeaderValue,
    /// The shortest first; one of them is plain.
    pub(super) forms: Vec<Form>,
}

/// A file in one coding.
pub(super) struct Form {
    pub(super) coding: &'static str,
    pub(super) tag: HeaderValue,
    pub(super) bytes: &'static [u8],
}

/// All files.
static FILES: LazyLock<Vec<File>> = LazyLock::new(|| BUILT.iter().map(File::new).collect());

impl File {
    fn new(built: &Built) -> Self {
        let form = |&(coding, bytes): &(&'static str, &'static [u8])| {
            // A strong tag names bytes, so each coding has its own.
            let tag =
                if coding == IDENTITY { format!("\"{}\"", built.tag) } else { format!("\"{}-{coding}\"", built.tag) };
            Form { coding, tag: HeaderValue::try_from(tag).expect("hexadecimal digits in quotes"), bytes }
        };
        Self {
            path: built.path,
            content_type: HeaderValue::from_static(built.content_type),
            forms: built.forms.iter().map(form).collect(),
        }
    }
}

/// The coding of a file as it is.
pub(super) const IDENTITY: &str = "identity";

/// All files, in the order of their paths.
pub(super) fn all() -> &'static [File] {
    &FILES
}
