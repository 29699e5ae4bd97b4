//! Happy Eyeballs (RFC 8305): which address is tried when. Pure; `connect` does the I/O around it.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

/// The most addresses that one attempt tries: at [`BETWEEN`], all have begun after two seconds. The others have their
/// turn in the next attempt.
pub(super) const ADDRESSES_MAX: usize = 8;
/// Between the starts of two addresses, unless one fails earlier: RFC 8305 recommends it, since an address that answers
/// does so within it from almost everywhere.
pub(super) const BETWEEN: Duration = Duration::from_millis(250);

/// The addresses in the order in which they are tried: both families in turn, the one that the look-up prefers first.
/// Addresses that failed in earlier attempts come last, the one that failed last at the end.
pub(super) fn order(found: &[SocketAddr], failed: &[SocketAddr]) -> Vec<SocketAddr> {
    let Some(preferred) = found.first().map(SocketAddr::is_ipv6) else { return Vec::new() };
    let (first, second): (Vec<_>, Vec<_>) = found.iter().copied().partition(|address| address.is_ipv6() == preferred);
    let mut ordered: Vec<SocketAddr> = Vec::new();
    for place in 0..first.len().max(second.len()) {
        for address in [first.get(place), second.get(place)].into_iter().flatten() {
            if !ordered.contains(address) {
                ordered.push(*address);
            }
        }
    }
    // `None`, an address that has not failed, is the least.
    ordered.sort_by_key(|address| failed.iter().rposition(|other| other == address));
    ordered.truncate(ADDRESSES_MAX);
    ordered
}

/// The race of an attempt: the first address that connects wins.
#[derive(Debug)]
pub(super) struct Race {
    waiting: VecDeque<SocketAddr>,
    running: usize,
    next_at: Instant,
}

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Begin to connect to this address.
    Try(SocketAddr),
    /// Wait for one that was begun; until then at most, if a time is given.
    Wait(Option<Instant>),
    /// All have failed.
    Lost,
}

impl Race {
    pub(super) fn new(addresses: Vec<SocketAddr>, now: Instant) -> Self {
        Self { waiting: addresses.into(), running: 0, next_at: now }
    }

    pub(super) fn next(&mut self, now: Instant) -> Move {
        if self.next_at <= now
            && let Some(address) = self.waiting.pop_front()
        {
            self.running += 1;
            self.next_at = now + BETWEEN;
            return Move::Try(address);
        }
        match (self.running, self.waiting.is_empty()) {
            (0, true) => Move::Lost,
            (_, is_last) => Move::Wait((!is_last).then_some(self.next_at)),
        }
    }

