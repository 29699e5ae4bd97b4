//! `docs/endpoints/`: a page for each endpoint. Which there are follows from the routes; parameters and answers of the
//! clients' endpoints follow from `openapi.json`.

use super::document::check;
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};
use tickfan::api::OPENAPI;

const FOLDER: &str = "docs/endpoints";

/// The two listeners, as pages name them, and the code of their routes.
const LISTENERS: [(&str, &str); 2] = [("Clients", "src/api/routes.rs"), ("Operators", "src/admin/routes.rs")];

/// Answers that many endpoints share, with their status: the index describes them once.
const SHARED: [(&str, &str); 6] = [
    ("400", "BadRequest"),
    ("401", "Unauthorized"),
    ("403", "Forbidden"),
    ("414", "TooLong"),
    ("421", "UnknownHost"),
    ("503", "NoKeys"),
];

/// An answer without a problem document, which every path may give.
const LONG_HEAD: &str = "431";

/// A bound above this is that of a number's format, not of its meaning.
const LARGEST_EXACT: f64 = 9_007_199_254_740_992.0; // 2^53

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

fn document() -> Value {
    serde_json::from_str(OPENAPI).unwrap()
}

/// The methods and paths that the code of a listener routes: `.get(Route::Stream, "/v1/stream/{symbol}", …)`.
fn routed(code: &str) -> Vec<String> {
    let mut routes = Vec::new();
    for call in code.lines().filter_map(|line| line.trim().strip_prefix('.')) {
        let Some((name, arguments)) = call.split_once("(Route::") else { continue };
        let path = arguments.split('"').nth(1);
        let methods: Vec<&str> = match name {
            // `get_found`: the page and its files, which have no path here.
            "get" | "get_async" | "get_found" => vec!["GET"],
            "post_body" | "post_async" => vec!["POST"],
            "write" => arguments.split("Method::").skip(1).map(|rest| rest.split([',', ']']).next().unwrap()).collect(),
            other => panic!("`{other}` is a new way to add a route"),
        };
        routes.extend(methods.into_iter().map(|method| format!("{method} {}", path.unwrap_or("/"))));
    }
    routes
}

struct Page {
    file: String,
    title: String,
    listener: String,
    /// Methods and paths.
    routes: Vec<String>,
}

/// Reads the head of a page: its title, and `Clients: ` or `Operators: ` with its routes.
fn page(path: &Path) -> Page {
    let text = fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let title = lines.next().unwrap().strip_prefix("# ").unwrap().to_owned();
    let (listener, routes) = lines.nth(1).unwrap().split_once(": ").unwrap();
    Page {
        file: path.file_name().unwrap().to_str().unwrap().to_owned(),
        title,
        listener: listener.to_owned(),
        routes: routes.split('`').skip(1).step_by(2).map(str::to_owned).collect(),
    }
}

fn pages() -> Vec<Page> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| !path.ends_with("README.md"));
    files.sort();
    files.iter().map(|path| page(path)).collect()
}

#[test]
fn each_route_has_one_page() {
    let pages = pages();
    for (listener, file) in LISTENERS {
        let mut described: Vec<&String> =
            pages.iter().filter(|page| page.listener == listener).flat_map(|page| &page.routes).collect();
        described.sort();
        let routed = routed(&read(file));
        let mut expected: Vec<&String> = routed.iter().collect();
        expected.sort();
        assert_eq!(described, expected, "{FOLDER} and {file}");
    }
}

#[test]
fn each_operation_of_the_document_has_one_page() {
    let document = document();
    let operations: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let pages = pages();
    let described: Vec<&String> = pages.iter().flat_map(|page| &page.routes).collect();
    assert!(operations.len() > 10);
    for operation in operations {
        assert_eq!(described.iter().filter(|route| ***route == operation).count(), 1, "{operation}");
    }
}

