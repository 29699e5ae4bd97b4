//! Clusters that are set up wrongly, or in two ways at once.

use super::{
    bound,
    broker::PASSWORD,
    client::Client,
    runs_all, tool,
    venue::{self, RATE},
    world::World,
};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, TcpStream},
    time::Duration,
};

/// Silence after a lease is lost.
const LOST_MAX: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_of_one_name_are_told_apart() {
    let Some(tool) = tool().filter(|_| runs_all()) else { return };
    let mut world = World::start("two nodes of one name", &tool).await;
    let owner = world.owner();
    let number = world.fault();
    let name = world.nodes[owner].name.clone();
    let config = world.config();
    world.add(&name, &[0, 1, 2], &config).await;
    world.open_clients(3).await;
    world.all_live_after(number).await;
    world.until_debug("both know of each other", |world| {
        [owner, 3].iter().all(|&place| world.debug(place)["node"]["shares_name"] == true)
    });
    world.goes_on(3).await;
    assert_eq!(world.owner(), owner, "it takes nothing over");
    let silent = world.silent(&[]);
    assert!(silent < bound(Duration::from_secs(1)), "{silent:?}");
    // The twin takes over as any other node does.
    let number = world.fault();
    world.kill(owner);
    world.all_live_after(number).await;
    world.goes_on(2).await;
    world.check(bound(LOST_MAX));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_deleted_is_made_again() {
    let Some(tool) = tool().filter(|_| runs_all()) else { return };
    let world = World::start("bucket deleted", &tool).await;
    let number = world.fault();
    let reign = world.reign();
    delete_bucket(world.brokers.port(0));
    world.all_live_after(number + 12 * RATE).await;
    world.brokers_serve();
    assert_eq!(world.reign(), reign, "its owner writes the lease again: {}", world.transitions());
    world.check(bound(Duration::from_secs(1)));
}

/// Deletes the bucket, as an operator can who has the right.
fn delete_bucket(port: u16) {
    let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    socket.set_read_timeout(Some(super::PATIENCE)).unwrap();
    let connect = format!(r#"CONNECT {{"verbose":false,"pedantic":false,"user":"tickfan","pass":"{PASSWORD}"}}"#);
    let request = "SUB _INBOX.delete 1\r\nPUB $JS.API.STREAM.DELETE.KV_tickfan_prod _INBOX.delete 0\r\n\r\n";
    socket.write_all(format!("{connect}\r\n{request}PING\r\n").as_bytes()).unwrap();
    let mut lines = BufReader::new(socket);
    let mut line = String::new();
    while !line.contains("\"success\":true") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0 && !line.starts_with("-ERR"), "{line}");
        assert!(!line.contains("\"error\""), "{line}");
    }
}

/// During a change of the configuration nodes differ.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_with_two_configurations_share_the_symbols_that_both_have() {
    let Some(tool) = tool().filter(|_| runs_all()) else { return };
    let mut world = World::start("two configurations", &tool).await;
    let (removed, added) = ("S19-USDT", "S20-USDT");
    let changed = (world.owner() + 1) % 3;
    // The others have a symbol more, and lack one.
    let config = world.nodes[changed].config.replace(removed, added);
    world.nodes[changed].config = config;
    world.send_away(changed);
    world.stop(changed);
    world.nodes[changed].start();
    let both = &venue::symbols()[..19];
    let address = world.nodes[changed].address;
    let client = Client::open("changed".to_owned(), address, both, world.ledger.clone()).await;
    world.nodes[changed].clients.push(client);
    let number = world.fault();
    world.all_live_after(number + RATE).await;
    world.synced();
    // The node that lacks the symbol does not become the owner.
    for place in 0..3 {
        let address = world.nodes[place].address;
        let ledger = world.ledger.clone();
        let name = world.nodes[place].name.clone();
        world.nodes[place].clients = vec![Client::open(format!("{name}/both"), address, both, ledger.clone()).await];
        if place != changed {
            let removed = [removed.to_owned()];
            world.guests.push(Client::open(format!("{name}/removed"), address, &removed, ledger).await);
        }
    }
    world.all_live_after(world.venue.market.newest()).await;
    let reign = world.reign();
    let number = world.fault();
    let refusal = world.is_not_given_to(changed);
    assert_eq!(refusal["type"], "urn:tickfan:problem:lacks-symbols", "{refusal}");
    world.all_live_after(number + 4 * RATE).await;
    for guest in &world.guests {
        guest.until("the symbol is live", |watch| !watch.is_stale()).await;
    }
    assert_eq!(world.reign(), reign);
    world.check(bound(Duration::from_secs(1)));
}
