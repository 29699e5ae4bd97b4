//! A load tester for tickfan, and what it is made of: a venue that does as it is told, and streams that check what they get.

pub mod venue;
