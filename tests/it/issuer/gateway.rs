//! A gateway whose issuer rotates its keys, and moves; what `tickfan check` says of them.

use super::server::{Does, Server};
use crate::support::{
    Client, PATIENCE,
    certificates::{Ca, folder},
    issuer::Issuer,
    log_watch::looked_at,
    running::Running,
};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Instant,
};
use tickfan::{
    config::{Loader, Overrides, ReloadError},
    feed::Timing,
    gateway::Reloader,
};
use tokio::runtime::{Builder, Runtime};

/// A configuration whose clients sign on with keys of this place.
fn write_config(folder: &Path, keys: &str) -> PathBuf {
    let file = folder.join("tickfan.toml");
    let text = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\ndrain = \"0s\"\n\
         [[feed]]\nvenue = \"sim\"\nsymbols = [\"AAPL\"]\n[auth]\nmode = \"required\"\n{keys}\n"
    );
    fs::write(&file, text).unwrap();
    file
}

/// A server, and how a configuration names it.
fn server(runtime: &Runtime, folder: &Path, issuer: &Issuer) -> (Server, String) {
    let ca = Ca::new("the issuer's CA");
    let leaf = ca.sign(&["127.0.0.1"]);
    let file = folder.join(format!("{}.pem", fs::read_dir(folder).unwrap().count()));
    fs::write(&file, ca.pem()).unwrap();
    let server = runtime.block_on(Server::start_with(ca, &leaf, Does::give(&issuer.jwks())));
    let keys = format!("keys = \"https://127.0.0.1:{}/keys?code=hush\"\nca_file = {file:?}", server.port);
    (server, keys)
}

/// The status of an answer to a request with this token.
fn asks(gateway: &Running, token: &str) -> u16 {
    let answer = get(gateway, "/v1/quotes/AAPL", token);
    answer["HTTP/1.1 ".len()..][..3].parse().unwrap()
}

