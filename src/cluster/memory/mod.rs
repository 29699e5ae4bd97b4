//! A bus and a store of leases in memory, for tests: they fail as a broker does, and only when they are told to.

mod bus;
mod leases;

pub use bus::{MemoryAnswers, MemoryBroker, MemoryBus, MemorySubscription};
pub use leases::{MemoryLeases, WriteFault};