#[test]
fn the_index_lists_the_pages_in_the_order_of_the_routes() {
    let mut expected = "\n".to_owned();
    let pages = pages();
    for (listener, file) in LISTENERS {
        write!(expected, "## {listener}\n\n| endpoint | page |\n|---|---|\n").unwrap();
        let mut listed: Vec<&str> = Vec::new();
        for route in routed(&read(file)) {
            let is_its = |page: &&Page| page.listener == listener && page.routes.contains(&route);
            let page = pages.iter().find(is_its).unwrap_or_else(|| panic!("{route} has no page"));
            if !listed.contains(&&*page.file) {
                listed.push(&page.file);
                let routes: Vec<String> = page.routes.iter().map(|route| format!("`{route}`")).collect();
                writeln!(expected, "| {} | [{}]({}) |", routes.join(", "), page.title, page.file).unwrap();
            }
        }
        expected.push('\n');
    }
    check("docs/endpoints/README.md", "<!-- endpoints -->", "<!-- end of endpoints -->", &expected);
}

/// The value, or what its reference leads to.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => document.pointer(reference.strip_prefix('#').unwrap()).unwrap(),
        None => value,
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{value} has no {name}"))
}

/// Bounds, such as `, 1 to 60`.
fn bounds(schema: &Value, lowest: &str, highest: &str) -> String {
    let highest = &schema[highest];
    let highest = if highest.as_f64().is_some_and(|bound| bound > LARGEST_EXACT) { &Value::Null } else { highest };
    match (&schema[lowest], highest) {
        (Value::Null, Value::Null) => String::new(),
        (lowest, Value::Null) => format!(", {lowest} or more"),
        (Value::Null, highest) => format!(", at most {highest}"),
        (lowest, highest) => format!(", {lowest} to {highest}"),
    }
}

/// What a schema allows, for readers.
fn values(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return match reference.rsplit('/').next().unwrap() {
            "Tick" => "[tick](../clients.md#the-fields-of-a-tick)".to_owned(),
            other => other.to_lowercase(),
        };
    }
    if let Some(constant) = schema.get("const") {
        return format!("`{constant}`");
    }
    if let Some(words) = schema["enum"].as_array() {
        let word = |word: &Value| format!("`{}`", word.as_str().map_or_else(|| word.to_string(), str::to_owned));
        return words.iter().map(word).collect::<Vec<_>>().join(", ");
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.iter().map(|name| name.as_str().unwrap()).collect(),
        name => vec![name.as_str().unwrap()],
    };
    let mut said = match types[0] {
        "array" => {
            let items = values(&schema["items"]);
            let plural = if items.ends_with(['`', ')']) { "" } else { "s" };
            format!("list of {items}{plural}{}", bounds(schema, "minItems", "maxItems"))
        }
        "string" if schema["pattern"].as_str().is_some_and(|pattern| pattern.ends_with("{0,31}$")) => {
            "symbol".to_owned()
        }
        "string" => "string".to_owned(),
        number => format!("{number}{}", bounds(schema, "minimum", "maximum")),
    };
    if types.len() > 1 {
        said += ", or `null`";
    }
    if let Some(default) = schema.get("default") {
        write!(said, "; by default {default}").unwrap();
    }
    said
}

/// Rows for the fields of an object, and of the objects in its lists.
fn fields(schema: &Value, before: &str, rows: &mut String) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (name, field) in schema["properties"].as_object().unwrap() {
        let is_object = |value: &Value| value["properties"].is_object();
        let items = &field["items"];
        let kind = if is_object(items) { "list of objects".to_owned() } else { values(field) };
        let present = if required.contains(&&**name) { "always" } else { "" };
        let meaning = field["description"].as_str().unwrap_or_else(|| panic!("`{before}{name}` has no description"));
        writeln!(rows, "| `{before}{name}` | {kind} | {present} | {meaning} |").unwrap();
        if is_object(items) {
            fields(items, &format!("{before}{name}[]."), rows);
        }
    }
}

/// A page's operations: each with its method.
fn operations<'a>(document: &'a Value, page: &Page) -> Vec<(String, &'a Map<String, Value>)> {
    let operation = |route: &String| {
        let (method, path) = route.split_once(' ').unwrap();
        let operation = document["paths"][path][method.to_lowercase()].as_object()?;
        Some((method.to_owned(), operation))
    };
    page.routes.iter().filter_map(operation).collect()
}

