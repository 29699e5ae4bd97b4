//! `tickfan dev-cert`, judged by openssl.

use crate::support::{
    certificates::{folder, table},
    log_watch::looked_at,
    process::Process,
};
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output},
};
use tickfan::tls::CertificateFiles;

fn run(program: &str, arguments: &[&str], folder: &Path) -> Output {
    looked_at(Command::new(program).args(arguments).current_dir(folder).env_remove("TICKFAN_CONFIG").output().unwrap())
}

/// Runs it where it must succeed; returns its output.
fn succeed(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = run(program, arguments, folder);
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

const TICKFAN: &str = env!("CARGO_BIN_EXE_tickfan");

#[test]
fn a_certificate_for_this_machine_is_written_and_served() {
    let folder = folder("dev-cert");
    let guide = succeed(TICKFAN, &["dev-cert", "--name", "ticks.test"], &folder);
    for said in ["tickfan --config dev-cert/tickfan.toml", "--cacert dev-cert/ca.pem", "[tls]\n", "certutil", "Firefox"]
    {
        assert!(guide.contains(said), "{guide}");
    }
    let out = folder.join("dev-cert");
    for (name, mode) in [("ca.pem", 0o644), ("chain.pem", 0o644), ("key.pem", 0o600), ("tickfan.toml", 0o644)] {
        assert_eq!(fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o777, mode, "{name}");
    }
    assert_eq!(fs::read_dir(&out).unwrap().count(), 4, "the key of the CA is not kept");

    let verified = succeed(
        "openssl",
        &["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca.pem", "chain.pem"],
        &out,
    );
    assert_eq!(verified, "chain.pem: OK\n");
    for name in ["-checkhost localhost", "-checkhost ticks.test", "-checkip 127.0.0.1", "-checkip ::1"] {
        let (option, name) = name.split_once(' ').unwrap();
        let checked = succeed("openssl", &["x509", "-noout", "-in", "chain.pem", option, name], &out);
        assert!(checked.contains("does match certificate"), "{name}: {checked}");
    }
    let day = 24 * 60 * 60;
    for (name, days, ends) in [("chain.pem", 396, false), ("chain.pem", 398, true), ("ca.pem", 398, true)] {
        let at = (days * day).to_string();
        let ended = !run("openssl", &["x509", "-noout", "-in", name, "-checkend", &at], &out).status.success();
        assert_eq!(ended, ends, "{name} after {days} days");
    }
    assert_eq!(succeed("openssl", &["pkey", "-in", "key.pem", "-noout", "-check"], &out), "Key is valid\n");

    let checked = run(TICKFAN, &["check", "--config", "dev-cert/tickfan.toml"], &folder);
    assert!(checked.status.success() && checked.stderr.is_empty(), "{checked:?}");

    let files = CertificateFiles { chain: out.join("chain.pem"), key: out.join("key.pem") };
    let gateway = Process::start("dev-cert", &format!("[server]\nhosts = [\"ticks.test\"]\n{}", table(&[files])));
    let port = gateway.tls.unwrap().port();
    for name in ["localhost", "127.0.0.1", "ticks.test"] {
        let url = format!("https://{name}:{port}/v1/symbols?limit=1");
        let resolve = format!("ticks.test:{port}:127.0.0.1");
        let arguments = ["--silent", "--fail", "--max-time", "20", "--cacert", "ca.pem", "--resolve", &resolve, &url];
        assert!(succeed("curl", &arguments, &out).contains("\"symbols\":[{"), "{name}");
        assert_eq!(run("curl", &["--silent", "--resolve", &resolve, &url], &out).status.code(), Some(60), "{name}");
    }
}

#[test]
fn an_earlier_certificate_is_kept_unless_it_is_to_be_replaced() {
    let folder = folder("dev-cert-twice");
    let out = folder.join("own folder");
    let arguments = ["dev-cert", "--out", "own folder"];
    succeed(TICKFAN, &arguments, &folder);
    let files = || ["ca.pem", "chain.pem", "key.pem"].map(|name| fs::read_to_string(out.join(name)).unwrap());
    let first = files();
    fs::remove_file(out.join("ca.pem")).unwrap();
    let refused = run(TICKFAN, &arguments, &folder);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.contains("own folder/chain.pem is there already") && said.contains("--force"), "{said}");
    assert!(!out.join("ca.pem").exists() && fs::read_to_string(out.join("key.pem")).unwrap() == first[2]);
    // Its mode is right even where the old file's was not.
    fs::set_permissions(out.join("key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    succeed(TICKFAN, &["dev-cert", "--out", "own folder", "--force"], &folder);
    assert!(files().iter().zip(&first).all(|(new, old)| new != old));
    assert_eq!(fs::metadata(out.join("key.pem")).unwrap().permissions().mode() & 0o777, 0o600);
    let nowhere = run(TICKFAN, &["dev-cert", "--out", "/dev/null/certificates"], &folder);
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("cannot write /dev/null/certificates"));
}

#[test]
fn the_commands_that_are_printed_work_in_a_shell_whatever_the_folder_is_called() {
    let folder = folder("dev-cert-quoted");
    for out in ["plain-folder", "own folder", "it's $HOME's"] {
        let guide = succeed(TICKFAN, &["dev-cert", "--force", "--out", out], &folder);
        let commands: Vec<_> =
            ["tickfan --config", "curl --cacert", "NODE_EXTRA_CA_CERTS=", "certutil -d sql:$HOME/.pki/nssdb -A"]
                .map(|begin| {
                    let line = guide.lines().find(|line| line.contains(begin)).unwrap();
                    line[line.find(begin).unwrap()..].to_owned()
                })
                .into();
        // Each program says which of its words name a file.
        let programs = "unset NODE_EXTRA_CA_CERTS\n\
             for name in tickfan curl certutil node; do eval \"$name() { see \\\"\\$@\\\"; }\"; done\n\
             see() { for word in \"$NODE_EXTRA_CA_CERTS\" \"$@\"; do [ -f \"$word\" ] && echo \"$word\"; done; }\n";
        let seen = succeed("bash", &["-c", &format!("{programs}{}", commands.join("\n"))], &folder);
        let ca = format!("{out}/ca.pem");
        assert_eq!(seen.lines().collect::<Vec<_>>(), [&format!("{out}/tickfan.toml"), &ca, &ca, &ca], "{guide}");
    }
}

#[test]
fn the_commands_for_chromium_work_in_a_home_without_its_database_and_again() {
    let folder = folder("dev-cert-home");
    for round in 1..=2 {
        let guide = succeed(TICKFAN, &["dev-cert", "--force"], &folder);
        let printed =
            guide.lines().skip_while(|line| !line.contains("Chromium")).take_while(|line| !line.contains("Firefox"));
        let commands: Vec<&str> = printed.map(|line| line.trim_start_matches("  Chromium").trim()).collect();
        let script =
            format!("set -e\nexport HOME=\"$PWD\"\n{}\ncertutil -d sql:$HOME/.pki/nssdb -L", commands.join("\n"));
        let listed = succeed("bash", &["-c", &script], &folder);
        assert_eq!(listed.matches("tickfan development CA").count(), round, "{guide}{listed}");
    }
}

#[test]
fn a_flag_that_would_do_nothing_is_refused() {
    let folder = folder("dev-cert-flags");
    let refused = run(TICKFAN, &["dev-cert", "--listen", "127.0.0.1:9443"], &folder);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(64));
    assert!(said.contains("`--listen` has no effect on `tickfan dev-cert`") && said.contains("[tls]"), "{said}");
    assert!(!folder.join("dev-cert").exists());
}

#[test]
fn rule_10_a_certificate_for_this_machine_has_few_names() {
    let folder = folder("dev-cert-names");
    let names = |count: usize| (0..count).flat_map(|n| ["--name".to_owned(), format!("n{n}.test")]).collect::<Vec<_>>();
    let write = |count: usize| {
        let names = names(count);
        let arguments: Vec<&str> =
            ["dev-cert", "--force"].into_iter().chain(names.iter().map(String::as_str)).collect();
        run(TICKFAN, &arguments, &folder)
    };
    assert!(write(32).status.success());
    assert!(String::from_utf8_lossy(&write(33).stderr).contains("at most 32 names"));
}
