//! Checks that what streams get is correct. Pure: the caller passes times in.
//!
//! All streams share one [`SeenTicks`]. The first copy of a tick is parsed in full and compared with what the venue
//! sent; every other copy must have the same bytes. So a changed digit is found in any copy, and a copy costs a look-up
//! and a comparison.

mod last;
mod patch;
mod slots;
mod violation;
mod seen_ticks;

pub use last::{LastStateCheck, VenueState, Wanted};
pub use patch::unnamed;
pub use seen_ticks::{SeenTick, SeenTicks, TickCopy};
pub use slots::{Read, Reading, Slots};
pub use violation::{Evidence, Rule, Violations};
