//! The built program in a process of its own.

#![expect(clippy::unwrap_used, reason = "a test")]

#[path = "../support/mod.rs"]
mod support;

mod auth;
mod certificates;
mod demand;
mod descriptors;
mod dev_cert;
mod dialing;
mod h2;
mod hostile;
mod kills;
mod limits;
mod logs;
mod many;
mod panics;
mod recording;
mod reload;
mod reload_texts;
mod slow_attacks;
mod stops;
mod stream_log;
mod supervisor;
mod threads;
mod tls;
mod top;
mod unread_log;