/// The answer, to its end.
fn get(gateway: &Running, target: &str, token: &str) -> String {
    let mut client = TcpStream::connect(gateway.address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!(
        "GET {target} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    client.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

#[track_caller]
fn until(gateway: &Running, token: &str, status: u16) {
    let deadline = Instant::now() + PATIENCE;
    while asks(gateway, token) != status {
        assert!(Instant::now() < deadline, "never {status}");
    }
}

fn start(file: PathBuf) -> (Running, Arc<Reloader>) {
    let loader = Loader::new(Some(file), Vec::new(), Overrides::default());
    let reloader = Reloader::new(loader.load().unwrap(), loader, None);
    (Running::start_reloadable(reloader.clone(), Timing::default()), reloader)
}

#[test]
fn tokens_are_verified_with_the_servers_keys_as_they_rotate_and_move() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = folder("issuer-gateway");
    let [one, two, three] = [(1, "one"), (2, "two"), (3, "three")].map(|(seed, id)| Issuer::new(seed, id));
    let (first, keys) = server(&runtime, &folder, &one);
    let (gateway, reloader) = start(write_config(&folder, &keys));
    let [by_one, by_two, by_three] = [&one, &two, &three].map(|issuer| issuer.live("u17", &["AAPL"]));
    // Until the first fetch: 503.
    until(&gateway, &by_one, 200);
    // Once it is known that the issuer does not have its key, a token is refused at once, though no fetch is allowed.
    assert_eq!([asks(&gateway, &by_two), asks(&gateway, &by_two)], [401, 401]);
    let debug = Client::connect(gateway.admin).get("/debug/keys").json();
    assert_eq!(debug["keys"], json!([{"kid": "one", "alg": "EdDSA"}]));
    assert_eq!(debug["source"], format!("https://127.0.0.1:{}/keys", first.port));
    assert!(debug["fetched"].is_i64() && debug["failure"].is_null(), "{debug}");
    // Its key was asked for a moment ago: the next fetch for one that is not known may be 30 s away.
    first.now(Does::give(&two.jwks()));
    runtime.block_on(reloader.reload()).unwrap();
    until(&gateway, &by_two, 200);
    // Within 30 s of a fetch for an unknown key, or where one fails, it is not known whether the issuer has this one.
    first.now(Does::Close);
    assert_eq!(asks(&gateway, &by_one), 503);
    let stream = get(&gateway, "/v1/stream/AAPL", &by_one);
    assert!(stream.starts_with("HTTP/1.1 200") && stream.contains(r#"{"reason":"busy"}"#), "{stream}");

    let (second, keys) = server(&runtime, &folder, &three);
    second.now(Does::Close);
    write_config(&folder, &keys);
    let error = runtime.block_on(reloader.reload()).unwrap_err();
    let place =
        format!("the keys cannot be taken from https://127.0.0.1:{}/keys: the TLS handshake failed", second.port);
    assert!(matches!(error, ReloadError::Keys { .. }) && error.to_string().starts_with(&place), "{error}");
    assert_eq!([asks(&gateway, &by_two), asks(&gateway, &by_three)], [200, 503]);
    second.now(Does::give(&three.jwks()));
    let report = runtime.block_on(reloader.reload()).unwrap();
    let changed: Vec<_> = report.changed.iter().map(|change| change.key.as_str()).collect();
    assert_eq!((changed, report.at_restart.len()), (vec!["auth.keys", "auth.ca_file"], 0));
    // The new issuer has not been asked for one yet.
    assert_eq!([asks(&gateway, &by_three), asks(&gateway, &by_two)], [200, 401]);
    assert!(!format!("{report:?}").contains("hush"), "{report:?}");
    let debug = Client::connect(gateway.admin).get("/debug/config").body;
    assert!(debug.contains("/keys?…") && !debug.contains("hush"), "{debug}");
    write_config(&folder, &keys.replace("code=hush", "code=hush2"));
    let report = runtime.block_on(reloader.reload()).unwrap();
    assert_eq!(report.changed.len(), 1, "a change that is not shown: {report:?}");
    assert!(!format!("{report:?}").contains("hush"), "{report:?}");

    fs::write(folder.join("keys.json"), one.jwks()).unwrap();
    write_config(&folder, "keys = \"file:keys.json\"\nlook = \"1s\"");
    runtime.block_on(reloader.reload()).unwrap();
    assert_eq!([asks(&gateway, &by_one), asks(&gateway, &by_three)], [200, 401]);
    fs::write(folder.join("keys.json"), two.jwks()).unwrap();
    until(&gateway, &by_two, 200);
    until(&gateway, &by_one, 401);
    // Clients sign on until the restart, with the same keys.
    fs::write(folder.join("tickfan.toml"), "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\n")
        .unwrap();
    let report = runtime.block_on(reloader.reload()).unwrap();
    assert!(report.at_restart.iter().any(|change| change.key == "auth.mode"), "{report:?}");
    assert_eq!(asks(&gateway, &by_two), 200);
    until(&gateway, &by_one, 401);
    gateway.stop().unwrap();
}

/// What `/readyz` says, once the feed has its verdict.
fn readiness(gateway: &Running) -> (u16, String) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = Client::connect(gateway.admin).get("/readyz");
        let reason = answer.json()["reason"].as_str().unwrap_or_default().to_owned();
        if !reason.starts_with("waiting for a first verdict") {
            return (answer.status, reason);
        }
        assert!(Instant::now() < deadline, "{reason}");
    }
}

#[test]
fn a_gateway_whose_clients_must_sign_on_is_ready_from_its_first_keys_on() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = folder("issuer-readiness");
    let issuer = Issuer::new(1, "one");
    let token = issuer.live("u17", &["AAPL"]);
    let (server, keys) = server(&runtime, &folder, &issuer);
    server.now(Does::Answer(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".to_vec()));
    let file = write_config(&folder, &keys);
    let (gateway, reloader) = start(file.clone());
    let place = format!("https://127.0.0.1:{}/keys", server.port);
    let awaits = format!("no keys: clients cannot sign on before the issuer's keys are there, from {place}");
    let deadline = Instant::now() + PATIENCE;
    while !readiness(&gateway).1.starts_with(&format!("{awaits}: the server answers with status 500")) {
        assert!(Instant::now() < deadline, "{:?}", readiness(&gateway));
    }
    assert_eq!(readiness(&gateway).0, 503);

    server.now(Does::give(&issuer.jwks()));
    runtime.block_on(reloader.reload()).unwrap();
    until(&gateway, &token, 200);
    assert_eq!(readiness(&gateway), (200, String::new()));
    server.now(Does::Close);
    runtime.block_on(reloader.reload()).unwrap();
    let failed = || Client::connect(gateway.admin).get("/debug/keys").json()["failure"].is_string();
    while !failed() {
        assert!(Instant::now() < deadline, "no fetch fails");
    }
    assert_eq!(readiness(&gateway), (200, String::new()), "a later fetch takes nothing away");
    gateway.stop().unwrap();

    // Clients that need not sign on can be served without keys.
    let text = fs::read_to_string(&file).unwrap().replace("\"required\"", "\"optional\"");
    fs::write(&file, text).unwrap();
    let (gateway, _) = start(file);
    assert_eq!(readiness(&gateway), (200, String::new()));
    gateway.stop().unwrap();

    // Keys of a file are there at the start.
    fs::write(folder.join("keys.json"), issuer.jwks()).unwrap();
    let (gateway, _) = start(write_config(&folder, "keys = \"file:keys.json\""));
    assert_eq!(readiness(&gateway), (200, String::new()));
    gateway.stop().unwrap();
}

/// A set of the keys of several issuers.
fn set_of(issuers: &[&Issuer]) -> String {
    let keys = issuers.iter().flat_map(|issuer| {
        let set: Value = serde_json::from_str(&issuer.jwks()).unwrap();
        set["keys"].as_array().unwrap().clone()
    });
    json!({"keys": keys.collect::<Vec<_>>()}).to_string()
}

#[test]
fn key_rotation_under_load() {
    const CLIENTS: usize = 4;
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = folder("issuer-rotation-under-load");
    let issuers = [(1, "k0"), (2, "k1"), (3, "k2"), (4, "k3")].map(|(seed, id)| Issuer::new(seed, id));
    let (server, keys) = server(&runtime, &folder, &issuers[0]);
    let (gateway, reloader) = start(write_config(&folder, &keys));
    let tokens: Vec<String> = issuers.iter().map(|issuer| issuer.live("u17", &["AAPL"])).collect();
    until(&gateway, &tokens[0], 200);
    // The key that the issuer signs with, and the one of which each client has a token.
    let newest = AtomicUsize::new(0);
    let used = [const { AtomicUsize::new(0) }; CLIENTS];
    let is_over = AtomicBool::new(false);
    let asked = AtomicUsize::new(0);
    thread::scope(|scope| {
        for (client, used) in used.iter().enumerate() {
            let (gateway, tokens, newest, is_over, asked) = (&gateway, &tokens, &newest, &is_over, &asked);
            scope.spawn(move || {
                while !is_over.load(SeqCst) {
                    let key = newest.load(SeqCst);
                    used.store(key, SeqCst);
                    let target = ["/v1/quotes/AAPL", "/v1/stream/NOPE"][client % 2];
                    let answer = get(gateway, target, &tokens[key]);
                    let expected = ["HTTP/1.1 200 ", "HTTP/1.1 404 "][client % 2];
                    assert!(answer.starts_with(expected), "a good token of key {key}: {answer}");
                    asked.fetch_add(1, SeqCst);
                }
            });
        }
        let rotated = panic::catch_unwind(AssertUnwindSafe(|| {
            for (key, token) in tokens.iter().enumerate().skip(1) {
                // Published beside the old one, then used, then the old one is withdrawn.
                server.now(Does::give(&set_of(&[&issuers[key - 1], &issuers[key]])));
                runtime.block_on(reloader.reload()).unwrap();
                until(&gateway, token, 200);
                newest.store(key, SeqCst);
                let enough = asked.load(SeqCst) + 20 * CLIENTS;
                let deadline = Instant::now() + PATIENCE;
                while asked.load(SeqCst) < enough || used.iter().any(|used| used.load(SeqCst) != key) {
                    assert!(Instant::now() < deadline, "the clients wait");
                    thread::yield_now();
                }
                server.now(Does::give(&issuers[key].jwks()));
                runtime.block_on(reloader.reload()).unwrap();
                let is_withdrawn = || asks(&gateway, &tokens[key - 1]) != 200;
                while !is_withdrawn() {
                    assert!(Instant::now() < deadline, "the old key still counts");
                }
            }
        }));
        is_over.store(true, SeqCst);
        rotated.unwrap_or_else(|panic| panic::resume_unwind(panic));
    });
    gateway.stop().unwrap();
}

#[test]
fn a_key_server_that_hangs_or_sends_too_much() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = folder("issuer-too-much");
    let [one, two] = [(1, "one"), (2, "two")].map(|(seed, id)| Issuer::new(seed, id));
    let (server, keys) = server(&runtime, &folder, &one);
    let (gateway, reloader) = start(write_config(&folder, &keys));
    let [known, unknown] = [&one, &two].map(|issuer| issuer.live("u17", &["AAPL"]));
    until(&gateway, &known, 200);
    let failure = || Client::connect(gateway.admin).get("/debug/keys").json()["failure"].as_str().map(str::to_owned);
    let both = set_of(&[&one, &two]);
    let too_long = both.clone() + &" ".repeat(64 << 10);
    let head = "HTTP/1.1 200 OK\r\n\r\n";
    for (does, why) in [
        (Does::give(&too_long), "it is longer than 64 KiB"),
        (Does::Answer(format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(64 << 10)).into_bytes()), "the head of"),
        (Does::Hang(format!("{head}{too_long}").into_bytes()), "it is longer than 64 KiB"),
        (Does::Hang(format!("{head}{both}").into_bytes()), "it takes too long"),
    ] {
        server.now(does);
        runtime.block_on(reloader.reload()).unwrap();
        let deadline = Instant::now() + 2 * PATIENCE;
        while !failure().is_some_and(|failure| failure.contains(why)) {
            // Meanwhile, too, keys that are known verify, and a token of another is not refused for good.
            assert_eq!([asks(&gateway, &known), asks(&gateway, &unknown)], [200, 503], "{why}");
            assert!(Instant::now() < deadline, "{why}: {:?}", failure());
        }
        assert_eq!([asks(&gateway, &known), asks(&gateway, &unknown)], [200, 503], "{why}");
    }
    server.now(Does::give(&both));
    runtime.block_on(reloader.reload()).unwrap();
    until(&gateway, &unknown, 200);
    assert_eq!((asks(&gateway, &known), failure()), (200, None));
    gateway.stop().unwrap();
}

fn check(file: &Path, connect: bool) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tickfan"));
    command.env_clear().arg("check").args(connect.then_some("--connect")).arg(file);
    looked_at(command.output().unwrap())
}

