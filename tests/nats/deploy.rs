//! The brokers' configurations of `deploy/nats/`, as they are: only addresses and folders are of the test.

use super::{
    broker::{free_port, new_folder},
    leases::written,
    *,
};
use std::{fs, path::Path};
use tickfan::{
    cluster::bus::{Sent, Subscription},
    venue::Secret,
};

const PASSWORD: &str = "as long as it is secret";

fn broker(tool: &Path, config: &str, arguments: &[String], variables: &[(&str, String)]) -> Broker {
    let folder = new_folder();
    for name in [config, "common.conf"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/nats").join(name)).unwrap();
        fs::write(folder.join(name), text.replace("/var/lib/nats", folder.to_str().unwrap())).unwrap();
    }
    let config = folder.join(config);
    let mut all: Vec<String> = ["--config", config.to_str().unwrap(), "--addr", "127.0.0.1"].map(str::to_owned).into();
    all.extend(["--http_port".to_owned(), free_port().to_string()]);
    all.extend_from_slice(arguments);
    let mut variables = variables.to_vec();
    variables.push(("TICKFAN_PASSWORD", format!("{PASSWORD:?}")));
    Broker::launch(tool, folder, &all, &variables)
}

fn node(name: &str, servers: &[&str], replicas: usize) -> Cluster {
    let access = BrokerAccess::User { user: "tickfan".to_owned(), password: Secret::new(PASSWORD) };
    Cluster { access, replicas, ..cluster(name, servers) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_of_a_single_broker_serves_a_cluster() {
    let Some(tool) = tool() else { return };
    let port = free_port();
    let broker = broker(&tool, "single.conf", &["--port".to_owned(), port.to_string()], &[]);
    let nats = connect(&node("gw-1", &[&broker.address()], 1)).await;
    written(&nats, None, 1).await;
    messages_pass(&nats, &connect(&node("gw-2", &[&broker.address()], 1)).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_of_three_brokers_serves_a_cluster_without_any_one_of_them() {
    let Some(tool) = tool() else { return };
    let ports = [free_port(), free_port(), free_port()];
    let routes: [u16; 3] = [free_port(), free_port(), free_port()];
    let start = |place: usize| {
        let listen = format!("nats://127.0.0.1:{}", routes[place]);
        let arguments = ["--port".to_owned(), ports[place].to_string(), "--cluster".to_owned(), listen];
        let mut variables = vec![("BROKER", format!("n{}", place + 1))];
        for (name, port) in ["ROUTE_1", "ROUTE_2", "ROUTE_3"].into_iter().zip(routes) {
            variables.push((name, format!("\"nats-route://127.0.0.1:{port}\"")));
        }
        broker(&tool, "three.conf", &arguments, &variables)
    };
    let mut brokers = [0, 1, 2].map(start);
    let addresses: Vec<String> = brokers.iter().map(Broker::address).collect();
    let servers: Vec<&str> = addresses.iter().map(String::as_str).collect();
    let (first, second) =
        (connect(&node("gw-1", &servers[..1], 3)).await, connect(&node("gw-2", &servers[1..], 3)).await);
    let revision = written(&first, None, 1).await;
    messages_pass(&first, &second).await;
    brokers[0].kill();
    comes_up(&first, Connection::Control, false).await;
    written(&second, Some(revision), 2).await;
}

/// A message of one node comes to the other.
async fn messages_pass(from: &Nats, to: &Nats) {
    let subject = subjects().live(&"kraken.0".parse().unwrap());
    let mut subscription = to.bus.subscribe(&subject).await;
    let mut again = tokio::time::interval(Duration::from_millis(20));
    let come = async {
        loop {
            tokio::select! {
                message = subscription.next() => return message.unwrap().payload,
                _ = again.tick() => assert_eq!(from.bus.publish(&subject, text("hello")), Sent::Sent),
            }
        }
    };
    assert_eq!(in_time(come).await, text("hello"));
}
