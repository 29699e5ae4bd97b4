//! A connection that answers as its venue does, while a test makes it send data, or misbehave.

use crate::{Connection, Dialect};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::tungstenite::Message;

/// What a test makes a venue do between its answers: the frames that its dialect writes are sent in this order.
type Act = Box<dyn FnOnce(&mut dyn Dialect) -> Vec<Message> + Send>;

/// A test's hold on a connection that is served. Dropping it cuts the line without a close frame.
#[derive(Debug)]
pub struct Line(UnboundedSender<Act>);

impl Line {
    /// Sends the frames that the dialect writes, and a closing frame where the test writes one. Nothing happens on a
    /// line that the feed has left.
    pub fn act(&self, act: impl FnOnce(&mut dyn Dialect) -> Vec<Message> + Send + 'static) {
        let _ = self.0.send(Box::new(act));
    }

    /// Sends a frame that the dialect writes.
    pub fn send(&self, write: impl FnOnce(&mut dyn Dialect) -> String + Send + 'static) {
        self.act(|dialect| vec![Message::text(write(dialect))]);
    }

    /// Whether the feed has left.
    #[must_use]
    pub fn is_left(&self) -> bool {
        self.0.is_closed()
    }
}

/// A line, and what carries it out: the other end is for [`serve`].
#[must_use]
pub fn line() -> (Line, UnboundedReceiver<Act>) {
    let (acts, rx) = unbounded_channel();
    (Line(acts), rx)
}

/// Greets the feed, answers each of its frames, and does what the test asks for, until one of both leaves. `seen` is
/// told of each frame of the feed.
///
/// # Panics
///
/// If the feed sends what the venue would not accept.
pub async fn serve(
    mut connection: Connection,
    mut dialect: Box<dyn Dialect>,
    mut acts: UnboundedReceiver<Act>,
    mut seen: impl FnMut(&str),
) {
    let mut frames: Vec<Message> = dialect.greeting().into_iter().map(Message::text).collect();
    loop {
        for frame in frames.drain(..) {
            if connection.socket.send(frame).await.is_err() {
                return;
            }
        }
        frames = tokio::select! {
            act = acts.recv() => match act {
                Some(act) => act(&mut *dialect),
                None => return,
            },
            frame = connection.socket.next() => match frame {
                Some(Ok(Message::Text(request))) => {
                    seen(&request);
                    let answers = dialect.answer(&request).into_iter().map(Message::text);
                    answers.chain(dialect.closing()).collect()
                }
                Some(Ok(_)) => Vec::new(),
                Some(Err(_)) | None => return,
            },
        };
    }
}
