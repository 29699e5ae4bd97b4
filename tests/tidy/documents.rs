//! What documents and manifests say of the code.

use super::{files, relative, root};
use std::{
    collections::BTreeMap,
    fs,
    path::{Component, Path, PathBuf},
};

/// More, and a newcomer does not read it to its end: the rest belongs into `docs/`.
const README_WORDS_MAX: usize = 1_000;

/// The numbered rules of ARCHITECTURE.md.
const RULES: std::ops::RangeInclusive<u32> = 1..=12;

#[test]
fn the_load_tester_judges_on_its_own() {
    let manifest = fs::read_to_string(root().join("loadtest/Cargo.toml")).unwrap();
    assert!(manifest.lines().all(|line| !line.starts_with("tickfan ")), "it depends on what it judges");
}

/// Numbers such as 1.23.0, but not addresses such as 127.0.0.1.
fn versions(text: &str) -> impl Iterator<Item = &str> {
    let numbers = text.split(|character: char| !character.is_ascii_digit() && character != '.');
    numbers.map(|number| number.trim_matches('.')).filter(|number| number.split('.').count() == 3)
}

#[test]
fn the_version_is_the_same_in_all_places() {
    let version = env!("CARGO_PKG_VERSION");
    for (path, before) in [
        ("loadtest/Cargo.toml", "\nversion = \""),
        ("venue-sim/Cargo.toml", "\nversion = \""),
        ("fuzz/Cargo.lock", "name = \"tickfan\"\nversion = \""),
        ("deploy/kubernetes/kustomization.yaml", "newTag: \""),
        ("docs/endpoints/admin.md", "<h1>tickfan "),
    ] {
        let text = fs::read_to_string(root().join(path)).unwrap();
        assert!(text.contains(&format!("{before}{version}")), "{path} has another version than {version}");
    }
    let guide = fs::read_to_string(root().join("docs/install.md")).unwrap();
    let found: Vec<_> = versions(&guide).collect();
    assert!(found.len() > 5 && found.iter().all(|found| *found == version), "docs/install.md has {found:?}");
}

#[test]
fn the_readme_is_short() {
    let words = fs::read_to_string(root().join("README.md")).unwrap().split_whitespace().count();
    assert!(words <= README_WORDS_MAX, "README.md has {words} words");
}

#[test]
fn the_nightly_workflow_runs_each_stage_once() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let sorted = |names: &str| {
        let mut names: Vec<String> = names.split_whitespace().map(str::to_owned).collect();
        names.sort();
        names
    };
    let script = read("scripts/nightly");
    let (_, stages) = script.split_once("\nstages=(").unwrap();
    let (stages, _) = stages.split_once(')').unwrap();
    let workflow = read(".github/workflows/nightly.yml");
    let (_, matrix) = workflow.split_once("stages: [").unwrap();
    let (matrix, _) = matrix.split_once(']').unwrap();
    assert_eq!(sorted(stages), sorted(&matrix.replace(['"', ','], " ")));
}

#[test]
fn each_rule_has_a_test_that_is_named_after_it() {
    let tests: Vec<String> =
        files("src", "rs").iter().chain(&files("tests", "rs")).map(|path| fs::read_to_string(path).unwrap()).collect();
    for rule in RULES {
        let name = format!("fn rule_{rule}_");
        assert!(tests.iter().any(|text| text.contains(&name)), "rule {rule} has no test of its name");
    }
}

/// The anchor that forges derive from a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(' ', "-");
    kept.chars().filter(|character| character.is_alphanumeric() || "-_".contains(*character)).collect()
}

#[test]
fn links_of_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for document in files("", "md") {
        let text = fs::read_to_string(&document).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        for link in links.filter(|link| !link.contains("://")) {
            let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
            let target = if file.is_empty() { document.clone() } else { document.parent().unwrap().join(file) };
            let is_there = match heading {
                None => target.exists(),
                Some(heading) => fs::read_to_string(&target).is_ok_and(|text| {
                    text.lines()
                        .any(|line| line.starts_with('#') && anchor(line.trim_start_matches('#').trim()) == heading)
                }),
            };
            if !is_there {
                broken.push(format!("{} links {link}", relative(&document)));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Where the Debian package installs the files of this repository, each with its place in it.
fn installed() -> BTreeMap<PathBuf, PathBuf> {
    let manifest: toml::Table = toml::from_str(&fs::read_to_string(root().join("Cargo.toml")).unwrap()).unwrap();
    let assets = manifest["package"]["metadata"]["deb"]["assets"].as_array().unwrap();
    let mut installed = BTreeMap::new();
    for asset in assets {
        let [pattern, to] = [0, 1].map(|index| asset[index].as_str().unwrap());
        // cargo-deb keeps the folders below `**`, and no others.
        let base = pattern.split_once("/**").map(|(base, _)| root().join(base));
        for from in glob::glob(root().join(pattern).to_str().unwrap()).unwrap() {
            let from = from.unwrap();
            let name = match &base {
                Some(base) => from.strip_prefix(base).unwrap(),
                None => Path::new(from.file_name().unwrap()),
            };
            let place = if to.ends_with('/') { Path::new(to).join(name) } else { PathBuf::from(to) };
            if from.is_file() {
                installed.insert(place, from);
            }
        }
    }
    installed
}

/// A path without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => drop(normal.pop()),
            other => normal.push(other),
        }
    }
    normal
}

#[test]
fn links_of_installed_documents_lead_somewhere() {
    let installed = installed();
    let mut broken = Vec::new();
    for (place, from) in installed.iter().filter(|(place, _)| place.extension().is_some_and(|name| name == "md")) {
        let text = fs::read_to_string(from).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '#']).next());
        for link in links.filter(|link| !link.contains("://") && !link.is_empty()) {
            let target = normal(&place.parent().unwrap().join(link));
            // A folder is there where a file in it is.
            if !installed.keys().any(|place| place.starts_with(&target)) {
                broken.push(format!("{} links {link}", place.display()));
            }
        }
    }
    assert!(installed.len() > 100, "{installed:?}");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn documents_name_what_is_there() {
    let documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "examples/README.md"]
        .map(|name| root().join(name))
        .into_iter();
    for document in documents.chain(files("docs", "md")) {
        let text = fs::read_to_string(&document).unwrap();
        for quoted in text.split('`').skip(1).step_by(2) {
            let place = quoted.split([':', ' ']).next().unwrap();
            if ["src/", "tests/", "e2e/", "scripts/", "benches/", "docs/", "examples/", "deploy/"]
                .iter()
                .any(|folder| place.starts_with(folder))
            {
                assert!(root().join(place).exists(), "{} names {place}", relative(&document));
            }
        }
    }
}
