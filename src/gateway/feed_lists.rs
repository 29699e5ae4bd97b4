//! How the lists of feeds change while they run.

use super::{
    GatewayError,
    feed_set::{FeedSet, State},
    wiring::{Known, followed, register},
};
use crate::{
    cache::SymbolState,
    config::{self, Config},
    delay::LineChange,
    feed::ListChange,
    ingest,
    market::{Now, Symbol},
    venue::ListedSymbol,
};
use std::{collections::HashSet, sync::Arc};
use tracing::warn;

impl FeedSet {
    /// Removes symbols of a living feed.
    pub(super) async fn remove(&self, state: &mut State, name: &str, symbols: Vec<Symbol>) -> Result<(), GatewayError> {
        let gone: HashSet<Symbol> = symbols.into_iter().collect();
        let Some(feed) = state.feeds.iter_mut().find(|feed| feed.config.name == name) else { return Ok(()) };
        let (removed, kept): (Vec<_>, Vec<_>) =
            feed.states().iter().cloned().partition(|state| gone.contains(state.symbol()));
        feed.list(removed.iter().map(|state| ListChange::Remove(state.symbol().clone())), kept);
        feed.leave(&removed);
        feed.config.symbols.retain(|listed| !gone.contains(&listed.symbol));
        let late = self.late(&feed.config, &removed);
        if !late.is_empty() {
            let change = LineChange::Leave(feed.debug().name.clone(), gone);
            state.delay.change(change, || self.announcer()).await?;
        }
        self.retire(&removed);
        self.retire(&late);
        Ok(())
    }

    /// Adds symbols to a living feed.
    pub(super) async fn add_symbols(
        &self,
        state: &mut State,
        name: &str,
        symbols: Vec<ListedSymbol>,
    ) -> Result<(), GatewayError> {
        let Some(feed) = state.feeds.iter_mut().find(|feed| feed.config.name == name) else { return Ok(()) };
        let added = register(&feed.config, &symbols, &Known::new(), &self.cache, None, Now::read())?;
        let add = |(symbol, target): (&ListedSymbol, &Arc<SymbolState>)| ListChange::Add {
            symbol: symbol.clone(),
            target: target.clone(),
        };
        let states = feed.states().iter().chain(&added).cloned().collect();
        feed.list(symbols.iter().zip(&added).map(add), states);
        feed.config.symbols.extend(symbols);
        let settings = feed.config.clone();
        self.follow(state, &settings, &added).await
    }

    /// Tells feeds of the changes of their lists. One that does not take them, as it has died or hangs, restarts.
    pub(super) async fn flush(&self, state: &mut State, config: &Config) -> Vec<(String, Result<(), GatewayError>)> {
        let mut hang = Vec::new();
        for feed in &mut state.feeds {
            if !feed.flush().await {
                let settings = config.feeds.iter().find(|now| now.name == feed.config.name);
                hang.push(settings.unwrap_or(&feed.config).clone());
            }
        }
        let mut restarted = Vec::new();
        for feed in hang {
            warn!(feed = feed.name, "the feed does not take the changes of its list, and restarts");
            restarted.push((feed.name.clone(), self.restart(state, &feed, config).await));
        }
        restarted
    }

    /// Follows live states by the delay line of their feed, if it has one.
    pub(super) async fn follow(
        &self,
        state: &mut State,
        feed: &config::Feed,
        states: &[Arc<SymbolState>],
    ) -> Result<(), GatewayError> {
        let Some(line) = feed.tier.line() else { return Ok(()) };
        let symbols = followed(feed, line, states, &self.cache)?;
        // They may be taken back. What they show next has its delay before it.
        ingest::readmitted(&self.late(feed, states), &mut self.announcer(), Now::read());
        let change = LineChange::Follow(feed.name.as_str().into(), symbols);
        Ok(state.delay.change(change, || self.announcer()).await?)
    }
}
