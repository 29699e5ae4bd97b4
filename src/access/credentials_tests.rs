use super::*;
use http::Request;

const COOKIE_TOKEN: (&str, &str) = ("cookie", "__Host-tickfan=c.c.c");
const BEARER: (&str, &str) = ("authorization", "Bearer b.b.b");

/// What is found, as `token:…` or `ticket:…`.
fn found(asks: Asks, target: &str, headers: &[(&str, &str)]) -> Result<Option<String>, Refusal> {
    let mut request = Request::get(target).header("host", "ticks.example:8443");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let head = request.body(()).unwrap().into_parts().0;
    let origins = ["https://app.example".to_owned(), "https://*.desk.example".to_owned(), "*".to_owned()];
    let credential = read(&head, asks, &origins)?;
    Ok(credential.map(|credential| match credential {
        Credential::Token(token) => format!("token:{}", String::from_utf8_lossy(token)),
        Credential::Ticket(ticket) => format!("ticket:{ticket}"),
    }))
}

#[track_caller]
fn check(asks: Asks, target: &str, headers: &[(&str, &str)], expected: Result<Option<&str>, Refusal>) {
    assert_eq!(found(asks, target, headers), expected.map(|found| found.map(str::to_owned)), "{target} {headers:?}");
}

#[test]
fn a_bearer_token_is_read_in_any_case_of_its_scheme_and_other_schemes_are_ignored() {
    for (value, expected) in [
        ("Bearer a.b.c", Some("token:a.b.c")),
        ("bearer a.b.c", Some("token:a.b.c")),
        ("BEARER   a.b.c ", Some("token:a.b.c")),
        ("Bearer", Some("token:")),
        ("Bearer ", Some("token:")),
        ("Bearer a b", Some("token:a b")),
        ("Bearera.b.c", None),
        ("Basic dTpw", None),
        ("Digest username=\"Bearer\"", None),
        ("", None),
    ] {
        check(Asks::Token, "/v1/quotes", &[("authorization", value)], Ok(expected));
    }
    let of_a_proxy = [("authorization", "Basic dTpw"), BEARER];
    check(Asks::Token, "/v1/quotes", &of_a_proxy, Ok(Some("token:b.b.b")));
}

#[test]
fn the_cookie_is_found_among_others_and_only_under_its_whole_name() {
    for (field, expected) in [
        ("__Host-tickfan=c.c.c", Some("token:c.c.c")),
        ("a=1; __Host-tickfan=c.c.c; b=2", Some("token:c.c.c")),
        ("a=1;__Host-tickfan=c.c.c", Some("token:c.c.c")),
        ("__Host-tickfan=", Some("token:")),
        ("__Host-tickfan=a=b", Some("token:a=b")),
        ("tickfan=c.c.c", None),
        ("__host-tickfan=c.c.c", None),
        ("__Host-tickfan2=c.c.c", None),
        ("x__Host-tickfan=c.c.c", None),
        ("a=__Host-tickfan", None),
        ("__Host-tickfan", None),
    ] {
        check(Asks::Token, "/v1/quotes", &[("cookie", field)], Ok(expected));
    }
    let crumbs = [("cookie", "a=1"), COOKIE_TOKEN, ("cookie", "b=2")];
    check(Asks::Token, "/v1/quotes", &crumbs, Ok(Some("token:c.c.c")));
}

#[test]
fn a_ticket_counts_for_a_stream_alone() {
    let target = "/v1/stream/AAPL?max_rate=4&ticket=t-_T&on=trade";
    check(Asks::TokenOrTicket, target, &[], Ok(Some("ticket:t-_T")));
    check(Asks::TokenOrTicket, "/v1/stream?ticket=", &[], Ok(Some("ticket:")));
    check(Asks::TokenOrTicket, "/v1/stream?tickets=t&aticket=t", &[], Ok(None));
    check(Asks::Token, target, &[], Ok(None));
    check(Asks::Bearer, target, &[], Ok(None));
}

