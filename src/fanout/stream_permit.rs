//! What a stream holds as long as it lives.

/// A stream's permit. Dropping it gives all of it back.
pub trait StreamPermit: Send {
    /// Makes it a permit for so many symbols, which the stream carries or remembers; `false`: a limit does not allow
    /// that, and nothing has changed.
    fn resize(&mut self, symbols: usize) -> bool;

    /// Keeps what the stream's new list needs, in place of what the old one needed.
    fn keep(&mut self, held: Box<dyn Send>);

    /// Whether its subject has at most so many streams open, this one among them. Without a subject, any number fits.
    fn fits(&self, _streams: usize) -> bool {
        true
    }
}

/// A stream outside all limits.
impl StreamPermit for () {
    fn resize(&mut self, _: usize) -> bool {
        true
    }

    fn keep(&mut self, _: Box<dyn Send>) {}
}
