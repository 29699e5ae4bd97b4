//! How a connection spreads its requests over an hour: pure.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

const HOUR: Duration = Duration::from_secs(3_600);

/// The requests of a connection whose venue limits them by the hour.
///
/// The first half of an hour's requests may go out as fast as the venue's pace allows: so does a list that is
/// subscribed as the connection opens. The others are spread over the rest of the hour, so that a change of the list
/// waits for minutes, and not for the end of the hour.
#[derive(Debug, Default)]
pub(super) struct HourlyRequests {
    /// When they were sent, oldest first: those of the last hour.
    sent: VecDeque<Instant>,
}

impl HourlyRequests {
    /// A request is sent. Returns when the next one may be.
    pub(super) fn sent(&mut self, limit: u32, now: Instant) -> Instant {
        let is_over = |at: &Instant| now.saturating_duration_since(*at) >= HOUR;
        while self.sent.pop_front_if(|at| is_over(at)).is_some() {}
        self.sent.push_back(now);
        let Some(&oldest) = self.sent.front() else { return now };
        let sent = u32::try_from(self.sent.len()).unwrap_or(u32::MAX);
        match limit.saturating_sub(sent) {
            0 => oldest + HOUR,
            left if left > limit / 2 => now,
            left => now + (oldest + HOUR).saturating_duration_since(now) / (left + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_half_goes_out_at_once_and_the_rest_is_spread_over_the_hour() {
        let start = Instant::now();
        let mut requests = HourlyRequests::default();
        let mut now = start;
        let waits: Vec<u64> = (0..10)
            .map(|_| {
                let next = requests.sent(8, now);
                let wait = next.saturating_duration_since(now).as_secs();
                now = next;
                wait
            })
            .collect();
        assert_eq!(waits, [0, 0, 0, 720, 720, 720, 720, 720, 180, 180]);
        assert_eq!(now.saturating_duration_since(start).as_secs(), 3_960);
    }

    proptest! {
        #[test]
        fn rule_10_no_hour_has_more_requests_than_the_limit(
            limit in 1_u32..20,
            pauses in prop::collection::vec(0_u64..1_500, 1..200),
        ) {
            let mut now = Instant::now();
            let mut requests = HourlyRequests::default();
            let mut sent: Vec<Instant> = Vec::new();
            for pause in pauses {
                sent.push(now);
                let next = requests.sent(limit, now);
                let in_hour = sent.iter().filter(|at| now.saturating_duration_since(**at) < HOUR).count();
                prop_assert!(in_hour <= limit as usize, "{in_hour} of {limit}");
                prop_assert!(requests.sent.len() <= limit as usize);
                now = next.max(now + Duration::from_secs(pause));
            }
        }
    }
}
