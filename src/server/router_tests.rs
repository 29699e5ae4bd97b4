use super::*;
use crate::telemetry::labels::labels;
use http::{Method, Request as HttpRequest};

labels! {
    /// The routes of these tests.
    enum Route {
        /// One.
        Listed = "listed",
        /// Another.
        One = "one",
        /// The rest.
        File = "file",
    }
}

fn echo(answer: &String, request: Request) -> Answer<String> {
    let parameter = request.query.first("a").unwrap_or("-");
    Answer::Stream(format!("{answer}: {} {parameter}", request.segment))
}

async fn echo_later(answer: Arc<String>, request: Request) -> Answer<String> {
    echo(&answer, request)
}

fn found(path: usize, _: Request) -> Answer<String> {
    Answer::Stream(path.to_string())
}

fn routes() -> Routes<String> {
    Router::new("context".to_owned(), Elsewhere { prefixes: &["/other"], place: "It is elsewhere." })
        .get(Route::Listed, "/v1/things", echo)
        .get_async(Route::One, "/v1/things/{thing}", echo_later)
        .post_async(Route::One, "/write/{thing}", echo_later)
        .get_found(Route::File, |path| path.starts_with("/file").then_some(path.len()), found)
        .build()
}

async fn ask(method: Method, target: &str) -> (&'static str, Result<String, StatusCode>) {
    let routes = routes();
    let (head, ()) = HttpRequest::builder().method(method).uri(target).body(()).unwrap().into_parts();
    let routed = routes.answer(head, Rights::All, RequestBody::default()).await;
    match routed.answer {
        Answer::Stream(echoed) => (routed.route, Ok(echoed)),
        Answer::Problem(problem) => (routed.route, Err(problem.status)),
        Answer::Whole(response) => (routed.route, Err(response.status())),
    }
}

#[tokio::test]
async fn a_request_reaches_the_route_whose_pattern_its_path_matches() {
    for (target, route, answer) in [
        ("/v1/things", "listed", "context:  -"),
        ("/v1/things/", "listed", "context:  -"),
        ("/v1/things?a=1&a=2&b=3", "listed", "context:  1"),
        ("/v1/things?a=%41+b", "listed", "context:  A b"),
        ("/v1/things/x%20y?a=1", "one", "context: x y 1"),
        ("/v1/things/%ff", "one", "context: \u{fffd} -"),
        ("/v1/things/%2e%2e%2f", "one", "context: ../ -"),
        ("/file.js", "file", "8"),
    ] {
        assert_eq!(ask(Method::GET, target).await, (route, Ok(answer.to_owned())), "{target}");
    }
}

#[tokio::test]
async fn a_route_for_post_takes_no_other_method() {
    assert_eq!(ask(Method::POST, "/write/x?a=1").await, ("one", Ok("context: x 1".to_owned())));
    for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
        assert_eq!(ask(method, "/write/x").await, ("one", Err(StatusCode::METHOD_NOT_ALLOWED)));
    }
}

#[tokio::test]
async fn a_request_that_no_route_takes_is_counted_as_other() {
    let not_found = StatusCode::NOT_FOUND;
    let wrong_method = StatusCode::METHOD_NOT_ALLOWED;
    for (method, target, status) in [
        (Method::GET, "/", not_found),
        (Method::POST, "/write", not_found),
        (Method::GET, "/v1", not_found),
        (Method::GET, "/v1/thing", not_found),
        (Method::GET, "/v1/things/x/y", not_found),
        (Method::GET, "//v1/things", not_found),
        (Method::POST, "/v1/thing", not_found),
        (Method::POST, "/v1/things", wrong_method),
        (Method::DELETE, "/v1/things/x", wrong_method),
        (Method::PUT, "/file.js", wrong_method),
    ] {
        assert_eq!(ask(method.clone(), target).await, ("other", Err(status)), "{method} {target}");
    }
}

#[tokio::test]
async fn a_path_that_does_not_exist_is_told_the_listeners_routes_and_the_nearest_one() {
    let routes = routes();
    for (target, meant, is_elsewhere) in [
        ("/v1/thing", Some("/v1/things"), false),
        ("/v1/thinsg/?a=1", Some("/v1/things"), false),
        ("/V1/THINGS", Some("/v1/things"), false),
        ("/v1/thing%73/", Some("/v1/things"), false),
        ("/other/page", None, true),
        ("/", None, false),
        ("/completely/different", None, false),
    ] {
        let (head, ()) = HttpRequest::builder().uri(target).body(()).unwrap().into_parts();
        let routed = routes.answer(head, Rights::All, RequestBody::default()).await;
        let Answer::Problem(problem) = routed.answer else { continue };
        let detail = problem.detail;
        assert!(detail.contains("The routes are /v1/things, /v1/things/{thing}, /write/{thing}."), "{detail}");
        let suggestion = meant.map(|path| format!("Did you mean {path}?"));
        assert_eq!(detail.contains("Did you mean"), meant.is_some(), "{target}: {detail}");
        assert!(suggestion.is_none_or(|text| detail.contains(&text)), "{target}: {detail}");
        assert_eq!(detail.contains("It is elsewhere."), is_elsewhere, "{target}: {detail}");
    }
}
