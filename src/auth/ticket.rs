//! Tickets: a grant under a random name that counts once, for a client that can send neither a header nor a cookie.

use super::{grant::Grant, object::base64url, policy::Policy, subject::Subject};
use crate::market::Now;
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The most tickets that are open: as a page opens its stream at once, they are those of half a minute.
pub const TICKETS_MAX: usize = 16_384;
/// The most of one subject: a page needs one for each stream that it opens.
pub const TICKETS_PER_SUBJECT: usize = 32;

/// A ticket: 128 random bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket([u8; 16]);

impl Ticket {
    /// A ticket of random bytes, which must come from a generator that cannot be predicted.
    pub fn new(random: [u8; 16]) -> Self {
        Self(random)
    }

    /// The ticket as a client carries it.
    pub fn text(self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }

    fn read(text: &str) -> Option<Self> {
        base64url(text)?.try_into().ok().map(Self)
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket")
    }
}

/// Why there is not a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TooManyTickets {
    /// The subject has [`TICKETS_PER_SUBJECT`].
    OfSubject,
    /// There are [`TICKETS_MAX`].
    InAll,
}

/// The tickets that are neither used nor expired.
#[derive(Debug, Default)]
pub struct Tickets(Mutex<Open>);

#[derive(Debug, Default)]
struct Open {
    tickets: HashMap<Ticket, Held>,
    /// In the order in which they expire.
    by_end: BTreeSet<(Instant, Ticket)>,
    of_subject: HashMap<Subject, usize>,
}

#[derive(Debug)]
struct Held {
    grant: Arc<Grant>,
    subject: Subject,
    ends: Instant,
}

impl Tickets {
    /// Opens a ticket to the subject's grant, for as long as `ttl`.
    ///
    /// # Errors
    /// [`TooManyTickets`], once those that have expired are forgotten.
    pub fn issue(
        &self,
        ticket: Ticket,
        subject: Subject,
        grant: Arc<Grant>,
        ttl: Duration,
        now: Instant,
    ) -> Result<(), TooManyTickets> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        open.forget_expired(now);
        // The same bits twice would give one client's grant to another.
        if open.tickets.len() >= TICKETS_MAX || open.tickets.contains_key(&ticket) {
            return Err(TooManyTickets::InAll);
        }
        let of_subject = open.of_subject.entry(subject).or_default();
        if *of_subject >= TICKETS_PER_SUBJECT {
            return Err(TooManyTickets::OfSubject);
        }
        *of_subject += 1;
        let ends = now + ttl;
        open.by_end.insert((ends, ticket));
        open.tickets.insert(ticket, Held { grant, subject, ends });
        Ok(())
    }

    /// Uses a ticket up. Of several that try at once, one gets the grant. A grant that an earlier policy made counts no
    /// longer: its client gets a new ticket, to what it may read now.
    pub fn take(&self, text: &str, policy: &Policy, now: Now) -> Option<Arc<Grant>> {
        let ticket = Ticket::read(text)?;
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held = open.tickets.remove(&ticket)?;
        open.forget(ticket, &held);
        let counts = now.instant < held.ends && held.grant.counts(now.unix) && policy.has_made(&held.grant);
        counts.then_some(held.grant)
    }

    /// Forgets those that have expired.
    pub fn sweep(&self, now: Instant) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).forget_expired(now);
    }

    /// How many are open: a gauge.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).tickets.len()
    }

    /// Whether none is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Open {
    fn forget_expired(&mut self, now: Instant) {
        while let Some(&(ends, ticket)) = self.by_end.first().filter(|(ends, _)| *ends <= now) {
            match self.tickets.remove(&ticket) {
                Some(held) => self.forget(ticket, &held),
                None => drop(self.by_end.remove(&(ends, ticket))),
            }
        }
    }

    /// Takes a ticket that has ended out of the counts.
    fn forget(&mut self, ticket: Ticket, held: &Held) {
        self.by_end.remove(&(held.ends, ticket));
        if let Entry::Occupied(mut count) = self.of_subject.entry(held.subject) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
#[path = "ticket_tests.rs"]
mod tests;