#[test]
fn two_credentials_are_refused_whatever_they_are() {
    let ticket = "/v1/stream?ticket=t";
    for (target, headers) in [
        ("/v1/stream", &[BEARER, COOKIE_TOKEN][..]),
        ("/v1/stream", &[BEARER, BEARER]),
        ("/v1/stream", &[COOKIE_TOKEN, COOKIE_TOKEN]),
        ("/v1/stream", &[("cookie", "__Host-tickfan=a; __Host-tickfan=b")]),
        (ticket, &[BEARER]),
        (ticket, &[COOKIE_TOKEN]),
        ("/v1/stream?ticket=t&ticket=t", &[]),
    ] {
        check(Asks::TokenOrTicket, target, headers, Err(Refusal::TwoCredentials));
    }
    // A browser sends its cookie along when a page renews it.
    check(Asks::BearerForCookie, "/v1/session", &[BEARER, COOKIE_TOKEN], Ok(Some("token:b.b.b")));
    check(Asks::Nothing, "/", &[BEARER, COOKIE_TOKEN, BEARER], Ok(None));
}

#[test]
fn rule_10_a_token_has_a_longest_length() {
    for (length, fits) in [(TOKEN_BYTES_MAX, true), (TOKEN_BYTES_MAX + 1, false)] {
        let value = format!("Bearer {}", "x".repeat(length));
        let result = found(Asks::Token, "/v1/quotes", &[("authorization", &value)]);
        assert_eq!(result.is_ok(), fits);
        assert!(fits || result == Err(Refusal::TooLong));
    }
}

#[test]
fn the_cookie_counts_for_pages_of_this_origin_and_listed_ones_of_this_site() {
    for (headers, counts) in [
        (&[][..], true),
        (&[("sec-fetch-site", "same-origin")], true),
        (&[("sec-fetch-site", "none")], true),
        (&[("sec-fetch-site", "same-origin"), ("origin", "https://ticks.example:8443")], true),
        (&[("sec-fetch-site", "same-site"), ("origin", "https://app.example")], true),
        (&[("sec-fetch-site", "same-site"), ("origin", "https://a.desk.example")], true),
        (&[("sec-fetch-site", "same-site"), ("origin", "https://evil.example")], false),
        (&[("sec-fetch-site", "same-site")], false),
        (&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")], false),
        (&[("sec-fetch-site", "Same-Origin")], false),
        (&[("sec-fetch-site", "")], false),
    ] {
        check_cookie(headers, counts);
    }
}

#[test]
fn where_a_browser_does_not_name_the_site_a_foreign_origin_has_the_cookie_refused() {
    for (headers, counts) in [
        // A program, or a simple GET of an old browser: `SameSite=Strict` alone guards it.
        (&[][..], true),
        (&[("origin", "https://ticks.example:8443")], true),
        (&[("origin", "http://TICKS.example:8443")], true),
        (&[("origin", "https://app.example")], true),
        (&[("origin", "https://ticks.example")], false),
        (&[("origin", "https://evil.example")], false),
        (&[("origin", "null")], false),
        (&[("origin", "")], false),
        (&[("origin", "ticks.example:8443")], false),
    ] {
        check_cookie(headers, counts);
    }
}

#[test]
fn a_page_of_another_site_is_told_so_though_its_origin_is_listed() {
    for headers in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://app.example")],
    ] {
        check_page(headers, Err(Refusal::OtherSite));
    }
}

#[track_caller]
fn check_cookie(headers: &[(&str, &str)], counts: bool) {
    check_page(headers, if counts { Ok(()) } else { Err(Refusal::WrongOrigin) });
}

/// A page gets the cookie where it may use it.
#[track_caller]
fn check_page(headers: &[(&str, &str)], may: Result<(), Refusal>) {
    let with = |credential| headers.iter().copied().chain([credential]).collect::<Vec<_>>();
    check(Asks::Token, "/v1/quotes", &with(COOKIE_TOKEN), may.map(|()| Some("token:c.c.c")));
    check(Asks::BearerForCookie, "/v1/session", &with(BEARER), may.map(|()| Some("token:b.b.b")));
    // A page that holds the token itself may be of any site.
    check(Asks::Token, "/v1/quotes", &with(BEARER), Ok(Some("token:b.b.b")));
    check(Asks::Bearer, "/v1/tickets", &with(BEARER), Ok(Some("token:b.b.b")));
    // What a cookie alone cannot do, from any page.
    check(Asks::BearerForCookie, "/v1/session", &with(COOKIE_TOKEN), Ok(None));
}
