//! What a client may read of what there is.

use crate::{access::Refusal, auth::Access, market::Symbol, server::Rights};

/// How a client may read a symbol. A right to delayed prices is worth nothing where there are none.
///
/// # Errors
/// [`Refusal::NoKeys`]: it cannot be said yet.
pub(super) fn access(rights: &Rights, symbol: &Symbol) -> Result<Access, Refusal> {
    match rights {
        Rights::All => Ok(Access::Live),
        Rights::Granted(grant) if grant.access(symbol) == Access::Live => Ok(Access::Live),
        Rights::Granted(_) => Ok(Access::Denied),
        Rights::Unknown => Err(Refusal::NoKeys),
    }
}

/// Checks that it can be said what a client may read.
///
/// # Errors
/// [`Refusal::NoKeys`].
pub(super) fn check(rights: &Rights) -> Result<(), Refusal> {
    match rights {
        Rights::All | Rights::Granted(_) => Ok(()),
        Rights::Unknown => Err(Refusal::NoKeys),
    }
}

/// Why a client may read none of the symbols that it asks for.
pub(super) fn denied(rights: &Rights) -> Refusal {
    match rights {
        Rights::Granted(grant) if grant.subject.is_none() => Refusal::NotForAll,
        _ => Refusal::NotEntitled,
    }
}

/// The word for it, as the wire has it.
pub(super) fn word(access: Access) -> &'static str {
    match access {
        Access::Live => "live",
        Access::Delayed => "delayed",
        Access::Denied => "denied",
    }
}
