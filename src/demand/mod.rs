//! Demand: feeds that subscribe a symbol when a stream asks for it, and drop it some time after the last one has left.
//!
//! The pure `Book` decides: which names are subscribed, for whom, and which are refused. [`OnDemand`] is
//! shared by the requests of clients and by the sweep of each second. It registers states and retires them, and tells
//! the feeds. A stream holds a [`DemandLease`] of its names, in its permit: workers know no more of it.

mod book;
mod feed;
mod log;
mod metrics;
mod refusals;
mod service;

pub use feed::DemandFeed;
pub use service::{DemandLease, DemandUsage, OnDemand};
