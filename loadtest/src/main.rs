//! `tickfan-loadtest`: loads a gateway and tells what it did.

fn main() {}
