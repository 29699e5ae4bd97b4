//! The gateway and its parts in the test's own process, over real sockets.

#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "../support/mod.rs"]
mod support;

mod admin_api;
mod auth;
mod binance;
mod certificates;
mod cluster;
mod config;
mod debug;
mod dialing;
mod facts;
mod fanout;
mod feed;
mod gateway;
mod h2;
mod half_close;
mod history;
mod http_api;
mod issuer;
mod live_changes;
mod newcomers;
mod on_demand;
mod openapi;
mod outages;
mod parameters;
mod recording;
mod reloads;
mod replay;
mod request_shapes;
mod restarts;
mod resume;
mod simulator;
mod standby;
mod tables;
mod tls;
mod trial;
mod venue_config;
mod venues;
