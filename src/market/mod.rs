//! Updates from a venue, and the latest known state of each symbol: pure values, without I/O and without a clock.
//!
//! A venue's message becomes [`Update`]s; [`Snapshot::apply`] merges an update into the latest state of its symbol and
//! says which of its parts changed. Numbers are exact: a number leaves as the number that came.

mod date;
mod decimal;
mod facts;
mod failover;
mod feed_symbol;
mod guard;
mod hours;
mod latest;
mod names;
mod new_york;
mod part;
mod snapshot;
mod source;
mod state;
mod status;
mod symbol;
mod tier;
mod time;
mod update;

pub use date::{Date, DateError, Weekday};
pub use decimal::{Decimal, DecimalError};
pub use facts::{Currency, Digits, Facts, InstrumentKind, Name};
pub use failover::{Cause, Failover, FailoverLimits, Switch};
pub use feed_symbol::FeedSymbol;
pub(crate) use guard::Guard;
pub use guard::Guards;
pub(crate) use hours::us_session;
pub use hours::{Hours, Phase, Schedule};
pub use latest::{Quote, Stats, Trade};
pub use part::{Kind, Part, Parts};
pub use snapshot::{Applied, Origin, Snapshot};
pub use source::Source;
pub use state::{Reason, State};
pub(crate) use status::{HaltEnd, Since, Status};
pub use symbol::{Symbol, SymbolError};
pub use tier::Tier;
pub use time::{Now, UnixMicros};
pub use update::{
    Corrected, Correction, Field, Halt, Overlap, QuoteUpdate, Sequence, Side, StatsUpdate, StatsWindow, StatusUpdate,
    TradeKey, TradeUpdate, TradingSession, Update,
};
