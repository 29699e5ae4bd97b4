//! The configuration of a scenario's gateway.

use crate::{
    scenario::{Scenario, VenueProtocol},
    tls::TlsFiles,
};
use std::path::Path;
use toml::{Table, Value};

/// How many symbols a venue of this protocol carries on one connection.
fn symbols_per_feed(protocol: VenueProtocol) -> usize {
    match protocol {
        VenueProtocol::Binance => 341,
        VenueProtocol::Alpaca => 20_000,
    }
}

/// The configuration of a scenario's gateway, with its feeds from a venue at this URL and its certificate.
pub fn gateway_config(scenario: &Scenario, symbols: &[String], venue: &str, tls: Option<&TlsFiles>) -> String {
    let mut config = Table::new();
    for (name, table) in &scenario.gateway {
        config.insert(name.clone(), Value::Table(table.clone()));
    }
    let server = config.entry("server").or_insert_with(|| Value::Table(Table::new()));
    if let Some(server) = server.as_table_mut() {
        server.entry("drain").or_insert_with(|| Value::from("1s"));
    }
    if let Some(files) = tls {
        let tls = config.entry("tls").or_insert_with(|| Value::Table(Table::new()));
        if let Some(tls) = tls.as_table_mut() {
            tls.entry("listen").or_insert_with(|| Value::from("127.0.0.1:0"));
            tls.insert("certificates".to_owned(), Value::Array(vec![Value::Table(certificate(files))]));
        }
    }
    let common = scenario.gateway.get("feed").cloned().unwrap_or_default();
    let protocol = scenario.venue.protocol;
    let mut feeds = Vec::new();
    for (number, symbols) in symbols.chunks(symbols_per_feed(protocol)).enumerate() {
        let mut feed = common.clone();
        feed.extend(feed_keys(protocol, number, symbols, venue));
        feeds.push(Value::Table(feed));
    }
    config.insert("feed".to_owned(), Value::Array(feeds));
    config.to_string()
}

fn certificate(files: &TlsFiles) -> Table {
    let path = |path: &Path| Value::from(path.display().to_string());
    Table::from_iter([("chain".to_owned(), path(&files.chain)), ("key".to_owned(), path(&files.key))])
}

/// The keys of one feed, which replace those that all feeds have in common.
fn feed_keys(protocol: VenueProtocol, number: usize, symbols: &[String], venue: &str) -> Table {
    let mut keys = Table::new();
    keys.insert("name".to_owned(), Value::from(format!("mock-{number}")));
    keys.insert("url".to_owned(), Value::from(venue));
    match protocol {
        VenueProtocol::Binance => {
            keys.insert("venue".to_owned(), Value::from("binance"));
        }
        VenueProtocol::Alpaca => {
            keys.insert("venue".to_owned(), Value::from("alpaca"));
            keys.insert("hours".to_owned(), Value::from("always"));
            keys.insert("key_env".to_owned(), Value::from("LOADTEST_KEY"));
            keys.insert("secret_env".to_owned(), Value::from("LOADTEST_SECRET"));
        }
    }
    keys.insert("symbols".to_owned(), Value::from(symbols.to_vec()));
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario;

    #[test]
    fn many_symbols_are_split_over_as_few_feeds_as_the_venue_allows() {
        let (mut scenario, _) = scenario::load("many-symbols").unwrap();
        scenario.gateway.insert("feed".to_owned(), toml::from_str("mute_after = \"2s\"").unwrap());
        for (protocol, expected) in
            [(VenueProtocol::Binance, vec![341, 341, 341, 2]), (VenueProtocol::Alpaca, vec![1_025])]
        {
            scenario.venue.protocol = protocol;
            let symbols = scenario::symbol_names(1_025, protocol);
            let config: toml::Table = gateway_config(&scenario, &symbols, "ws://127.0.0.1:1", None).parse().unwrap();
            let feeds = config["feed"].as_array().unwrap();
            let counts: Vec<usize> = feeds.iter().map(|feed| feed["symbols"].as_array().unwrap().len()).collect();
            assert_eq!(counts, expected);
            assert!(feeds.iter().all(|feed| feed["mute_after"].as_str() == Some("2s")));
            assert_eq!(config["server"]["drain"].as_str(), Some("1s"));
        }
    }

    #[test]
    fn a_certificate_is_configured_beside_the_scenarios_own_keys() {
        let (mut scenario, _) = scenario::load("smoke").unwrap();
        scenario.gateway.insert("tls".to_owned(), toml::from_str("h2_streams = 7").unwrap());
        let files = TlsFiles { ca: "ca.pem".into(), chain: "chain.pem".into(), key: "key.pem".into() };
        let config: toml::Table = gateway_config(&scenario, &[], "ws://127.0.0.1:1", Some(&files)).parse().unwrap();
        let expected =
            "listen = \"127.0.0.1:0\"\nh2_streams = 7\ncertificates = [{ chain = \"chain.pem\", key = \"key.pem\" }]";
        assert_eq!(config["tls"], toml::from_str(expected).unwrap());
    }
}
