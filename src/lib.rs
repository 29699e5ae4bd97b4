//! tickfan: market data from websocket feeds, fanned out to browsers over Server-Sent Events.
//!
//! The modules stand in the order of a tick's path. `ARCHITECTURE.md` tells the life of a tick and of a stream.

#[cfg(not(target_os = "linux"))]
compile_error!("tickfan runs on Linux only: it leans on epoll and on Linux's socket options");

pub mod market;
pub mod recording;
pub mod venue;
pub mod dial;
pub mod feed;
pub mod ingest;
pub mod cache;
pub mod delay;
pub mod demand;
pub mod history;
pub mod wire;
pub mod h2;
pub mod fanout;
pub mod cluster;
mod server;
pub mod access;
pub mod api;
pub mod admin;
pub mod auth;
pub mod issuer;

pub mod gateway;

pub mod config;
pub mod limits;
pub mod telemetry;
pub mod tls;
pub mod cli;
pub mod top;
mod suggest;
mod sync;
