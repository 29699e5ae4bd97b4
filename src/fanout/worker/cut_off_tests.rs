//! What streams get while a shard is cut off from its owner.

use super::*;

impl Fixture {
    /// Cuts off the first shard.
    fn cut_off(&self) {
        self.shards[0].cut_off(epoch(50));
        self.each_of_first(|state, now| state.show_cut_off(Reason::NoOwner, now));
    }

    /// The first shard is as its owner says, in this epoch.
    fn restore(&self, bits: u64) {
        self.shards[0].restore(epoch(bits));
        self.each_of_first(SymbolState::restore);
    }

    fn each_of_first(&self, change: impl Fn(&SymbolState, Now) -> Published) {
        (0..2).for_each(|symbol| self.announce(symbol, change(&self.states[symbol], self.now)));
    }

    /// A client comes back, behind the event of this `n`.
    fn resumed(&mut self, after: u64) -> Vec<String> {
        (self.page, self.read) = (Page::new(usize::MAX / 2), 0);
        let mut stream = self.stream(Options::new(Duration::from_secs(15)));
        stream.resume = Some(Resume { after, bytes: 64 * 1024 });
        self.join(stream)
    }
}

#[test]
fn a_cut_off_and_its_end_are_greeted_alike() {
    let mut fixture = Fixture::joined();
    let hello = |fixture: &Fixture| format!("hello {}", fixture.epoch());
    let normal = fixture.epoch();
    fixture.cut_off();
    assert_ne!(fixture.epoch(), normal);
    assert_eq!(fixture.turn(), [&*hello(&fixture), "A 1", "B 1", "C 1"]);
    fixture.trade(0);
    assert_eq!(fixture.turn(), ["A 2"]);
    fixture.restore(2);
    assert_eq!(fixture.epoch(), normal);
    assert_eq!(fixture.turn(), [&*hello(&fixture), "B 1", "C 1", "A 2"]);
}

/// An epoch begins with 10 of A and 20 of B while one node is cut off: its client gets the ticks under numbers of that
/// node, with the ids of the epoch, and leaves before the `hello` of the epoch.
#[test]
fn a_client_that_leaves_between_the_ids_of_an_epoch_and_its_hello_misses_no_tick_on_any_node() {
    let [mut cut_off, mut other] = [Fixture::joined(), Fixture::joined()];
    let begun = u64::try_from(cut_off.now.unix.0).unwrap() + 1_000_000;
    let tick = |seq, n, prior| owners(epoch(3), seq, begun + n, prior);
    cut_off.cut_off();
    cut_off.turn();
    cut_off.follow(0, tick(10, 1, Some([9; 4])));
    assert_eq!(cut_off.turn(), ["A 2"]);
    let last = cut_off.states[0].newest();
    assert_eq!((last.id.epoch, last.snapshot.trade.price), (epoch(3), price(10)), "it has the tick");
    other.follow(0, tick(10, 1, Some([9; 4])));
    for node in [&mut cut_off, &mut other] {
        node.follow(1, tick(20, 2, Some([19; 4])));
    }
    cut_off.restore(3);
    for node in [&mut cut_off, &mut other] {
        node.follow(0, tick(11, 3, None));
        node.follow(0, tick(12, 4, None));
        node.turn();
        assert_eq!(node.resumed(last.id.n), ["hello first", "C 1", "B 20", "A 11", "A 12"]);
    }
}
