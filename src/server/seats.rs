//! The limits of connections that carry many requests at a time, which hyper does not serve.

use super::{
    connection_table::Phase,
    places::{Place, Places},
    waiting_room::Whose,
};
use crate::limits::{Addresses, ClientAddress, Gate, Permit};
use std::{net::IpAddr, sync::Arc};

/// What such a connection holds while it has no stream: a permit, and a place among the listener's connections.
pub(crate) struct Seat {
    // Dropped in this order: the next connection gets a place when the permit is still there to take, and a newcomer
    // that waits is told when both are.
    place: Place,
    _permit: Box<dyn Send>,
    _return: Return,
}

/// Tells the accept loop at its end.
struct Return {
    places: Arc<Places>,
    whose: Whose,
}

impl Drop for Return {
    fn drop(&mut self) {
        self.places.give_back(self.whose);
    }
}

/// A listener's seats, and the limit of requests that are under way on its connections.
pub(crate) struct Seats<Kind> {
    places: Arc<Places>,
    gate: Gate<Kind>,
    requests: Gate<Request>,
    /// Over HTTP/1.1, an address's connections limit its requests.
    requests_of_addresses: Addresses,
}

/// Whose permits of requests are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Shortage {
    OfAll,
    OfAddress(ClientAddress),
}

/// Marks permits of requests.
enum Request {}

impl<Kind: Send + 'static> Seats<Kind> {
    /// As many requests may be under way as connections may be open.
    pub(super) fn new(places: Arc<Places>, gate: Gate<Kind>) -> Self {
        let requests = Gate::new(gate.limit());
        Self { places, gate, requests, requests_of_addresses: Addresses::default() }
    }

    /// A seat for a connection that is open already, if there is one.
    pub(crate) fn take(&self, peer: IpAddr) -> Option<Seat> {
        let permit = self.gate.try_acquire()?;
        let is_share_full = self.places.whose(peer).is_some_and(|address| self.places.is_share_full(address));
        (!is_share_full).then(|| Seat::new(self.places.enter(peer), permit))
    }

    /// What a request holds until its answer is written.
    ///
    /// # Errors
    /// As many are under way as the listener, or the address that it comes from, may have.
    pub(crate) fn request(&self, peer: IpAddr) -> Result<Box<dyn Send>, Shortage> {
        let request = self.requests.try_acquire().ok_or(Shortage::OfAll)?;
        let Some((address, share)) = self.places.share_of(peer) else { return Ok(Box::new(request)) };
        let of_address =
            self.requests_of_addresses.try_acquire(address, 1, share).ok_or(Shortage::OfAddress(address))?;
        Ok(Box::new((request, of_address)))
    }
}

impl Shortage {
    /// Whether the requests of this peer hold what is short.
    pub(crate) fn concerns(self, peer: IpAddr) -> bool {
        match self {
            Self::OfAll => true,
            Self::OfAddress(address) => address == peer.into(),
        }
    }
}

impl Seat {
    /// The seat of a connection that has both.
    pub(super) fn new<Kind: Send + 'static>(place: Place, permit: Permit<Kind>) -> Self {
        let give_back = Return { places: place.places().clone(), whose: place.whose() };
        Self { place, _permit: Box::new(permit), _return: give_back }
    }

    /// Resolves once the connection has to give way to another. It does not hold the seat.
    pub(crate) fn evicted(&self) -> impl Future<Output = ()> + Send + use<> {
        self.place.eviction()
    }

    /// The connection waits for a request.
    pub(crate) fn idles(&self) {
        self.place.becomes(Phase::Idle);
    }

    /// The connection answers requests.
    pub(crate) fn answers(&self) {
        self.place.becomes(Phase::Answering);
    }

    /// The client does not read the rest of an answer.
    pub(crate) fn blocks(&self) {
        self.place.becomes(Phase::Blocked);
    }
}
