use super::*;
use crate::cluster::names::NodeName;
use std::{ffi::OsString, fs};

fn cluster() -> Cluster {
    Cluster { name: "prod".to_owned(), servers: vec!["nats://n1:4222".to_owned()], ..Cluster::default() }
}

/// The cluster once it is complete, or the key and the error.
fn loaded(mut cluster: Cluster, variables: &[(&str, &str)]) -> Result<Cluster, (Option<&'static str>, String)> {
    let variables: Vec<(OsString, OsString)> =
        variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
    match load(&mut cluster, &variables, "gw-1.example.com") {
        Ok(()) => Ok(cluster),
        Err(Of(key, wrong)) => Err((key, wrong.nowhere().to_string())),
    }
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("tickfan-{}-{name}", std::process::id()));
    fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_node_is_called_after_its_host_unless_it_has_a_name() {
    assert_eq!(loaded(cluster(), &[]).unwrap().node, "gw-1");
    assert_eq!(loaded(Cluster { node: "b".to_owned(), ..cluster() }, &[]).unwrap().node, "b");
    for (host, node) in [("a", Some("a")), ("GW_1.local", Some("GW_1")), ("", None), (".x", None), ("gé", None)] {
        assert_eq!(node_of_host(host).ok().as_deref(), node, "{host}");
        assert!(node.is_none_or(|node| node.parse::<NodeName>().is_ok()));
    }
    for host in ["localhost", "LOCALHOST.localdomain", &"a".repeat(65)] {
        let wrong = node_of_host(host).unwrap_err().nowhere().to_string();
        assert!(wrong.contains("write node = \"gw-1\" in [cluster]"), "{wrong}");
    }
}

#[test]
fn a_name_and_brokers_are_required() {
    for (cluster, name) in [
        (Cluster { name: String::new(), ..cluster() }, "name"),
        (Cluster { servers: Vec::new(), ..cluster() }, "servers"),
    ] {
        let (key, wrong) = loaded(cluster, &[]).unwrap_err();
        assert!(key.is_none() && wrong.contains(&format!("[cluster] requires `{name}`")), "{wrong}");
    }
}

#[test]
fn a_node_signs_on_in_one_way() {
    let text = |text: &str| text.to_owned();
    let by_user = Cluster { user_env: text("ME"), password_env: text("PASS"), ..cluster() };
    let by_token = Cluster { token_env: text("TOKEN"), ..cluster() };
    let creds = file(
        "good.creds",
        "-----BEGIN NATS USER JWT-----\nx\n------END NATS USER JWT------\n-----BEGIN USER NKEY SEED-----\ny\n",
    );
    let by_file = Cluster { credentials_file: creds.clone(), ..cluster() };
    let variables = [("ME", "gw"), ("PASS", " hush "), ("TOKEN", "secret")];
    assert_eq!(loaded(cluster(), &variables).unwrap().access, BrokerAccess::Anonymous);
    let user = BrokerAccess::User { user: text("gw"), password: Secret::new("hush") };
    assert_eq!(loaded(by_user.clone(), &variables).unwrap().access, user);
    assert_eq!(loaded(by_token.clone(), &variables).unwrap().access, BrokerAccess::Token(Secret::new("secret")));
    let read = fs::read_to_string(&creds).unwrap();
    assert_eq!(loaded(by_file.clone(), &[]).unwrap().access, BrokerAccess::Credentials(Secret::new(read)));
    let debug = format!("{:?}", loaded(by_user.clone(), &variables).unwrap());
    assert!(!debug.contains("hush"), "{debug}");

    let two = Cluster { token_env: text("TOKEN"), ..by_user.clone() };
    let both = Cluster { credentials_file: creds, ..by_token.clone() };
    let half = Cluster { password_env: text("PASS"), ..cluster() };
    let absent = Cluster { credentials_file: "absent".into(), ..cluster() };
    let other = Cluster { credentials_file: file("bad.creds", "hush"), ..cluster() };
    let long = "x".repeat(ACCESS_BYTES_MAX + 1);
    for (cluster, variables, key, what) in [
        (two, &variables[..], "token_env", "`user_env` and `token_env` are both set"),
        (both, &variables, "token_env", "`credentials_file` and `token_env` are both set"),
        (half, &variables, "password_env", "`password_env` requires `user_env`"),
        (by_user.clone(), &[("ME", "gw")], "password_env", "the variable PASS of `password_env` is not set"),
        (by_user, &[("PASS", "hush")], "user_env", "the variable ME of `user_env` is not set"),
        (by_token.clone(), &[("TOKEN", " ")], "token_env", "the variable TOKEN of `token_env` is not set"),
        (by_token, &[("TOKEN", &long)], "token_env", "is too long"),
        (absent, &[], "credentials_file", "cannot read absent"),
        (other, &[], "credentials_file", "does not hold a user's credentials"),
    ] {
        let (found, wrong) = loaded(cluster, variables).unwrap_err();
        assert_eq!(found, Some(key));
        assert!(wrong.contains(what) && !wrong.contains("hush"), "{wrong}");
    }
}

#[test]
fn certificates_are_read_before_a_connection_needs_them() {
    let signed = rcgen::generate_simple_self_signed(["gw-1".to_owned()]).unwrap();
    let pem = |name: &str, text: &str| file(&format!("cluster-{name}.pem"), text);
    let (cert, key) = (pem("cert", &signed.cert.pem()), pem("key", &signed.signing_key.serialize_pem()));
    let good = Cluster { ca_file: cert.clone(), cert_file: cert.clone(), key_file: key.clone(), ..cluster() };
    assert!(loaded(good.clone(), &[]).is_ok());
    for (cluster, name, what) in [
        (Cluster { ca_file: key.clone(), ..good.clone() }, "ca_file", "does not hold a certificate in PEM form"),
        (Cluster { ca_file: "absent".into(), ..good.clone() }, "ca_file", "cannot read absent"),
        (Cluster { cert_file: key, ..good.clone() }, "cert_file", "does not hold a certificate in PEM form"),
        (Cluster { key_file: cert, ..good.clone() }, "key_file", "does not hold a private key in PEM form"),
        (Cluster { key_file: PathBuf::new(), ..good.clone() }, "cert_file", "`cert_file` requires `key_file`"),
        (Cluster { cert_file: PathBuf::new(), ..good }, "key_file", "`key_file` requires `cert_file`"),
    ] {
        let (found, wrong) = loaded(cluster, &[]).unwrap_err();
        assert_eq!(found, Some(name));
        assert!(wrong.contains(what), "{wrong}");
    }
}

#[test]
fn rule_10_a_file_of_credentials_is_short() {
    let long = file("long.creds", &"x".repeat(CREDENTIALS_BYTES_MAX + 1));
    let (key, wrong) = loaded(Cluster { credentials_file: long, ..cluster() }, &[]).unwrap_err();
    assert!(key == Some("credentials_file") && wrong.contains("is too large"), "{wrong}");
}
