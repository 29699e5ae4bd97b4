//! What a start says of brokers that cannot be used.

use super::{
    broker::{accepts, free_port, new_folder, raw},
    leases::written,
    *,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::{fs, path::Path};
use tickfan::{cluster::nats::StartError, venue::Secret};

async fn error(cluster: &Cluster) -> StartError {
    in_time(nats::connect(cluster)).await.expect_err("it starts")
}

#[track_caller]
fn check(error: &StartError, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_are_an_error_that_names_their_keys() {
    let Some(tool) = tool() else { return };
    let broker = Broker::start_with(&tool, "authorization { user: gw, password: \"right one\" }", true);
    let anonymous = cluster("gw-1", &[&broker.address()]);
    check(&error(&anonymous).await, &["reject this node", "credentials_file", "password_env", "token_env"]);
    let user = |password: &str| BrokerAccess::User { user: "gw".to_owned(), password: Secret::new(password) };
    let wrong = Cluster { access: user("hush"), ..anonymous.clone() };
    let said = error(&wrong).await;
    assert!(matches!(said, StartError::Denied) && !said.to_string().contains("hush"), "{said}");
    let nats = connect(&Cluster { access: user("right one"), ..anonymous.clone() }).await;
    written(&nats, None, 1).await;

    let of_token = Broker::start_with(&tool, "authorization { token: \"right one\" }", true);
    let token = |token: &str| Cluster {
        access: BrokerAccess::Token(Secret::new(token)),
        ..cluster("gw-1", &[&of_token.address()])
    };
    assert!(matches!(error(&token("hush")).await, StartError::Denied));
    written(&connect(&token("right one")).await, None, 1).await;
    let no_jwt = BrokerAccess::Credentials(Secret::new("hush"));
    let said = error(&Cluster { access: no_jwt, ..anonymous }).await;
    assert!(matches!(said, StartError::Credentials(_)) && !said.to_string().contains("hush"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brokers_that_cannot_serve_a_cluster_are_errors_that_say_what_to_change() {
    let Some(tool) = tool() else { return };
    let small = Broker::start_with(&tool, "max_payload: 512KB", true);
    check(&error(&cluster("gw-1", &[&small.address()])).await, &["max_payload is 524288", "max_payload: 1MB"]);
    let plain = Broker::start_with(&tool, "", false);
    let said = error(&cluster("gw-1", &[&plain.address()])).await;
    check(&said, &["do not serve JetStream", "jetstream { store_dir"]);
    let broker = Broker::start(&tool);
    let three = Cluster { replicas: 3, ..cluster("gw-1", &[&broker.address()]) };
    check(&error(&three).await, &["`replicas` of [cluster] is 3", "replicas = 1"]);
    // The account may not use JetStream, although the broker does.
    let accounts = "accounts { A { users: [{ user: a, password: b }] } }\nno_auth_user: a";
    let of_account = Broker::start_with(&tool, accounts, true);
    check(&error(&cluster("gw-1", &[&of_account.address()])).await, &["do not serve JetStream", "jetstream: enabled"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_without_rights_is_an_error_that_names_the_subject() {
    let Some(tool) = tool() else { return };
    let rights = "authorization { users: [{ user: a, password: b, permissions { publish: [\"tickfan.>\"], \
                  subscribe: [\"tickfan.>\", \"_INBOX.>\"] } }] }";
    let broker = Broker::start_with(&tool, rights, true);
    let access = BrokerAccess::User { user: "a".to_owned(), password: Secret::new("b") };
    let said = error(&Cluster { access, ..cluster("gw-1", &[&broker.address()]) }).await;
    check(&said, &["refuse a request", "$JS.API.STREAM.INFO.KV_tickfan_prod", "docs/cluster.md"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_would_lose_leases_is_not_taken_for_the_bucket() {
    let Some(tool) = tool() else { return };
    let broker = Broker::start(&tool);
    let config = r#"{"name":"KV_tickfan_prod","subjects":["$KV.tickfan_prod.>"],"max_age":9000000000,"allow_direct":true,"storage":"file","max_msgs_per_subject":1}"#;
    raw(broker.port, "$JS.API.STREAM.CREATE.KV_tickfan_prod", None, config);
    let said = error(&cluster("gw-1", &[&broker.address()])).await;
    check(&said, &["the bucket tickfan_prod", "have a time to live", "delete it"]);
}

/// Writes a CA, and a certificate of it with its key, for 127.0.0.1. Returns their files.
fn certificates(folder: &Path) -> [String; 3] {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let signed = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    [("ca.pem", ca.pem()), ("cert.pem", signed.pem()), ("key.pem", key.serialize_pem())].map(|(name, text)| {
        fs::write(folder.join(name), text).unwrap();
        folder.join(name).to_str().unwrap().to_owned()
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_needs_the_brokers_ca_and_the_nodes_certificate_where_it_is_asked_for() {
    let Some(tool) = tool() else { return };
    let folder = new_folder();
    let [ca, cert, key] = certificates(&folder);
    let tls = format!("tls {{ cert_file: {cert:?}, key_file: {key:?}, ca_file: {ca:?}, verify: true }}");
    let broker = Broker::start_with(&tool, &tls, true);
    let address = broker.address().replace("nats://", "tls://");
    let known = Cluster { ca_file: ca.into(), ..cluster("gw-1", &[&address]) };
    let full = Cluster { cert_file: cert.into(), key_file: key.into(), ..known.clone() };
    written(&connect(&full).await, None, 1).await;
    let other = new_folder();
    let [stranger, ..] = certificates(&other);
    let said = error(&Cluster { ca_file: stranger.into(), ..full }).await;
    check(&said, &["TLS with the brokers fails", "ca_file"]);
    let said = error(&known).await;
    check(&said, &["TLS with the brokers fails", "cert_file"]);
    for folder in [folder, other] {
        fs::remove_dir_all(folder).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_starts_before_its_brokers_and_waits_for_them() {
    let Some(tool) = tool() else { return };
    let folder = new_folder();
    let port = free_port();
    let store = folder.join("store");
    let config = format!("host: 127.0.0.1\nport: {port}\njetstream {{ store_dir: {store:?} }}\n");
    fs::write(folder.join("broker.conf"), config).unwrap();
    assert!(!accepts(port));
    let nats = in_time(nats::connect(&cluster("gw-1", &[&format!("nats://127.0.0.1:{port}")]))).await.unwrap();
    assert!(!*nats.bus.connected(Connection::Live).borrow());
    let _broker = Broker::start_in(&tool, folder);
    for connection in Connection::ALL {
        comes_up(&nats, connection, true).await;
    }
    written(&nats, None, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trial_says_of_each_broker_what_to_change_and_makes_nothing() {
    let Some(tool) = tool() else { return };
    let good = Broker::start(&tool);
    let locked = Broker::start_with(&tool, "authorization { user: gw, password: \"right one\" }", true);
    let closed = format!("nats://127.0.0.1:{}", free_port());
    let cluster = cluster("gw-1", &[&good.address(), &locked.address(), &closed]);
    let try_out = async || in_time(nats::try_out(&cluster, Duration::from_secs(20))).await;
    let tried = try_out().await;
    let places: Vec<_> = tried.iter().map(|(server, _)| server.clone()).collect();
    assert_eq!(places, cluster.servers);
    assert!(
        tried[0].1.as_ref().is_ok_and(|remark| remark.contains("2.") && remark.contains("no leases yet")),
        "{tried:?}"
    );
    assert!(tried[1].1.as_ref().is_err_and(|why| why.contains("reject this node")), "{tried:?}");
    assert!(tried[2].1.as_ref().is_err_and(|why| why.contains("refused")), "{tried:?}");
    let tried = try_out().await;
    assert!(tried[0].1.as_ref().is_ok_and(|remark| remark.contains("no leases yet")), "the trial has made nothing");
    let alone = Cluster { servers: vec![good.address()], ..cluster.clone() };
    let nats = connect(&alone).await;
    let broker = nats.bus.broker(Connection::Live).expect("it is up");
    assert!(!broker.name.is_empty() && broker.version.starts_with("2."), "{broker:?}");
    assert!(good.address().ends_with(broker.address.rsplit(':').next().unwrap()), "{broker:?}");
    let tried = try_out().await;
    assert!(tried[0].1.as_ref().is_ok_and(|remark| !remark.contains("no leases")), "{tried:?}");
}
