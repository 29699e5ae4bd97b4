//! How the task of a shard begins and ceases to own it.

use super::{FEED_PAUSE, FLUSH_MAX, ShardTask};
use crate::{
    cluster::{
        bus::{Bus, Leases},
        clock::{Boot, Moment},
        lease::{Former, LeaveReason, Start},
        names::NodeName,
        owned_feed::OwnedFeed,
        owner::Tenure,
        shard::Event,
        shard_io::Input,
        token::Token,
    },
    market::Now,
};

impl<B: Bus, L: Leases, F: OwnedFeed> ShardTask<B, L, F> {
    pub(super) fn own(&mut self, token: Token, former: &Former, start: Start, now: Moment) {
        let change = if matches!(start, Start::NewEpoch) { "claimed" } else { "granted" };
        self.facts.count_change(change);
        self.note("owned", change);
        self.tenures += 1;
        let mut tape = Tenure::<B>::tape(token, self.book.symbols().len(), start, self.window);
        tape.set_lease(self.machine.validity(), self.machine.lease().revision());
        tape.set_connected(*self.connected.borrow());
        self.book.remember(former);
        match start {
            Start::NewEpoch => tape.open(|push| self.book.open(token.epoch, push), now.boot),
            Start::After(_) => self.book.go_on(token.epoch),
        }
        self.book.flush();
        let (bus, live) = (self.io.bus().clone(), self.io.subjects().live(&self.shard));
        let tenure = Tenure::new(self.tenures, tape, bus, live, self.traffic.clone(), self.wake.clone());
        tenure.outlet.send(now);
        self.io.listen();
        self.tenure = Some(tenure);
        self.feed_state = None;
        self.start_feed();
    }

    fn start_feed(&mut self) {
        self.feed_ended = None;
        let Some(tenure) = &self.tenure else { return };
        let feed = tenure.number;
        let ended = self.feed.start(tenure.outlet.clone());
        self.io.request(async move { ended.await.map_or(Input::FeedStopped, |why| Input::FeedEnded { feed, why }) });
    }

    /// The feed has ended by itself, which a lost connection is not: another node is to own the shard.
    pub(super) fn feed_ended(&mut self, number: u64, why: &str, now: Moment) {
        let Some(tenure) = self.tenure.as_ref().filter(|tenure| tenure.number == number) else { return };
        if !self.machine.owns() {
            return;
        }
        self.book.begin(Now::read());
        tenure.make_stale(&mut self.book, now);
        self.book.flush();
        self.note("feed ended", why);
        self.feed_ended = Some(now.boot);
        self.on(Event::FeedEnded, now);
    }

    /// Tells the machine how the feed is doing. If no node took the shard of a feed that has ended, starts it again.
    pub(super) fn look_at_feed(&mut self, now: Moment) {
        let state = self.feed.state();
        if self.machine.owns() && self.feed_state.replace(state) != Some(state) {
            self.on(Event::Feed(state), now);
        }
        let is_over = self.feed_ended.is_some_and(|ended| now.boot.since(ended) >= FEED_PAUSE);
        if is_over && self.machine.state() == "owning" {
            self.note("feed started", "no other node took the shard");
            self.start_feed();
        }
    }

    /// The connection to the venue is closed: the last batch says that all symbols are stale.
    pub(super) fn feed_closed(&mut self, number: u64, now: Moment) {
        let Some(tenure) = self.tenure.as_ref().filter(|tenure| tenure.number == number) else { return };
        if self.machine.owns() {
            self.book.begin(Now::read());
            let last = tenure.close(&mut self.book, now);
            self.book.flush();
            self.io.flush(number, last, FLUSH_MAX);
        }
    }

    pub(super) fn handed_over(&mut self, to: Option<NodeName>, is_clean: bool, now: Moment) {
        self.end_suspension(now.boot);
        self.facts.count_change("drained");
        let to = to.map_or_else(|| "any node may follow".to_owned(), |to| format!("to {to}"));
        self.note("handed over", &if is_clean { to } else { format!("{to}; the feed was not closed in time") });
        if is_clean && let Some(tenure) = &self.tenure {
            tenure.retire(now);
        } else {
            self.drop_tenure();
        }
    }

    pub(super) fn leave(&mut self, reason: LeaveReason, now: Boot) {
        self.end_suspension(now);
        let change = match reason {
            LeaveReason::Expired => "expired",
            LeaveReason::Outranked => "outranked",
        };
        self.facts.count_change(change);
        self.note("left", change);
        self.drop_tenure();
    }

    /// Ingest makes no tick from now on, and the connection to the venue closes.
    fn drop_tenure(&mut self) {
        if let Some(tenure) = self.tenure.take() {
            tenure.outlet.close();
        }
        self.io.stop_listening();
        drop(self.feed.stop());
    }

    pub(super) fn end_suspension(&mut self, now: Boot) {
        if let Some(since) = self.suspended_since.take() {
            self.facts.suspended += now.since(since);
        }
    }
}
