//! The parts of documents that follow from a table in the code: the fields of a tick, the metrics, the venues and
//! their pages, and the limits that must agree.
//!
//! `TICKFAN_BLESS=1 cargo test --test it tables` writes them.

mod document;
mod endpoints;
mod limits;
mod metrics;
mod tick_fields;
mod venue_pages;
mod venues;
