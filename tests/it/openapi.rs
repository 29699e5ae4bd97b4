//! The document that describes the API describes this one: its routes, its version, what it refers to.

use crate::support::{Gateway, Setup, update};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};
use tickfan::api::OPENAPI;

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// The patterns of the routes, as the code has them: `.get(Route::Stream, "/v1/stream/{symbol}", …)`.
fn routed() -> BTreeSet<String> {
    let code = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api/routes.rs")).unwrap();
    let pattern = |call: &str| call.split('"').nth(1).unwrap().to_owned();
    let code = code.replace(".get_async(", ".get(").replace(".write(", ".get(").replace(".post_body(", ".get(");
    code.split(".get(Route::").skip(1).map(pattern).collect()
}

#[test]
fn its_paths_are_the_routes() {
    let described: BTreeSet<String> = document()["paths"].as_object().unwrap().keys().cloned().collect();
    assert!(described.contains("/v1/stream/{symbol}"));
    assert_eq!(described, routed());
}

/// The query's parameters of a path, as the document has them.
fn described_parameters(document: &Value, path: &str) -> BTreeSet<String> {
    let parameters = document["paths"][path]["get"]["parameters"].as_array().into_iter().flatten();
    let resolved = parameters.map(|parameter| match parameter["$ref"].as_str() {
        Some(reference) => document.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => parameter,
    });
    let of_query = resolved.filter(|parameter| parameter["in"] == "query");
    of_query.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn its_parameters_are_those_that_each_path_takes() {
    let gateway = Gateway::start(Setup::default());
    let document = document();
    let is_read = |path: &&String| path.starts_with("/v1/") && document["paths"][path.as_str()]["get"].is_object();
    for path in document["paths"].as_object().unwrap().keys().filter(is_read) {
        let answer = gateway.client().get(&format!("{}?unheard=of", path.replace("{symbol}", "AAPL")));
        assert_eq!(answer.status, 400, "{path}: an unknown parameter");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        let taken = detail.split("It takes ").nth(1).unwrap().trim_end_matches('.');
        let taken: BTreeSet<String> = taken.split(", ").filter(|name| *name != "none").map(str::to_owned).collect();
        assert_eq!(taken, described_parameters(&document, path), "{path}");
    }
}

#[test]
fn it_is_served_and_of_this_version() {
    let gateway = Gateway::start(Setup::default());
    let answer = gateway.client().get("/openapi.json");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.json(), document());
    assert_eq!(document()["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document()["openapi"], "3.2.0");
}

#[test]
fn every_reference_resolves() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| match value {
                Value::String(text) if name == "$ref" => found.push(text.clone()),
                value => references(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for reference in found {
        assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
    }
}

#[test]
fn it_names_every_field_of_a_tick_and_no_tick_lacks_what_it_requires() {
    let gateway = Gateway::start(Setup::default());
    let state = gateway.cache.get(&"AAPL".parse().unwrap()).unwrap();
    state.publish(&update(), tickfan::market::Now::read());
    let quotes = gateway.client().get("/v1/quotes?symbols=AAPL,MSFT").json();
    let schema = &document()["components"]["schemas"]["Tick"];
    for tick in quotes["quotes"].as_array().unwrap() {
        for name in tick.as_object().unwrap().keys() {
            assert!(schema["properties"][name].is_object(), "{name} is not described");
        }
        for name in schema["required"].as_array().unwrap() {
            assert!(tick.get(name.as_str().unwrap()).is_some(), "{name} is missing in {tick}");
        }
    }
}
