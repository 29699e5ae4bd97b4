//! A follower's symbols, without anything that shows them.

use tickfan::{
    cluster::{
        follower::{Book, CutOff, Have, Place, Step},
        message::Tick,
    },
    market::{Guards, Snapshot},
    wire::Epoch,
};

/// What a follower has of each symbol. `SYM7` is the eighth.
pub struct Shelf(pub Vec<(Option<Have>, Snapshot, Guards)>);

impl Book for Shelf {
    fn len(&self) -> u32 {
        self.0.len() as u32
    }

    fn find(&self, name: &str) -> Option<Place> {
        name.strip_prefix("SYM").and_then(|number| number.parse().ok()).map(Place)
    }

    fn have(&self, place: Place) -> Option<Have> {
        self.0[place.0 as usize].0
    }

    fn take(&mut self, place: Place, epoch: Epoch, tick: &Tick<'_>, _: Step) {
        let (have, snapshot, guards) = &mut self.0[place.0 as usize];
        tick.merge_into(snapshot, guards);
        *have = Some(Have { epoch, seq: tick.seq });
    }

    fn absent(&mut self, _: Place) {}

    fn cut_off(&mut self, _: CutOff) {}

    fn restore(&mut self) {}
}
