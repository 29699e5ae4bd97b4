//! Two nodes never own at once, whatever is late, lost, paused or applied twice over, while the store keeps what it
//! applied and clocks run within the stated bounds.

use super::{testing::node_name, *};
use crate::market::UnixMicros;
use rand::RngExt;

const STEPS: usize = 400;
/// Clocks may run by as much too fast or too slow: their rates differ by 10.5 %.
const RATE_MAX: f64 = 0.05;

/// A request or its answer on its way.
enum Flight {
    Read { request: u64 },
    Write { request: u64, expected: Option<u64>, value: LeaseValue },
    Answer(Event),
}

struct Node {
    lease: Lease,
    rate: f64,
    /// How long the machine was stopped, in µs of true time: the wall clock counted it, the other did not.
    stopped: u64,
    wall_offset: i64,
    flights: Vec<Flight>,
}

impl Node {
    fn now(&self, micros: u64) -> Moment {
        let boot = ((micros - self.stopped) as f64 * self.rate) as u64;
        let wall = boot + self.stopped;
        Moment { boot: Boot(1_000_000 + boot), wall: UnixMicros(self.wall_offset + wall as i64) }
    }
}

/// Runs two leases of these lengths against one store, with all choices drawn from the seed. Returns how often a node
/// became the owner, or when two were.
fn run(seed: u64, fault: Option<PlantedFault>, timings: [LeaseTiming; 2]) -> Result<usize, String> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut micros: u64 = 1_000_000;
    // All revisions, from 1.
    let mut store: Vec<LeaseValue> = Vec::new();
    let mut owned = 0;
    let mut nodes = [("a", timings[0]), ("b", timings[1])].map(|(name, timing)| {
        let rate = 1.0 + random.random_range(-RATE_MAX..RATE_MAX);
        let wall_offset = random.random_range(0..1_000_000_000);
        let started = Moment { boot: Boot(0), wall: UnixMicros(0) };
        let instance = Instance::new(random.random());
        let lease = Lease::new(node_name(name), instance, timing, random.random(), started);
        let lease = match fault {
            Some(fault) => lease.with_fault(fault),
            None => lease,
        };
        Node { lease, rate, stopped: 0, wall_offset, flights: Vec::new() }
    });
    for step in 0..STEPS {
        // Calm times, in which leases are kept, and times in which all is slow.
        let slow = (step / 50) % 2 == 1;
        micros += random.random_range(0..if slow { 800_000 } else { 200_000 });
        // In slow times one of them hardly gets a turn.
        let favoured = if slow && random.random_ratio(9, 10) { step / 100 % 2 } else { random.random_range(0..2) };
        let node = &mut nodes[favoured];
        let place = random.random_range(0..node.flights.len().max(1));
        let mut event = None;
        match random.random_range(0..if slow { 12 } else { 8 }) {
            // Requests are applied and answered in any order.
            0..=5 if !node.flights.is_empty() => match node.flights.remove(place) {
                Flight::Read { request } => {
                    let newest = store.len();
                    let stale = if random.random_ratio(1, 10) { random.random_range(0..=newest) } else { newest };
                    let answer = match stale {
                        0 => ReadAnswer::Absent,
                        revision => {
                            ReadAnswer::Found { revision: revision as u64, value: Ok(store[revision - 1].clone()) }
                        }
                    };
                    node.flights.push(Flight::Answer(Event::Read { request, answer }));
                }
                Flight::Write { request, expected, value } => {
                    let is_expected = expected.unwrap_or(0) == store.len() as u64;
                    let answer = if is_expected {
                        store.push(value);
                        WriteAnswer::Written(store.len() as u64)
                    } else {
                        WriteAnswer::Conflict
                    };
                    let answer = if random.random_ratio(1, 10) { WriteAnswer::Unknown } else { answer };
                    node.flights.push(Flight::Answer(Event::Write { request, answer }));
                }
                Flight::Answer(answer) => event = Some(answer),
            },
            0..=7 => event = Some(Event::Due),
            8 if !node.flights.is_empty() => node.flights.truncate(place),
            9 => {
                let stop = random.random_range(0..10_000_000);
                node.stopped += stop;
                micros += stop;
            }
            10 => node.wall_offset += random.random_range(0..20_000_000),
            _ => {
                let rank = random.random_range(0..2);
                event = Some(Event::Standing(Standing { rank, synced: true, applied: None }));
            }
        }
        if let Some(event) = event {
            let now = node.now(micros);
            for action in node.lease.on(event, now) {
                match action {
                    Action::Read { request } => node.flights.push(Flight::Read { request }),
                    Action::Write { request, expected, value } => {
                        node.flights.push(Flight::Write { request, expected, value });
                    }
                    Action::Own { .. } => owned += 1,
                    _ => {}
                }
            }
        }
        // Messages of the owner come at any time, or never.
        let owner = random.random_range(0..2);
        if let Some(token) = nodes[owner].lease.publishing(nodes[owner].now(micros))
            && random.random_ratio(1, 10)
        {
            let revision = nodes[owner].lease.revision().unwrap_or_default();
            nodes[1 - owner].flights.push(Flight::Answer(Event::Heard { token, revision }));
        }
        if nodes.iter().filter(|node| node.lease.publishing(node.now(micros)).is_some()).count() == 2 {
            return Err(format!("seed {seed}, step {step}: two own at {micros}"));
        }
    }
    Ok(owned)
}

fn seeds(count: u64, fault: Option<PlantedFault>, timing: LeaseTiming) -> Result<usize, String> {
    (0..count).map(|seed| run(seed, fault, [timing; 2])).sum()
}

#[test]
fn two_never_own_at_once() {
    for lease in [5, 9, 60] {
        let owned = seeds(500, None, LeaseTiming::new(Duration::from_secs(lease))).unwrap();
        assert!(owned > 500, "owners change, or the test says little: {owned}");
    }
}

#[test]
fn two_never_own_at_once_though_their_configurations_differ() {
    let timings = [5, 18].map(|lease| LeaseTiming::new(Duration::from_secs(lease)));
    let owned: Result<usize, String> = (0..500).map(|seed| run(seed, None, timings)).sum();
    assert!(owned.clone().is_ok_and(|owned| owned > 500), "{owned:?}");
}

#[test]
fn a_write_that_counts_from_its_answer_is_found() {
    seeds(5_000, Some(PlantedFault::CountsFromAnswer), LeaseTiming::new(Duration::from_secs(9))).unwrap_err();
}

#[test]
fn an_owner_that_holds_for_longer_than_the_others_wait_is_found() {
    let take = Duration::from_secs(9);
    seeds(5_000, None, LeaseTiming { hold: take + Duration::from_secs(5), take }).unwrap_err();
}
