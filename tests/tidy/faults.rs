//! The faults that documents name: each has a test or a script that injects it.

use super::{files, root};
use std::{collections::BTreeSet, fs};

/// Each has tables of faults, whose first column is `fault` and whose last is `run by`.
const CATALOGUES: [&str; 2] = ["docs/outages.md", "docs/cluster.md"];
const FAULTS_MIN: usize = 60;
const TABLE_START: &str = "| fault |";

/// A row of a catalogue.
#[derive(Debug)]
struct Fault {
    name: String,
    /// The cells between its name and what runs it.
    told: Vec<String>,
    /// What runs it, as the document writes it.
    run_by: Vec<String>,
}

/// What stands in backquotes.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The faults of a document's tables.
fn faults(text: &str) -> Vec<Fault> {
    let mut lines = text.lines();
    let mut faults = Vec::new();
    while let Some(head) = lines.by_ref().find(|line| line.starts_with(TABLE_START)) {
        let columns = head.split(" | ").count();
        assert!(head.ends_with("| run by |"), "{head}");
        for row in lines.by_ref().skip(1).take_while(|line| line.starts_with('|')) {
            let row = row.strip_prefix("| ").and_then(|row| row.strip_suffix(" |")).unwrap_or(row);
            let cells: Vec<&str> = row.split(" | ").collect();
            assert_eq!(cells.len(), columns, "{row}");
            let [name, told @ .., run_by] = &cells[..] else { panic!("{row}") };
            let names = quoted(name);
            assert_eq!(names.len(), 1, "a fault has one name: {row}");
            let told = told.iter().map(|cell| cell.trim().to_owned()).collect();
            faults.push(Fault { name: names[0].clone(), told, run_by: quoted(run_by) });
        }
    }
    faults
}

fn is_name(text: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    text.split('-').all(is_word)
}

/// The tests below a folder.
fn tests(folder: &str) -> BTreeSet<String> {
    let mut tests = BTreeSet::new();
    for path in files(folder, "rs") {
        let text = fs::read_to_string(&path).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) {
                tests.insert(rest.split(['(', '<']).next().unwrap().to_owned());
                is_test = false;
            }
        }
    }
    tests
}

/// Whether a catalogue's word for what runs a fault leads to something that is there.
fn is_there(run_by: &str) -> bool {
    let Some((kind, rest)) = run_by.split_once(' ') else { return root().join(run_by).is_file() };
    let in_file = |path: &str, wanted: &str| fs::read_to_string(root().join(path)).unwrap().contains(wanted);
    match kind {
        "lib" => tests("src").contains(rest),
        "loadtest" => root().join(format!("loadtest/scenarios/{rest}.toml")).is_file(),
        "scripts/nightly" => in_file(kind, &format!("\n{rest}() {{")),
        "scripts/drill" => rest
            .strip_prefix("--only ")
            .is_some_and(|name| in_file("e2e/operators/faults.mjs", &format!("  \"{name}\": {{"))),
        "scripts/floods" => {
            let name = rest.trim_matches('"');
            in_file("e2e/operators/floods.mjs", &format!("name: \"{name}\""))
                || in_file("e2e/operators/h2_floods.mjs", &format!("  \"{name}\": "))
        }
        _ => {
            root().join("tests").join(kind).join("main.rs").is_file() && tests(&format!("tests/{kind}")).contains(rest)
        }
    }
}

#[test]
fn each_named_fault_has_a_test_or_a_script_that_is_there() {
    let mut names = BTreeSet::new();
    let mut wrong = Vec::new();
    for document in CATALOGUES {
        for Fault { name, told, run_by } in faults(&fs::read_to_string(root().join(document)).unwrap()) {
            let mut finds = |what: String| wrong.push(format!("{document}: {name} {what}"));
            if !is_name(&name) {
                finds("is not a name: small letters and hyphens".to_owned());
            }
            if told.iter().any(String::is_empty) {
                finds("has an empty cell: write –".to_owned());
            }
            if run_by.is_empty() {
                finds("has nothing that runs it".to_owned());
            }
            run_by
                .iter()
                .filter(|run_by| !is_there(run_by))
                .for_each(|run_by| finds(format!("is run by {run_by}, which is not there")));
            if !names.insert(name.clone()) {
                finds("has its name from another fault".to_owned());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(names.len() >= FAULTS_MIN, "{} faults have a name", names.len());
}

#[test]
fn the_catalogue_is_read_row_by_row_and_finds_what_is_not_there() {
    let text =
        "| fault | what | run by |\n|---|---|---|\n| `a-b` | x | `it z`, `scripts/drill` |\n\n| fault-free | x |\n";
    let found = faults(text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].name.as_str(), &found[0].run_by[..]),
        ("a-b", &["it z".to_owned(), "scripts/drill".to_owned()][..])
    );
    assert!(is_name("a-b2") && !is_name("a_b") && !is_name("a--b") && !is_name("A"));
    let here = "tidy each_named_fault_has_a_test_or_a_script_that_is_there";
    for there in [
        here,
        "scripts/drill",
        "scripts/drill --only bad-key",
        "scripts/floods \"tiny windows\"",
        "scripts/nightly drill",
        "loadtest storm",
    ] {
        assert!(is_there(there), "{there}");
    }
    for missing in [
        "tidy faults",
        "lib each_named_fault",
        "scripts/drill --only bad",
        "scripts/nightly dril",
        "loadtest stor",
        "no x",
        "scripts/floods tiny",
    ] {
        assert!(!is_there(missing), "{missing}");
    }
}
