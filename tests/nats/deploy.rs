//! The brokers' configurations of `deploy/nats/`, as they are: only addresses and folders are of the test.

use super::{
    broker::{PASSWORD, free_port},
    leases::written,
    *,
};
use std::path::Path;
use tickfan::{
    cluster::bus::{Sent, Subscription},
    venue::Secret,
};

fn node(name: &str, servers: &[&str], replicas: usize) -> Cluster {
    let access = BrokerAccess::User { user: "tickfan".to_owned(), password: Secret::new(PASSWORD) };
    Cluster { access, replicas, ..cluster(name, servers) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_of_a_single_broker_serves_a_cluster() {
    let Some(tool) = tool() else { return };
    let ports = [free_port(), free_port()].map(|port| port.to_string());
    let arguments = ["--port", &ports[0], "--http_port", &ports[1]].map(str::to_owned);
    let broker = Broker::deployed(&tool, "single.conf", &[], &arguments);
    let nats = connect(&node("gw-1", &[&broker.address()], 1)).await;
    written(&nats, None, 1).await;
    messages_pass(&nats, &connect(&node("gw-2", &[&broker.address()], 1)).await).await;
}

/// Starts the broker at this place of three.
fn one_of_three(tool: &Path, place: usize, ports: [u16; 3], routes: [u16; 3]) -> Broker {
    let [port, http] = [ports[place], free_port()].map(|port| port.to_string());
    let arguments = ["--port", &port, "--http_port", &http].map(str::to_owned);
    Broker::deployed_of_three(tool, place, &[], &arguments, routes[place], routes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_of_three_brokers_serves_a_cluster_without_any_one_of_them() {
    let Some(tool) = tool() else { return };
    let ports = [free_port(), free_port(), free_port()];
    let routes = [free_port(), free_port(), free_port()];
    let start = |place| one_of_three(&tool, place, ports, routes);
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

#[test]
fn a_broker_without_the_password_of_the_three_does_not_join_them() {
    let Some(tool) = tool() else { return };
    let [ports, routes] = [(); 2].map(|()| [free_port(), free_port(), free_port()]);
    let _one = one_of_three(&tool, 0, ports, routes);
    let (own, one) = (free_port(), routes[0]);
    let lines = format!(
        "server_name: rogue\ncluster {{ name: tickfan, listen: 127.0.0.1:{own}, routes: [nats-route://127.0.0.1:{one}] }}"
    );
    let mut rogue = Broker::start_with(&tool, &lines, false);
    rogue.logs("Route Error 'Authorization Violation'");
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
