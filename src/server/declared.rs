//! What a route declares beside its answer: it is looked up before the request is routed.

use super::{problem::Problem, sign_on::Asks};
use http::Method;

/// One route's declaration.
pub(super) struct Declared {
    place: Place,
    /// The methods that it answers.
    pub(super) methods: &'static [Method],
    /// Its label.
    pub(super) label: &'static str,
    /// Where its POST may have a body: refuses a path, by its open segment, before the body is awaited.
    pub(super) before_body: Option<BeforeBody>,
    /// Which credentials it asks for.
    pub(super) asks: Asks,
    /// Where one of its methods asks for others.
    pub(super) asks_of: Option<(Method, Asks)>,
}

/// Why a path takes no body, if it does not.
pub(super) type BeforeBody = Box<dyn Fn(&str) -> Option<Problem> + Send + Sync>;

/// Which paths are a route's.
enum Place {
    Pattern(&'static str),
    Found(Box<dyn Fn(&str) -> bool + Send + Sync>),
}

impl Declared {
    /// A route on a pattern, which takes no body and asks for a token.
    pub(super) fn at(pattern: &'static str, methods: &'static [Method]) -> Self {
        let place = Place::Pattern(pattern);
        Self { place, methods, label: "", before_body: None, asks: Asks::Token, asks_of: None }
    }

    /// The same on every path that `find` finds.
    pub(super) fn found(find: impl Fn(&str) -> bool + Send + Sync + 'static, methods: &'static [Method]) -> Self {
        Self { place: Place::Found(Box::new(find)), ..Self::at("", methods) }
    }

    /// Its pattern, for a client that asked for a path that does not exist.
    pub(super) fn pattern(&self) -> Option<&'static str> {
        match self.place {
            Place::Pattern(pattern) => Some(pattern),
            Place::Found(_) => None,
        }
    }

    /// Whether a path is its own, exactly as requests are routed.
    pub(super) fn has(&self, path: &str) -> bool {
        match &self.place {
            Place::Pattern(pattern) => fits(pattern, path),
            Place::Found(find) => find(path),
        }
    }

    /// Which credentials its method asks for.
    pub(super) fn asks(&self, method: &Method) -> Asks {
        match &self.asks_of {
            Some((of, asks)) if of == method => *asks,
            _ => self.asks,
        }
    }
}

/// Whether a path has a pattern's segments. As in warp, one slash may follow the last.
fn fits(pattern: &str, path: &str) -> bool {
    let Some(path) = path.strip_prefix('/') else { return false };
    let path = if path.is_empty() { None } else { Some(path.strip_suffix('/').unwrap_or(path)) };
    let mut named = path.into_iter().flat_map(|path| path.split('/'));
    let mut segments = pattern.split('/').filter(|segment| !segment.is_empty());
    let is_own = |segment: &str, name: &str| if segment.starts_with('{') { !name.is_empty() } else { name == segment };
    segments.all(|segment| named.next().is_some_and(|name| is_own(segment, name))) && named.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_fits_a_pattern_by_its_segments_with_one_slash_behind_them_or_none() {
        for (pattern, path, expected) in [
            ("/", "/", true),
            ("/", "//", false),
            ("/", "", false),
            ("/v1/a", "/v1/a", true),
            ("/v1/a", "/v1/a/", true),
            ("/v1/a", "/v1/a//", false),
            ("/v1/a", "//v1/a", false),
            ("/v1/a", "/v1//a", false),
            ("/v1/a", "/v1/ab", false),
            ("/v1/a", "/v1", false),
            ("/v1/a", "/v1/%61", false),
            ("/v1/{x}", "/v1/a/", true),
            ("/v1/{x}", "/v1/", false),
            ("/v1/{x}", "/v1//", false),
            ("/v1/{x}", "/v1/a/b", false),
            ("/v1/{x}", "*", false),
        ] {
            assert_eq!(fits(pattern, path), expected, "{pattern} {path}");
        }
    }
}
