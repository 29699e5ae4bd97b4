//! How a symbol leaves the list of its feed, and comes back.

use super::{
    published::Published,
    sources::Own,
    state::{Inner, Listed, SymbolState},
};
use crate::market::{Guards, Now, Parts, Reason, Snapshot, Source};

impl SymbolState {
    /// The symbol is not listed any longer: streams see it refused, for this reason, and its prices are stale. What
    /// comes after it is listed again may have another order. Until it is [readmitted](Self::readmit), no connection
    /// may publish to it.
    pub fn remove(&self, reason: Reason, now: Now) -> Published {
        self.set_all(now, |snapshot, guards| {
            let aged = snapshot.start_over(guards, now);
            aged.union(snapshot.set_refused(Some(reason), now))
        })
    }

    /// The symbol is listed again: what was known of it is stale until its own next update.
    pub fn readmit(&self, now: Now) -> Published {
        self.set_all(now, |snapshot, _| snapshot.set_refused(None, now))
    }

    /// Whether it is of this feed, and its prices as late.
    pub(super) fn is_of(&self, Listed { symbol, feed, origin, delay }: &Listed) -> bool {
        let is_same_feed = self.symbol() == symbol && self.feed_name() == &**feed;
        let is_as_late = self.delay_seconds() == delay.map(|delay| delay.get().into());
        is_same_feed && is_as_late && self.said_by(Source::Primary).origin == *origin
    }

    /// Changes what is shown, and what each feed says where it has two.
    fn set_all(&self, now: Now, set: impl Fn(&mut Snapshot, &mut Guards) -> Parts) -> Published {
        let mut inner = self.lock();
        let Inner { snapshot, guards, sources, .. } = &mut *inner;
        let changed = set(snapshot, guards);
        for Own { snapshot, guards } in sources.iter_mut().flat_map(|sources| &mut sources.own) {
            set(snapshot, guards);
        }
        match changed {
            Parts::NONE => Published::Unchanged,
            changed => self.through(None).push_kind(&mut inner, changed, changed, now),
        }
    }
}
