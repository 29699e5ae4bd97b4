//! What is checked of a world: after each step of a node, and at its end.

use crate::{
    checks::{Checked, Rule, violated},
    market::shown,
    node::{node_name, symbol_name},
    shelf::Kept,
    world::{MILLI, Machine, World},
};
use std::time::Duration;
use tickfan::{
    cluster::{follower::State as Following, tape::Tape, token::Token},
    market::State,
};

/// What is shown as live was true so lately.
const OLD: u64 = 2_500 * MILLI;
/// After a stop from outside each shard has an event within this time.
const WAKING: u64 = 1_100 * MILLI;
/// A lease ends by the clock that counts more, and its timer is set by the other one.
const DRIFT: Duration = Duration::from_millis(100);

impl World {
    /// Checks a node after its step, and passes on what its streams are sent.
    pub(crate) fn checked(&mut self, machine: usize, life: u64) -> Checked {
        let of = &mut self.machines[machine];
        let now = of.clock.read(self.now);
        let limits = self.settings.limits();
        let Some(node) = of.node.as_mut().filter(|_| of.life == life) else { return Ok(()) };
        for (shard, of_node) in node.shards.iter_mut().enumerate() {
            for record in of_node.shelf.records.drain(..) {
                self.checks.record(shard, record)?;
            }
            let sent = std::mem::take(&mut of_node.shelf.sent);
            self.seen.sent += sent.len();
            for client in
                self.clients.iter_mut().filter(|client| client.shard == shard && client.at == Some((machine, life)))
            {
                sent.iter().try_for_each(|event| client.take(*event, &mut self.checks))?;
            }
            let node = &of_node.node;
            let token = if node.owns() { node.lease().held() } else { node.follower().token() };
            if let Some(token) = token {
                self.checks.took(shard, life, token)?;
            }
            if let Some(tape) = &of_node.tape {
                self.checks.sealed(shard, tape.token().epoch, tape.last());
            }
            let buffered = node.follower().buffered_bytes();
            let kept = of_node.tape.as_ref().map_or(0, Tape::bytes);
            self.seen.most_buffered = self.seen.most_buffered.max(buffered);
            if buffered > limits.buffer_bytes || kept > limits.history_bytes {
                return violated(Rule::Limits, format!("gw-{machine} keeps {buffered} and {kept} bytes"));
            }
            // After a pause it takes its timer to show what time has changed. After a stop from outside, which its
            // clock has not counted, it takes the shard's next event, of which there is one a second.
            let is_due = node.due().is_some_and(|due| due <= now.boot);
            let wakes = self.now < of.stopped_until + WAKING;
            if node.owns() {
                of.heard[shard] = self.now;
                // The connection to the venue is closed before a shard is given away, and its symbols are stale then.
                let is_shown = |state: &Kept| state.shown.state() == State::Live;
                let shows = of_node.shelf.is_live && of_node.shelf.states.iter().any(is_shown);
                let is_nearly_due = node.due().is_some_and(|due| due <= now.boot.after(DRIFT));
                if shows && !is_nearly_due && !wakes && node.publishing(now).is_none() {
                    return violated(Rule::Age, format!("gw-{machine} shows feed-{shard}.0 as live without a lease"));
                }
                continue;
            }
            if !of_node.shelf.is_live || is_due || wakes {
                continue;
            }
            let silent = self.now - of.heard[shard];
            if silent > OLD {
                return violated(
                    Rule::Age,
                    format!("gw-{machine} is live {silent} µs after the last message was sent"),
                );
            }
            // After an owner's pause its backlog is many batches there, and the first one is young.
            let states = of_node.shelf.states.iter().filter(|_| !self.settings.is_tight);
            for state in states.filter(|state| state.shown.state() == State::Live) {
                let age = self.markets[shard].age(state.symbol, shown(&state.shown), self.now);
                if age > OLD {
                    let symbol = symbol_name(state.symbol);
                    return violated(Rule::Age, format!("gw-{machine} shows {symbol} as live, {age} µs old"));
                }
            }
        }
        self.one_owner()
    }

    /// The one owner of a shard.
    pub(crate) fn owner(&self, shard: usize) -> Option<usize> {
        self.owners(shard).next()
    }

    /// The token of a shard's owner.
    pub(crate) fn token(&self, shard: usize) -> Token {
        let owner = self.owner(shard).expect("the shard has an owner");
        let now = self.machines[owner].clock.read(self.now);
        let node = self.machines[owner].node.as_ref().expect("an owner runs");
        node.shards[shard].node.publishing(now).expect("an owner may publish")
    }

    /// The nodes that may publish a shard right now, by their own clocks. A paused node counts: it may wake now.
    fn owners(&self, shard: usize) -> impl Iterator<Item = usize> {
        let may = move |machine: &Machine| {
            let Some(node) = &machine.node else { return false };
            let node = &node.shards[shard].node;
            node.owns() && node.publishing(machine.clock.read(self.now)).is_some()
        };
        (0..self.machines.len()).filter(move |&machine| may(&self.machines[machine]))
    }