#[test]
fn check_names_the_keys_and_why_others_are_skipped() {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let folder = folder("issuer-check");
    let issuer = Issuer::new(1, "one");
    let (server, keys) = server(&runtime, &folder, &issuer);
    let file = write_config(&folder, &keys);
    let place = format!("https://127.0.0.1:{}/keys", server.port);
    for (does, line, code) in [
        (Does::give(&issuer.jwks()), format!("keys of {place}: ok (one (EdDSA))\n"), 0),
        (Does::give("{}"), format!("keys of {place}: failed: it does not have a list `keys`"), 1),
    ] {
        server.now(does);
        let output = check(&file, true);
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(printed.contains(&line), "{printed}");
        assert_eq!(output.status.code(), Some(code));
    }
    let asked = server.requests();
    assert_eq!(check(&file, false).stdout, b"ok: 1 feed(s), 1 symbols\n");
    assert_eq!(server.requests(), asked, "without --connect nothing is fetched");

    let set = issuer.jwks().replacen("[", "[{\"kty\":\"RSA\"},", 1);
    fs::write(folder.join("keys.json"), set).unwrap();
    let output = check(&write_config(&folder, "keys = \"file:keys.json\""), false);
    let expected = format!(
        "ok: 1 feed(s), 1 symbols\nkeys of file:{}: ok (one (EdDSA); skipped key 1: `n` must be a string)\n",
        folder.join("keys.json").display()
    );
    assert_eq!((String::from_utf8(output.stdout).unwrap(), output.status.code()), (expected, Some(0)));
}
