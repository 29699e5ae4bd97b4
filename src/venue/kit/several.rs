//! Frames that hold several messages.

use super::object::{self, Object};
use crate::venue::{Batch, DecodeError, Message};

/// Reads a frame that is a list of events, from where the batch was full. Returns the message that stands for all; what
/// cannot be read of one event is counted, and the others stand.
///
/// # Errors
/// [`DecodeError`] where nothing of the frame can be read.
pub(in crate::venue) fn read_each<'a, E: Object<'a>>(
    frame: &'a [u8],
    batch: &mut Batch,
    mut read: impl FnMut(&E, &mut Batch) -> Result<Message, DecodeError>,
) -> Result<Message, DecodeError> {
    let mut most = Message::Other;
    let from = std::mem::take(&mut batch.read_on);
    let rest = object::each_of_frame(frame, from, |event: E| {
        match read(&event, batch) {
            Ok(message) => most = keep_both(most, message, &mut batch.answers),
            Err(reason) => batch.errors.count(reason),
        }
        !batch.is_full()
    });
    match rest {
        Err(reason) if most == Message::Other => return Err(reason),
        Err(reason) => batch.errors.count(reason),
        Ok(rest) => batch.read_on = rest,
    }
    Ok(most)
}

/// The message that stands for a frame with both. Where both are answers, the earlier one goes beside it.
fn keep_both(most: Message, message: Message, answers: &mut Vec<Message>) -> Message {
    let is_answer =
        |message: Message| matches!(message, Message::Acknowledged(_) | Message::Superseded(_) | Message::Refused(_));
    if is_answer(most) && is_answer(message) {
        answers.push(most);
        return message;
    }
    if rank(message) > rank(most) { message } else { most }
}

/// Which of a frame's messages stands for it.
fn rank(message: Message) -> u8 {
    match message {
        Message::Other => 0,
        Message::Data => 1,
        Message::Control => 2,
        Message::Acknowledged(_) | Message::Superseded(_) => 3,
        Message::Refused(_) => 4,
        Message::Closing => 5,
        Message::Gap | Message::Played(_) => 6,
        Message::Failed(_) => 7,
    }
}
