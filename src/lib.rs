//! tickfan: market data from websocket feeds, fanned out to browsers over Server-Sent Events.
//!
//! The modules stand in the order of a tick's path. `ARCHITECTURE.md` tells the life of a tick and of a stream.

#[cfg(not(target_os = "linux"))]
compile_error!("tickfan runs on Linux only: it leans on epoll and on Linux's socket options");

pub mod admin;
pub mod cache;
pub mod fanout;
pub mod feed;
pub mod http;
pub mod market;
pub mod venue;
pub mod wire;

mod sync;

pub mod config;
pub mod telemetry;
