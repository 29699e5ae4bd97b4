//! The overlap of two connections in random courses.

use super::*;
use proptest::prelude::*;

proptest! {
    /// Whatever comes in whatever order: it never spins, and a predecessor is there from each rotation until it is
    /// dropped, while which nothing is left. One that has not ended is dropped without a successor only where the venue
    /// has had no room for both, and before an attempt.
    #[test]
    fn any_course_keeps_or_drops_its_predecessor(steps in prop::collection::vec((0_u8..16, 0_u64..40_000), 1..300)) {
        let mut course = Course::new(RULES);
        course.session = course.session.overlapping(SYMBOLS);
        let (mut has_old, mut has_no_room, mut is_tried) = (false, false, false);
        for (step, millis) in steps {
            let symbol = [Update { symbol: FeedSymbol(millis as u32 % SYMBOLS as u32), ..Update::default() }];
            let mut actions = vec![match step {
                0 => course.on(Event::Connected(requests(1))),
                1 | 2 => course.message(Message::Acknowledged(1)),
                3 => course.message(Message::Closing),
                4 => course.lost(DisconnectReason::Io),
                5 => course.message(Message::Data),
                6 => course.session.on_predecessor(Event::Message(Message::Data), course.now),
                7 => course.session.on_predecessor(Event::Disconnected { reason: DisconnectReason::Io, retry_after: None }, course.now),
                8 => { course.session.heard(NEW, &symbol, course.now); Action::Nothing }
                9 => { course.session.heard(OLD, &symbol, course.now); Action::Nothing }
                10 => { course.now += Duration::from_millis(millis); course.on(Event::Due) }
                11 => { if course.session.is_live() { course.session.granted(&[], course.now) } Action::Nothing }
                13 => { course.session.has_last_frames(); Action::Nothing }
                14 => course.lost(DisconnectReason::ConnectionLimit),
                12 => course.session.on_predecessor(Event::Pong, course.now),
                _ => course.next().1,
            }];
            let mut turns = 0;
            while course.session.deadline() <= course.now {
                actions.push(course.on(Event::Due));
                turns += 1;
                prop_assert!(turns < 50, "it spins");
            }
            for action in actions {
                match action {
                    Action::Rotate { .. } => {
                        prop_assert!(!has_old);
                        (has_old, has_no_room, is_tried) = (true, false, false);
                    }
                    Action::DropPredecessor { gap } => {
                        prop_assert!(has_old);
                        has_old = false;
                        let is_given_up = gap.is_some_and(DisconnectReason::is_planned) && !course.session.is_live();
                        prop_assert!(!is_given_up || has_no_room && !is_tried);
                    }
                    Action::Retry { reason, .. } => {
                        prop_assert!(has_old);
                        (has_no_room, is_tried) = (reason == DisconnectReason::ConnectionLimit, false);
                    }
                    Action::Connect => is_tried = true,
                    Action::PingPredecessor(_) => prop_assert!(has_old),
                    Action::Leave { .. } => prop_assert!(!has_old),
                    _ => {}
                }
            }
        }
    }
}