fn parameters(document: &Value, operations: &[(String, &Map<String, Value>)]) -> String {
    let mut rows: Vec<String> = Vec::new();
    for parameter in operations.iter().flat_map(|(_, operation)| operation.get("parameters")) {
        for parameter in parameter.as_array().unwrap() {
            let parameter = resolved(document, parameter);
            let row = format!(
                "| `{}` | {} | {} | {} |\n",
                text(parameter, "name"),
                text(parameter, "in"),
                values(&parameter["schema"]),
                text(parameter, "description")
            );
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
    }
    if rows.is_empty() {
        return "It takes none.\n\n".to_owned();
    }
    format!("| parameter | in | values | meaning |\n|---|---|---|---|\n{}\n", rows.concat())
}

fn body(document: &Value, operations: &[(String, &Map<String, Value>)]) -> String {
    let Some(body) = operations.iter().find_map(|(_, operation)| operation.get("requestBody")) else {
        return String::new();
    };
    let schema = resolved(document, &body["content"]["application/json"]["schema"]);
    let mut rows = String::new();
    fields(schema, "", &mut rows);
    format!(
        "## Body\n\n{} {}\n\n| field | values | present | meaning |\n|---|---|---|---|\n{rows}\n",
        text(schema, "description"),
        text(body, "description")
    )
}

fn answers(document: &Value, operations: &[(String, &Map<String, Value>)]) -> String {
    // For each status and description the methods that give it.
    let mut own: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    let mut shared = BTreeSet::new();
    let mut schemas: Vec<&Value> = Vec::new();
    for (method, operation) in operations {
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let name = answer["$ref"].as_str().and_then(|reference| reference.rsplit('/').next());
            if status == LONG_HEAD || SHARED.iter().any(|(_, shared)| name == Some(shared)) {
                shared.insert(&**status);
                continue;
            }
            let answer = resolved(document, answer);
            own.entry((status, text(answer, "description"))).or_default().push(method);
            let schema = &answer["content"]["application/json"]["schema"];
            if schema["$ref"].is_string() && !schemas.contains(&schema) {
                schemas.push(schema);
            }
        }
    }
    let mut said = "| status | when |\n|---|---|\n".to_owned();
    for ((status, description), methods) in &own {
        let methods =
            if methods.len() == operations.len() { String::new() } else { format!("{}: ", methods.join(", ")) };
        writeln!(said, "| {status} | {methods}{description} |").unwrap();
    }
    let shared = shared.into_iter().collect::<Vec<_>>().join(", ");
    writeln!(said, "| {shared} | [as for every endpoint](README.md#answers-of-every-endpoint) |\n").unwrap();
    for schema in schemas {
        let mut rows = String::new();
        fields(resolved(document, schema), "", &mut rows);
        write!(said, "| field of the answer | type | present | meaning |\n|---|---|---|---|\n{rows}\n").unwrap();
    }
    said
}

#[test]
fn parameters_and_answers_of_a_page_are_those_of_the_document() {
    let document = document();
    for page in pages() {
        let operations = operations(&document, &page);
        if operations.is_empty() {
            continue;
        }
        let expected = format!(
            "\n## Parameters\n\n{}{}## Answers\n\n{}",
            parameters(&document, &operations),
            body(&document, &operations),
            answers(&document, &operations)
        );
        let file = format!("{FOLDER}/{}", page.file);
        check(&file, "<!-- from openapi.json -->", "<!-- end of openapi.json -->", &expected);
    }
}

#[test]
fn the_index_has_the_answers_of_every_endpoint() {
    let document = document();
    let mut expected = "\n| status | when |\n|---|---|\n".to_owned();
    for (status, name) in SHARED {
        writeln!(expected, "| {status} | {} |", text(&document["components"]["responses"][name], "description"))
            .unwrap();
    }
    let long_head = &document["paths"]["/v1/stream"]["get"]["responses"][LONG_HEAD];
    writeln!(expected, "| {LONG_HEAD} | {} |\n", text(long_head, "description")).unwrap();
    check("docs/endpoints/README.md", "<!-- answers -->", "<!-- end of answers -->", &expected);
}
