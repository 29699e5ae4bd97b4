//! Notifies systemd of what the gateway does (`Type=notify` of its unit). Without systemd, which names its socket in
//! `NOTIFY_SOCKET`, nothing is sent.

use sd_notify::NotifyState;
use std::net::SocketAddr;

/// Something that systemd waits for or shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The gateway accepts clients here. Units that are ordered after it start now.
    Ready(SocketAddr),
    /// It reads its configuration again.
    Reloading,
    /// It ends its streams, and then the process.
    Stopping,
}

/// Notifies systemd. A failure is logged: systemd would end a gateway that never reports that it is ready.
pub fn notify_supervisor(progress: Progress) {
    if let Err(error) = send(progress) {
        tracing::warn!(%error, ?progress, "cannot notify systemd");
    }
}

fn send(progress: Progress) -> std::io::Result<()> {
    match progress {
        Progress::Ready(address) => {
            let status = format!("serving clients on {address}");
            sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(&status)])
        }
        // `Type=notify-reload` asks for the time too.
        Progress::Reloading => sd_notify::notify(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?]),
        Progress::Stopping => sd_notify::notify(&[NotifyState::Stopping, NotifyState::Status("ending its streams")]),
    }
}
