//! A feed on demand, as streams and the sweep see it.

use crate::{
    cache::SymbolState,
    config,
    feed::ListChange,
    market::{Facts, Origin, Symbol},
    venue::{ListedSymbol, Spec},
};
use std::sync::Arc;
use tokio::sync::mpsc;

/// A feed whose list follows the streams.
pub struct DemandFeed {
    pub(super) name: Arc<str>,
    pub(super) origin: Origin,
    pub(super) settings: config::OnDemand,
    venue: &'static Spec,
    changes: mpsc::Sender<Vec<ListChange<Arc<SymbolState>>>>,
}

impl DemandFeed {
    /// A feed of the configuration; `None` if it is not on demand. It takes changes of its list here.
    pub fn new(feed: &config::Feed, changes: mpsc::Sender<Vec<ListChange<Arc<SymbolState>>>>) -> Option<Self> {
        let settings = feed.on_demand.clone()?;
        Some(Self { name: feed.name.as_str().into(), origin: feed.origin(), settings, venue: feed.venue, changes })
    }

    /// Whether streams may ask for this name.
    pub(super) fn covers(&self, symbol: &Symbol) -> bool {
        let has_name = || self.venue.is_canonical(symbol) && (self.venue.derive)(symbol).is_some();
        self.settings.patterns.iter().any(|pattern| pattern.matches(symbol)) && has_name()
    }

    /// What the venue's name of a symbol tells of it.
    pub(super) fn facts_of(&self, symbol: &Symbol) -> Facts {
        self.venue.facts_of(&ListedSymbol::from(symbol.clone()))
    }

    /// Tells the feed of changes, in their order. Those that it has no room for stay in the list.
    pub(super) fn tell(&self, pending: &mut Vec<ListChange<Arc<SymbolState>>>) {
        if pending.is_empty() {
            return;
        }
        if let Ok(permit) = self.changes.try_reserve() {
            permit.send(std::mem::take(pending));
        } else if self.changes.is_closed() {
            pending.clear(); // the gateway stops
        }
    }
}

/// The change that adds a symbol.
pub(super) fn added(state: &Arc<SymbolState>) -> ListChange<Arc<SymbolState>> {
    ListChange::Add { symbol: ListedSymbol::from(state.symbol().clone()), target: state.clone() }
}