    /// An address has failed, so the next one need not wait.
    pub(super) fn failed(&mut self, now: Instant) {
        self.running -= 1;
        self.next_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `6a`, `4b`: the family and a letter.
    fn address(name: &str) -> SocketAddr {
        let (family, letter) = name.split_at(1);
        let host = letter.as_bytes()[0];
        match family {
            "6" => format!("[2001:db8::{host:x}]:443").parse().unwrap(),
            _ => format!("192.0.2.{host}:443").parse().unwrap(),
        }
    }

    fn addresses(names: &str) -> Vec<SocketAddr> {
        names.split_whitespace().map(address).collect()
    }

    #[test]
    fn families_alternate_and_addresses_that_failed_come_last() {
        for (found, failed, ordered) in [
            ("", "", ""),
            ("4a", "", "4a"),
            ("4a 4b 4c", "", "4a 4b 4c"),
            ("6a 6b 4a 4b", "", "6a 4a 6b 4b"),
            ("4a 4b 6a", "", "4a 6a 4b"),
            ("6a 6b 6c 4a", "", "6a 4a 6b 6c"),
            ("4a 4a 4b 4a", "", "4a 4b"),
            ("4a 4b 4c", "4a", "4b 4c 4a"),
            ("4a 4b 4c", "4b 4a", "4c 4b 4a"),
            ("4a 4b", "4a 4b 4a", "4b 4a"),
            ("6a 4a 4b", "6a", "4a 4b 6a"),
            ("4a 4b", "4z", "4a 4b"),
            ("4a 4b 4c 4d 4e 4f 4g 4h 4i 4j", "", "4a 4b 4c 4d 4e 4f 4g 4h"),
            ("4a 4b 4c 4d 4e 4f 4g 4h 4i 4j", "4a 4b 4c 4d 4e 4f 4g 4h", "4i 4j 4a 4b 4c 4d 4e 4f"),
        ] {
            assert_eq!(order(&addresses(found), &addresses(failed)), addresses(ordered), "{found}, failed {failed}");
        }
    }

    /// How an address behaves, with the milliseconds that it takes.
    #[derive(Clone, Copy)]
    enum Is {
        Good(u64),
        Refused(u64),
        Dead,
    }

    /// Runs a race under a clock of its own; returns when each address began, and who won when.
    fn run(behaviour: &[Is]) -> (Vec<u64>, Option<(usize, u64)>) {
        let begin = Instant::now();
        let at = |ms: u64| begin + Duration::from_millis(ms);
        let place = |address: SocketAddr| usize::from(address.port());
        let all = (0..behaviour.len()).map(|place| SocketAddr::from(([192, 0, 2, 1], place as u16))).collect();
        let mut race = Race::new(all, begin);
        let (mut now, mut begun, mut ends) = (0, Vec::new(), Vec::new());
        loop {
            let until = match race.next(at(now)) {
                Move::Lost => return (begun, None),
                Move::Try(address) => {
                    begun.push(now);
                    match behaviour[place(address)] {
                        Is::Good(ms) => ends.push((now + ms, true, place(address))),
                        Is::Refused(ms) => ends.push((now + ms, false, place(address))),
                        Is::Dead => {}
                    }
                    continue;
                }
                Move::Wait(until) => until,
            };
            ends.sort_unstable();
            match ends.first().copied().filter(|end| until.is_none_or(|until| at(end.0) <= until)) {
                Some((end, true, winner)) => return (begun, Some((winner, end))),
                Some((end, false, _)) => {
                    ends.remove(0);
                    now = end;
                    race.failed(at(now));
                }
                // The attempt's own limit ends a race in which nothing comes.
                None if until.is_none() => return (begun, None),
                None => now = until.unwrap().duration_since(begin).as_millis() as u64,
            }
        }
    }

    #[test]
    fn a_dead_address_holds_up_the_next_one_by_250_ms_and_a_failed_one_not_at_all() {
        use Is::{Dead, Good, Refused};
        for (behaviour, begun, winner) in [
            (vec![Good(20)], vec![0], Some((0, 20))),
            (vec![Dead, Good(20)], vec![0, 250], Some((1, 270))),
            (vec![Dead, Dead, Dead, Good(20)], vec![0, 250, 500, 750], Some((3, 770))),
            (vec![Refused(1), Dead, Good(20)], vec![0, 1, 251], Some((2, 271))),
            (vec![Dead, Refused(1), Good(20)], vec![0, 250, 251], Some((2, 271))),
            (vec![Refused(1), Refused(1), Good(5)], vec![0, 1, 2], Some((2, 7))),
            (vec![Good(400), Good(20)], vec![0, 250], Some((1, 270))),
            (vec![Good(260), Good(20)], vec![0, 250], Some((0, 260))),
            (vec![Refused(300), Dead, Good(20)], vec![0, 250, 300], Some((2, 320))),
            (vec![Refused(1), Refused(1)], vec![0, 1], None),
            (vec![Dead, Dead], vec![0, 250], None),
            (vec![Dead, Refused(9)], vec![0, 250], None),
            (vec![], vec![], None),
        ] {
            assert_eq!(run(&behaviour), (begun, winner));
        }
    }
}
