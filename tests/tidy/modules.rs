//! Which module may use which.

use super::{code, files, is_test, relative, root, stage};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Each stage, and the stages that it may use. `gateway` and `main` may use all.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("market", &[]),
    ("recording", &["market", "telemetry"]),
    ("venue", &["market", "recording", "telemetry"]),
    ("dial", &["config"]),
    ("feed", &["market", "venue", "recording", "dial", "config", "telemetry"]),
    ("ingest", &["market", "feed", "cache", "fanout", "telemetry"]),
    ("cache", &["market", "wire", "sync"]),
    ("delay", &["market", "cache", "telemetry"]),
    ("history", &["market", "cache"]),
    ("demand", &["market", "venue", "feed", "cache", "config", "limits", "telemetry"]),
    ("wire", &["market"]),
    ("h2", &["tls"]),
    ("cluster", &["market", "feed", "ingest", "cache", "fanout", "wire", "config", "telemetry"]),
    ("fanout", &["market", "wire", "cache", "tls", "h2", "config", "telemetry", "sync"]),
    ("auth", &["market"]),
    ("issuer", &["market", "config", "dial", "auth", "telemetry"]),
    ("server", &["auth", "tls", "config", "limits", "telemetry", "suggest"]),
    ("access", &["market", "auth", "server", "config", "telemetry"]),
    (
        "api",
        &[
            "market",
            "wire",
            "cache",
            "history",
            "demand",
            "h2",
            "fanout",
            "tls",
            "auth",
            "access",
            "server",
            "config",
            "limits",
            "telemetry",
            "suggest",
        ],
    ),
    (
        "admin",
        &[
            "market",
            "cache",
            "demand",
            "fanout",
            "cluster",
            "feed",
            "issuer",
            "server",
            "config",
            "limits",
            "telemetry",
        ],
    ),
    ("config", &["market", "recording", "venue", "wire", "telemetry", "suggest", "tls", "auth"]),
    ("limits", &[]),
    ("telemetry", &["suggest"]),
    ("tls", &[]),
    ("suggest", &[]),
    ("sync", &[]),
    ("cli", &["wire", "config", "telemetry"]),
    ("top", &[]),
];

/// The one file that names warp: everywhere else routes are patterns and functions.
const NAMES_WARP: &str = "src/server/router.rs";

/// Stages that use neither an async runtime nor a web framework.
const WITHOUT_RUNTIME: &[&str] =
    &["market", "venue", "cache", "delay", "history", "wire", "h2", "fanout", "cluster", "ingest", "auth"];

/// The stages that the code names in `crate::…` paths, also inside braces.
fn known(code: &str) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for (place, _) in code.match_indices("crate::") {
        let rest = &code[place + "crate::".len()..];
        let mut depth = 0;
        let mut word = String::new();
        let mut fresh = true;
        for character in rest.chars() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => fresh = true,
                'a'..='z' | '0'..='9' | '_' if fresh => word.push(character),
                _ if character.is_whitespace() && word.is_empty() => {}
                _ => {
                    if depth <= 1 && !word.is_empty() {
                        known.insert(std::mem::take(&mut word));
                    }
                    fresh = false;
                }
            }
            if depth == 0 && !fresh {
                break;
            }
        }
    }
    known
}

#[test]
fn knowledge_goes_one_way() {
    assert_eq!(known("use crate::{\n    cache::{Tick, x},\n    market::Now,\n};\ncrate::wire::tick()").len(), 3);
    for path in files("src", "rs").into_iter().filter(|path| !is_test(path)) {
        let stage = stage(&path);
        let Some((_, may_know)) = MAY_KNOW.iter().find(|(name, _)| *name == stage) else {
            assert!(
                ["lib", "main", "gateway"].contains(&stage.as_str()),
                "{stage} has no place in the order of stages"
            );
            continue;
        };
        for other in known(&code(&path)) {
            assert!(other == stage || may_know.contains(&other.as_str()), "{} knows {other}", relative(&path));
        }
    }
}

/// Files and folders of such stages that still need a runtime, and why.
const WITH_RUNTIME: &[(&str, &str)] = &[
    ("src/venue/sim/server.rs", "it is the other side of the simulator's websocket, and ships with its protocol"),
    ("src/venue/replay/server.rs", "it is the other side of a recording's websocket"),
    ("src/venue/replay/player.rs", "it reads files on a thread, ahead of that websocket"),
    ("src/cluster/bus.rs", "its users are tasks, and wait for what it brings"),
    ("src/cluster/memory/", "it is such a bus"),
    ("src/cluster/nats/", "so is it"),
    ("src/cluster/outlet.rs", "it wakes the task of a shard"),
    ("src/cluster/owner", "it answers from a task"),
    ("src/cluster/shard_io.rs", "it waits for the bus and for leases"),
    ("src/cluster/shard_task/", "it is a task"),
    ("src/cluster/handle.rs", "it waits for tasks"),
    ("src/cluster/node.rs", "it is a task"),
];

