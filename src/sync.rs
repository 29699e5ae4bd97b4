//! The synchronization that the hand-over between publishers and workers rests on, named here so that the model test
//! can compile those files against loom's.

pub(crate) use std::sync::atomic::{AtomicU64, Ordering};
pub(crate) use std::sync::{Mutex, PoisonError};
