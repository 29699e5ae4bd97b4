//! What operators see: metric names and handles, and logs.

pub mod names;
