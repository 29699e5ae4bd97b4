//! Whether what the streams get is true. Pure: times are passed in.
//!
//! All streams testify to one [`SeenTicks`]: the first copy of a tick is read in full, every other one must have the same bytes.
//! So a changed digit is found in any copy, and a copy costs a look-up and a comparison. The first copy itself is compared with what
//! the venue sent.

mod last;
mod slots;
mod violation;
mod seen_ticks;

pub use last::{LastStateCheck, VenueState, Wanted};
pub use seen_ticks::{SeenTick, SeenTicks};
pub use slots::{Read, Reading, Slots};
pub use violation::{Evidence, Rule, Violations};
