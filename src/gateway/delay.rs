//! Keeps the delay lines going.

use crate::{delay::DelayLines, fanout::Announcer, market::Now};
use std::io;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

/// Shows delayed prices when they are due, until the stop.
pub(super) async fn show_delayed(
    mut lines: DelayLines,
    mut announcer: Announcer,
    mut stop: watch::Receiver<bool>,
) -> io::Result<()> {
    loop {
        let next = lines.turn(Now::read(), &mut |state, interest| announcer.add(state, interest));
        announcer.flush();
        let wait = async {
            match next {
                Some(next) => sleep_until(Instant::from_std(next)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wait => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
        }
    }
}
