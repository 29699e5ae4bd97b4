//! The waits and limits of a feed, with their reasons. No user could choose them better; tests choose shorter ones.

use std::time::Duration;

/// How long a feed waits for what.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Instead of the venue's own time between two attempts of a feed to connect.
    pub between_connects: Option<Duration>,
    /// For a websocket to open, name look-up and TLS among it: venues answer within a second, from far away within
    /// three.
    pub connect: Duration,
    /// For the answer to a request. Venues answer at once; one that does not has lost it.
    pub acknowledgement: Duration,
    /// For a message to be taken by the socket: ours are few and small, so one that does not leave has met a dead end.
    pub send: Duration,
    /// Without any frame, before a ping asks whether somebody is there. Half of what load balancers call idle.
    pub ping_after: Duration,
    /// For anything to arrive after a ping.
    pub pong: Duration,
    /// Instead of the age at which a connection is replaced, where the venue has one.
    pub lifetime: Option<Duration>,
    /// Instead of the interval of the venue's own pings.
    pub venue_ping: Option<Duration>,
    /// Instead of the venue's own limit between heartbeats.
    pub venue_heartbeat: Option<Duration>,
    /// For the other side's close frame when we leave: a courtesy, not worth a second more.
    pub close: Duration,
    /// For the answer to a request for the latest state of symbols, from the look-up of a name to its last byte: a
    /// venue answers within a second or two.
    pub snapshot: Duration,
    /// Data must have flowed for so long on a connection before the next failure counts as the first.
    pub stable_after: Duration,
    /// The longest first wait after a failure.
    pub backoff_first: Duration,
    /// The longest wait after many: an outage of a venue should not last a minute longer for us. The feed's connections
    /// share the venue's limit on attempts, which [`Spec::between_connects`](crate::venue::Spec) keeps.
    pub backoff_max: Duration,
    /// For a new connection to speak for each symbol, once it is live, before the one that it replaces is dropped. Most
    /// symbols are quoted within seconds; the others do not change.
    pub overlap: Duration,
    /// Before the next attempt where a venue does not let us in: somebody has to change something first, and a venue
    /// that is asked again and again with a wrong key may lock the account.
    pub denied: Duration,
    /// Without data of a symbol since its connection subscribed, before operators are told: most symbols trade within
    /// minutes, and a lost subscription never comes back by itself.
    pub unheard_after: Duration,
    /// Between two publishings of what the hot loop counted.
    pub publish_every: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            between_connects: None,
            connect: seconds(10),
            acknowledgement: seconds(10),
            send: seconds(5),
            ping_after: seconds(15),
            pong: seconds(10),
            lifetime: None,
            venue_ping: None,
            venue_heartbeat: None,
            close: seconds(1),
            snapshot: seconds(10),
            stable_after: seconds(60),
            backoff_first: seconds(1),
            backoff_max: seconds(60),
            overlap: seconds(10),
            denied: seconds(300),
            unheard_after: seconds(300),
            publish_every: seconds(1),
        }
    }
}