#[test]
fn the_path_of_a_tick_needs_no_runtime() {
    for path in files("src", "rs").into_iter().filter(|path| WITHOUT_RUNTIME.contains(&stage(path).as_str())) {
        if WITH_RUNTIME.iter().any(|(name, _)| relative(&path).starts_with(name)) {
            continue;
        }
        for foreign in ["tokio::", "warp::", "hyper::"] {
            assert!(!code(&path).contains(foreign), "{} uses {foreign}", relative(&path));
        }
    }
}

#[test]
fn one_file_names_warp() {
    for path in files("src", "rs") {
        let names_warp = code(&path).contains("warp::");
        assert_eq!(names_warp, relative(&path) == NAMES_WARP, "{} and warp", relative(&path));
    }
}

/// The modules that `prefix…` paths of a code name, also inside braces: `stream` in `super::stream::…`.
fn siblings(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (place, _) in code.match_indices(prefix) {
        // `super::super::x` leads out of the folder, and `my_super::x` is another path.
        let before = code[..place].chars().next_back().unwrap_or(' ');
        if before.is_alphanumeric() || before == '_' || before == ':' {
            continue;
        }
        let rest = &code[place + prefix.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            found.insert(first_word(rest));
            continue;
        };
        let mut depth = 0;
        let mut entry = String::new();
        for character in list.chars() {
            match character {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                _ => {}
            }
            if character == ',' && depth == 0 {
                found.insert(first_word(&std::mem::take(&mut entry)));
            } else {
                entry.push(character);
            }
        }
        found.insert(first_word(&entry));
    }
    found
}

