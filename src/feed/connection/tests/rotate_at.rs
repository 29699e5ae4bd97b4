//! The time of day at which connections are replaced.

use super::*;
use crate::feed::DisconnectReason;

#[tokio::test]
async fn a_connection_is_replaced_at_the_time_of_day_that_is_set() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let unix = Now::read().unix;
    // Not soon, and before the connection has reached its lifetime.
    let hour = (unix.0 / 3_600_000_000 + 12) % 24;
    let at: DailyMinute = format!("{hour:02}:00 UTC").parse().unwrap();
    for rotate_at in [Some(at), None] {
        let setup = setup(&listener, mpsc::channel(1).1, vec![], vec![], false, Change::Reconnect);
        let sink = Collector(mpsc::unbounded_channel().0, Arc::default());
        let mut connection = Connection::new(ConnectionSetup { rotate_at, ..setup }, sink);
        let now = Instant::now();
        let action = connection.session.on(Event::Due, now);
        assert!(action == Action::Connect && connection.perform(action).await.is_none());
        let attempt = connection.attempt.take().unwrap();
        let (opened, _peer) = tokio::join!(attempt, async { accept_async(listener.accept().await.unwrap().0).await });
        let replaced_after = || rotate_at.map_or(LIFETIME, |at| at.wait(Now::read().unix));
        let latest = replaced_after();
        let opened = connection.opened(opened);
        let earliest = replaced_after();
        connection.session.on(opened, now);
        connection.session.on(Event::Watch(false), now);
        let mut is_replaced = |after: Duration| {
            loop {
                match connection.session.on(Event::Due, now + after) {
                    Action::Nothing => return false,
                    Action::Leave { reason, .. } => return reason == DisconnectReason::Lifetime,
                    _ => {}
                }
            }
        };
        let second = Duration::from_secs(1);
        assert!(!is_replaced(earliest - second), "{rotate_at:?}: too early");
        assert!(is_replaced(latest + second), "{rotate_at:?}: too late");
    }
}