    fn one_owner(&self) -> Checked {
        for shard in 0..self.settings.shards {
            if !self.settings.loses && self.owners(shard).count() > 1 {
                let owners: Vec<_> = self.owners(shard).collect();
                return violated(Rule::OneOwner, format!("{owners:?} may publish feed-{shard}.0"));
            }
        }
        Ok(())
    }

    /// While a node publishes, no other may.
    pub(crate) fn alone(&self, machine: usize, shard: usize) -> Checked {
        let others = self.owners(shard).filter(|other| *other != machine).count();
        if others > 0 && !self.settings.loses {
            return violated(Rule::OneOwner, format!("gw-{machine} publishes feed-{shard}.0, and {others} others may"));
        }
        Ok(())
    }

    /// All nodes are up and follow the one owner of each shard, and all is live.
    pub(crate) fn agrees(&self) -> Checked {
        let wrong = |text: String| violated(Rule::Agreement, text);
        for shard in 0..self.settings.shards {
            let owners: Vec<_> = self.owners(shard).collect();
            let [owner] = owners[..] else { return wrong(format!("{owners:?} own feed-{shard}.0")) };
            let token = self.token(shard);
            if self.store.newest(shard).map(|value| (value.node, value.token)) != Some((node_name(owner), token)) {
                return wrong(format!("the store does not name gw-{owner} for feed-{shard}.0"));
            }
            for (index, machine) in self.machines.iter().enumerate() {
                let Some(node) = &machine.node else { return wrong(format!("gw-{index} is down")) };
                let of = &node.shards[shard];
                let follower = of.node.follower();
                let follows = follower.token() == Some(token) && follower.state() == Following::Live;
                if index != owner && !follows {
                    return wrong(format!(
                        "gw-{index} does not follow gw-{owner}, feed-{shard}.0: {}",
                        of.node.state()
                    ));
                }
                if !of.node.is_fresh() || !of.shelf.is_live {
                    return wrong(format!("gw-{index} is not fresh, feed-{shard}.0"));
                }
                if let Some(state) = of.shelf.states.iter().find(|state| state.shown.state() != State::Live) {
                    let (symbol, state) = (symbol_name(state.symbol), state.shown.state());
                    return wrong(format!("gw-{index} shows {symbol} of feed-{shard}.0 as {state:?}"));
                }
            }
        }
        Ok(())
    }

    /// How many ticks followers have missed, and how many batches a snapshot replaced.
    pub(crate) fn missed(&self) -> u64 {
        let shards = self.machines.iter().filter_map(|machine| machine.node.as_ref()).flat_map(|node| &node.shards);
        shards.map(|shard| shard.node.follower().counts()).map(|counts| counts.lost + counts.replaced).sum()
    }

    /// How many holes followers have filled.
    pub(crate) fn filled(&self) -> u64 {
        let shards = self.machines.iter().filter_map(|machine| machine.node.as_ref()).flat_map(|node| &node.shards);
        shards.map(|shard| shard.node.follower().counts().filled).sum()
    }

    /// All books are as the owner's, and all know what is wanted.
    pub(crate) fn equal(&self) -> Checked {
        let wrong = |text: String| violated(Rule::Agreement, text);
        for shard in 0..self.settings.shards {
            let owner = self.owner(shard).expect("they agree");
            let shards =
                || self.machines.iter().map(|machine| &machine.node.as_ref().expect("they agree").shards[shard]);
            let owners = &shards().nth(owner).expect("an owner is a node").shelf;
            for (index, of) in shards().enumerate() {
                for state in &of.shelf.states {
                    let owners = &owners.states[owners.place_of(state.symbol)];
                    if (state.have, state.shown) != (owners.have, owners.shown) {
                        let symbol = symbol_name(state.symbol);
                        return wrong(format!(
                            "gw-{index} has {:?} of {symbol}, the owner {:?}",
                            state.have, owners.have
                        ));
                    }
                    if shown(&state.shown) != self.markets[shard].newest()[state.symbol].number {
                        return wrong(format!("gw-{index} lacks the last trade of {}", symbol_name(state.symbol)));
                    }
                }
            }
            for (client, of) in self.clients.iter().enumerate().filter(|(_, client)| client.shard == shard) {
                let is_open = of.at.is_some_and(|(machine, life)| self.machines[machine].life == life);
                let symbol = symbol_name(client / self.settings.shards);
                if let Some(index) = shards().position(|of| is_open && !of.wanted.is_wanted(&symbol)) {
                    return wrong(format!("gw-{index} does not know that {symbol} is wanted"));
                }
            }
        }
        Ok(())
    }
}
