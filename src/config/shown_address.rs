//! Addresses as people see them.

/// An address without the parts that may hold a secret: before an `@`, and behind a `?`.
pub fn without_secrets(url: &str) -> String {
    let (shown, query) = url.split_once('?').map_or((url, ""), |(shown, _)| (shown, "?…"));
    let (scheme, rest) = shown.split_once("://").unwrap_or(("", shown));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_may_be_a_secret() {
        for (url, shown) in [
            ("wss://a.example/v2?token=hush", "wss://a.example/v2?…"),
            ("wss://user:hush@a.example:443/v2", "wss://a.example:443/v2"),
            ("wss://a.example?k=hush/x@y", "wss://a.example?…"),
            ("wss://a.example", "wss://a.example"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }
}
