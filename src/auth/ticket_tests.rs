use super::*;
use crate::{
    auth::{Claims, Groups, Lists, Policy, SubjectKey},
    market::UnixMicros,
};
use std::sync::{
    LazyLock,
    atomic::{AtomicUsize, Ordering},
};

const TTL: Duration = Duration::from_secs(30);

static POLICY: LazyLock<Policy> = LazyLock::new(policy);

fn policy() -> Policy {
    Policy::new(Groups::default(), &Lists::default(), &Lists::default(), 1)
}

fn now() -> Now {
    Now { instant: Instant::now(), unix: UnixMicros(0) }
}

fn subject(name: &str) -> Subject {
    SubjectKey::new([1; 32]).subject(name)
}

/// A grant that ends so many seconds after [`now`].
fn grant(until: i64) -> Arc<Grant> {
    let until = UnixMicros(until * 1_000_000);
    let claims = Claims {
        subject: "u17".to_owned(),
        from: None,
        expires: until,
        until,
        live: None,
        delayed: None,
        streams: None,
        rate: None,
    };
    POLICY.grant(&claims, &SubjectKey::new([1; 32]))
}

fn ticket(number: usize) -> Ticket {
    Ticket::new((number as u128).to_be_bytes())
}

fn issue(tickets: &Tickets, number: usize, name: &str, now: Now) -> Result<String, TooManyTickets> {
    tickets.issue(ticket(number), subject(name), grant(3_600), TTL, now.instant).map(|()| ticket(number).text())
}

#[test]
fn a_ticket_counts_once() {
    let tickets = Tickets::default();
    let now = now();
    let text = issue(&tickets, 1, "u17", now).unwrap();
    assert_eq!(text.len(), 22);
    for wrong in ["", "A", &text[..21], &format!("{text}="), &format!("{text}A"), &ticket(2).text()] {
        assert!(tickets.take(wrong, &POLICY, now).is_none(), "{wrong}");
    }
    assert!(tickets.take(&text, &POLICY, now).is_some());
    assert!(tickets.take(&text, &POLICY, now).is_none());
    assert!(tickets.is_empty());
}

#[test]
fn a_sweep_forgets_those_that_have_expired() {
    let tickets = Tickets::default();
    let now = now();
    let later = Now { instant: now.instant + TTL / 2, ..now };
    issue(&tickets, 1, "u17", now).unwrap();
    let second = issue(&tickets, 2, "u17", later).unwrap();
    tickets.sweep(now.instant + TTL);
    assert_eq!(tickets.len(), 1);
    assert!(tickets.take(&second, &POLICY, later).is_some());
}

#[test]
fn times_at_the_edge_of_a_ticket_and_of_its_grant() {
    for (until, later, is_open) in [
        (3_600, TTL - Duration::from_nanos(1), true),
        (3_600, TTL, false),
        (20, Duration::from_micros(19_999_999), true),
        (20, Duration::from_secs(20), false),
    ] {
        let tickets = Tickets::default();
        let now = now();
        tickets.issue(ticket(1), subject("u17"), grant(until), TTL, now.instant).unwrap();
        assert_eq!(tickets.take(&ticket(1).text(), &POLICY, now.after(later)).is_some(), is_open, "{until} {later:?}");
        assert!(tickets.is_empty(), "it is used up in either case");
    }
}

#[test]
fn a_ticket_to_what_an_earlier_policy_allowed_is_used_up_and_opens_nothing() {
    let tickets = Tickets::default();
    let now = now();
    let text = issue(&tickets, 1, "u17", now).unwrap();
    assert!(tickets.take(&text, &policy(), now).is_none());
    assert!(tickets.is_empty());
}

#[test]
fn one_ticket_from_many_threads_at_once_counts_once() {
    for number in 0..200 {
        let tickets = Tickets::default();
        let now = now();
        let text = issue(&tickets, number, "u17", now).unwrap();
        let granted = AtomicUsize::new(0);
        let start = std::sync::Barrier::new(4);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    granted.fetch_add(usize::from(tickets.take(&text, &POLICY, now).is_some()), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(granted.into_inner(), 1);
    }
}

#[test]
fn rule_10_a_subject_has_at_most_32_tickets_and_gets_them_back() {
    let tickets = Tickets::default();
    let start = now();
    let texts: Vec<String> =
        (0..TICKETS_PER_SUBJECT).map(|number| issue(&tickets, number, "u17", start).unwrap()).collect();
    assert_eq!(issue(&tickets, 100, "u17", start), Err(TooManyTickets::OfSubject));
    assert!(issue(&tickets, 101, "u18", start).is_ok());
    assert!(tickets.take(&texts[0], &POLICY, start).is_some());
    assert!(issue(&tickets, 102, "u17", start).is_ok());
    assert_eq!(issue(&tickets, 103, "u17", start.after(TTL - Duration::from_nanos(1))), Err(TooManyTickets::OfSubject));
    assert!(issue(&tickets, 104, "u17", start.after(TTL)).is_ok());
    assert_eq!(tickets.len(), 1, "those that have expired are forgotten");
}

#[test]
fn rule_10_there_are_at_most_16_384_tickets_and_nothing_is_left_of_them() {
    let tickets = Tickets::default();
    let start = now();
    for number in 0..TICKETS_MAX {
        issue(&tickets, number, &(number / TICKETS_PER_SUBJECT).to_string(), start).unwrap();
    }
    assert_eq!(issue(&tickets, TICKETS_MAX, "another", start), Err(TooManyTickets::InAll));
    assert!(issue(&tickets, TICKETS_MAX, "another", start.after(TTL)).is_ok());
    assert!(tickets.take(&ticket(TICKETS_MAX).text(), &POLICY, start.after(TTL)).is_some());
    let open = tickets.0.into_inner().unwrap();
    assert!(open.tickets.is_empty() && open.by_end.is_empty() && open.of_subject.is_empty());
}

#[test]
fn the_same_bits_twice_do_not_replace_a_ticket() {
    let tickets = Tickets::default();
    let now = now();
    let text = issue(&tickets, 1, "u17", now).unwrap();
    assert_eq!(issue(&tickets, 1, "u18", now), Err(TooManyTickets::InAll));
    assert!(tickets.take(&text, &POLICY, now).is_some());
    assert!(tickets.is_empty());
}

#[test]
fn a_ticket_does_not_show_its_bits() {
    assert_eq!(format!("{:?}", ticket(1)), "Ticket");
}
