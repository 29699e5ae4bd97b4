//! Frames that hold several messages.

use crate::venue::Message;

/// The message that stands for a frame with both. Where both are answers, the earlier one goes beside it.
pub(in crate::venue) fn keep_both(most: Message, message: Message, answers: &mut Vec<Message>) -> Message {
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