fn first_word(path: &str) -> String {
    path.trim_start().chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

/// For each child module of a folder, the siblings that it imports. A child is a file or a folder with all its files;
/// the folder's own `mod.rs` imports its children, and is not one of them.
fn imports_between_children(folder: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let crate_path = relative(folder).replace('/', "::").replacen("src", "crate", 1) + "::";
    let mut imports = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            let children = files(&relative(&path), "rs").into_iter().filter(|file| !is_test(file));
            let code: String = children.map(|file| code(&file)).collect();
            imports.insert(name, siblings(&code, &crate_path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_test(&path) && name != "mod" {
            let code = code(&path);
            let mut imported = siblings(&code, "super::");
            imported.append(&mut siblings(&code, &crate_path));
            imports.insert(name, imported);
        }
    }
    // A child's `mod.rs` reaches its siblings by `super::` too.
    let re_exported = re_exports(&folder.join("mod.rs"));
    let names: BTreeSet<String> = imports.keys().cloned().collect();
    for (name, imported) in &mut imports {
        let module = folder.join(name).join("mod.rs");
        if module.exists() {
            imported.append(&mut siblings(&code(&module), "super::"));
        }
        *imported = imported.iter().map(|other| re_exported.get(other).unwrap_or(other).clone()).collect();
        imported.retain(|other| other != name && names.contains(other));
    }
    imports
}

/// The names that a folder's `mod.rs` takes from its children, each with its child: an import of such a name from the
/// folder is an import of the child.
fn re_exports(module: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    if !module.exists() {
        return found;
    }
    let code = code(module);
    for statement in code.split(';') {
        let Some((_, path)) = statement.split_once("use ") else { continue };
        let Some((child, names)) = path.split_once("::") else { continue };
        let names = names.split(|character: char| !character.is_alphanumeric() && character != '_');
        for name in names.filter(|name| !name.is_empty()) {
            found.insert(name.to_owned(), child.trim().to_owned());
        }
    }
    found
}

/// The modules from which imports lead back to them.
fn in_circles(imports: &BTreeMap<String, BTreeSet<String>>) -> Vec<&String> {
    let reaches_itself = |start: &String| {
        let mut seen = BTreeSet::new();
        let mut ahead = vec![start];
        while let Some(module) = ahead.pop() {
            for next in imports.get(module).into_iter().flatten() {
                if next == start {
                    return true;
                }
                if seen.insert(next) {
                    ahead.push(next);
                }
            }
        }
        false
    };
    imports.keys().filter(|module| reaches_itself(module)).collect()
}

#[test]
fn files_of_a_folder_do_not_import_each_other_in_circles() {
    let found =
        siblings("use super::{\n a::{B, c},\n d,\n};\nsuper::e::f();\nsuper::super::g;\nmy_super::h;", "super::");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["", "a", "d", "e", "super"]);
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let imports = [("a", set(&["b"])), ("b", set(&["c"])), ("c", set(&["b"])), ("d", set(&["a"]))];
    assert_eq!(in_circles(&imports.map(|(name, imported)| (name.to_owned(), imported)).into()), ["b", "c"]);

    let mut folders: BTreeSet<PathBuf> = files("src", "rs").iter().map(|file| file.parent().unwrap().into()).collect();
    folders.remove(&root().join("src"));
    let mut circles = Vec::new();
    for folder in folders {
        let imports = imports_between_children(&folder);
        let modules = in_circles(&imports);
        if !modules.is_empty() {
            circles.push(format!("{}: {modules:?}", relative(&folder)));
        }
    }
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

#[test]
fn only_the_edges_read_a_clock_or_the_environment() {
    let edges = [
        "config/load.rs",
        "feed/connection/",
        "cluster/nats/",
        "cluster/clock.rs",
        "cluster/outlet.rs",
        "cluster/owner.rs",
        "cluster/shard_task/",
        "cluster/handle.rs",
        "cluster/node.rs",
        "dial/connect.rs",
        "feed/supervisor.rs",
        "issuer/keeper.rs",
        "recording/write/thread.rs",
        "venue/sim/server.rs",
        "venue/replay/player.rs",
        "venue/replay/server.rs",
        "fanout/thread.rs",
        "fanout/pool.rs",
        "server/",
        "access/",
        "api/",
        "admin/",
        "gateway/",
        "main.rs",
        "cli/",
        "top/",
    ];
    for path in files("src", "rs") {
        let name = relative(&path);
        if name == "src/market/time.rs"
            || is_test(&path)
            || edges.iter().any(|edge| name.starts_with(&format!("src/{edge}")))
        {
            continue;
        }
        for call in ["Now::read()", "Instant::now()", "SystemTime::now()", "env::var"] {
            assert!(!code(&path).contains(call), "{name} calls {call}");
        }
    }
}

/// The folders of the venues, which have their names.
fn venue_names() -> Vec<String> {
    let folders = fs::read_dir(root().join("src/venue")).unwrap().map(|entry| entry.unwrap().path());
    let folders = folders.filter(|path| path.is_dir() && !path.ends_with("kit"));
    folders.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// The words of a code: what stands between characters that no name has, with the parts of CamelCase and snake_case.
fn words(code: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for word in code.split(|character: char| !character.is_ascii_alphanumeric()) {
        let mut start = 0;
        for (place, character) in word.char_indices() {
            if character.is_ascii_uppercase() && !word[..place].ends_with(|before: char| before.is_ascii_uppercase()) {
                words.insert(word[start..place].to_ascii_lowercase());
                start = place;
            }
        }
        words.insert(word[start..].to_ascii_lowercase());
    }
    words
}

#[test]
fn no_venue_is_named_outside_of_its_folder() {
    assert!(words("let url = Binance::BASE_URL;").contains("binance"));
    // What the wire calls simulated data is not the name of a venue, though it is the same word.
    let words_of_the_wire = [("src/market/snapshot.rs", "sim"), ("src/wire/tick.rs", "sim")];
    for path in files("src", "rs").into_iter().filter(|path| !is_test(path) && !path.ends_with("tests.rs")) {
        let name = relative(&path);
        // A symbol's origin is a word of the wire.
        let words = words(&code(&path).replace("Origin::Sim", ""));
        // `replay` is also what a resumed stream gets, and what a tick of a recording is called.
        for venue in venue_names().into_iter().filter(|venue| venue != "replay") {
            let is_at_home = name == "src/venue/mod.rs" || name.starts_with(&format!("src/venue/{venue}/"));
            let is_of_the_wire = words_of_the_wire.contains(&(name.as_str(), venue.as_str()));
            assert!(is_at_home || is_of_the_wire || !words.contains(&venue), "{name} names {venue}");
        }
    }
}

#[test]
fn venues_use_of_telemetry_only_the_labels() {
    for path in files("src/venue", "rs").into_iter().filter(|path| !path.ends_with("tests.rs")) {
        let code = code(&path);
        assert_eq!(
            code.matches("telemetry::").count(),
            code.matches("telemetry::labels::").count(),
            "{} knows more of telemetry",
            relative(&path)
        );
    }
}
