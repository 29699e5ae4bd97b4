//! The synchronization types of the hand-over between publishers and workers. They have a name here so that the model
//! test can compile the hand-over's files against loom's types.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
pub(crate) use std::sync::{Mutex, PoisonError};
