//! What operators see: metric names and handles, and logs.

pub mod feed;
pub mod labels;
pub mod names;
