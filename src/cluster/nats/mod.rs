//! The cluster's broker: NATS. Only this folder names its client, `async-nats`.
//!
//! Messages go over core NATS, leases are keys of a JetStream bucket. What is not trusted, and why the code is so:
//!
//! - The client keeps what is published while it is disconnected, and sends it later. So the connection is looked at
//!   before each message, and the client's queue is short.
//! - A broker that is mute, but whose sockets are open, is found by pings only; they are frequent.
//! - The client's own requests never forget an answer that does not come. Those of `request` have an inbox each.
//! - Watches of a bucket hang after reconnects, and times to live run on the brokers' clocks: keys are polled, and live
//!   for ever.
//! - Reads may be stale, and acknowledged writes may be lost: the lease's machine expects both.

mod access;
mod bucket;
mod bus;
mod leases;
mod link;
mod request;
mod start;

pub use bus::{NatsAnswers, NatsBus, NatsSubscription};
pub use leases::NatsLeases;
pub use start::{Nats, StartError, connect, try_out};
