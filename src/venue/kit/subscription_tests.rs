//! A venue's answers, and what becomes of its symbols.

use super::{answers::HALVINGS_MAX, *};
use crate::venue::{Batch, DEFAULT, Message, kit::Given};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Channel {
    Trades,
    Quotes,
    /// An extra.
    Status,
}

const BOTH: [Channel; 2] = [Channel::Trades, Channel::Quotes];

fn write(aim: Aim, id: u64, channel: Channel, names: &[&str]) -> String {
    format!("{id} {}{channel:?} {}", aim.word("", "-"), names.join(" "))
}

static FORM: Form<Channel> = Form {
    first_id: 1,
    fit: |_, _| usize::MAX,
    write,
    silence: Silence::Disconnects,
    is_required: |channel| channel != Channel::Status,
};

/// A venue that answers no request.
static SILENT: Form<Channel> =
    Form { first_id: 1, fit: |_, _| usize::MAX, write, silence: Silence::Accepts, is_required: |_| true };

fn names(count: usize) -> Names {
    let names: Vec<String> = (0..count).map(|number| format!("S{number}")).collect();
    let names: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
    Names::new(DEFAULT, &Given::symbols(&names).symbols).unwrap()
}

fn texts(requests: &[Request]) -> Vec<&str> {
    requests.iter().filter_map(|request| request.text.as_deref()).collect()
}

fn refusals(symbols: &[u32]) -> Vec<(FeedSymbol, Reason)> {
    symbols.iter().map(|&symbol| (FeedSymbol(symbol), Reason::NotGranted)).collect()
}

/// Answers every request until nothing is asked for again: `grants` says whether the venue takes a request.
fn answer(
    subscription: &mut Subscription<Channel>,
    names: &Names,
    asked: Vec<Request>,
    grants: impl Fn(&[&str]) -> bool,
) -> Vec<Message> {
    let mut asked = VecDeque::from(asked);
    let mut messages = Vec::new();
    while let Some(request) = asked.pop_front() {
        let text = request.text.unwrap();
        let wanted: Vec<&str> = text.split(' ').skip(2).collect();
        let mut again = Vec::new();
        messages.push(if grants(&wanted) {
            subscription.granted(request.id)
        } else {
            subscription.refused_for_one(Some(request.id), Reason::NotGranted, names, &mut again)
        });
        asked.extend(again);
    }
    messages
}

#[test]
fn a_symbol_that_is_refused_in_one_channel_is_refused_and_the_others_are_granted() {
    let names = names(3);
    let mut subscription = Subscription::new(&FORM, &names);
    let asked = subscription.restart(&BOTH, &names);
    assert_eq!(texts(&asked), ["1 Trades S0 S1 S2", "2 Quotes S0 S1 S2"]);
    let mut batch = Batch::default();
    let mut says = |subscription: &mut Subscription<Channel>, channel, symbol, refused: bool| {
        let id = subscription.awaiting(Aim::Begin, channel, FeedSymbol(symbol), &names).unwrap();
        let refused = refused.then_some(Reason::NotGranted);
        let message = subscription.answered(id, FeedSymbol(symbol), refused, &names, &mut batch);
        (message, std::mem::take(&mut batch.refuses_symbol))
    };
    // The channels are answered in turns.
    assert_eq!(says(&mut subscription, Channel::Quotes, 1, true), (Message::Control, true));
    assert_eq!(says(&mut subscription, Channel::Trades, 1, false), (Message::Control, false));
    assert_eq!(says(&mut subscription, Channel::Trades, 2, false), (Message::Control, false));
    assert_eq!(says(&mut subscription, Channel::Quotes, 0, false), (Message::Control, false));
    assert_eq!(says(&mut subscription, Channel::Quotes, 2, false), (Message::Acknowledged(2), false));
    assert_eq!(says(&mut subscription, Channel::Trades, 0, false), (Message::Acknowledged(1), false));
    assert!(
        subscription.is_answered()
            && subscription.awaiting(Aim::Begin, Channel::Trades, FeedSymbol(0), &names).is_none()
    );
    assert_eq!(subscription.refusals(), refusals(&[1]));
    assert_eq!(subscription.all_granted(), [FeedSymbol(0), FeedSymbol(2)]);

    let asked = subscription.restart(&BOTH, &names);
    assert_eq!((asked.len(), subscription.refusals(), asked[0].id), (2, vec![], 1), "each connection begins afresh");
}

#[test]
fn an_extra_that_is_refused_refuses_no_symbol() {
    let names = names(2);
    let mut subscription = Subscription::new(&FORM, &names);
    subscription.restart(&[Channel::Trades, Channel::Status], &names);
    assert_eq!(subscription.refused(Some(2), Reason::NotEntitled), Message::Refused(Some(2)));
    assert_eq!(subscription.granted(1), Message::Acknowledged(1));
    assert_eq!((subscription.refusals(), subscription.all_granted().len()), (vec![], 2));
}

#[test]
fn a_bad_symbol_is_found_in_halves_in_each_channel() {
    let names = names(100);
    let mut subscription = Subscription::new(&FORM, &names);
    let asked = subscription.restart(&BOTH, &names);
    let messages = answer(&mut subscription, &names, asked, |wanted| !wanted.contains(&"S77"));
    assert_eq!(subscription.refusals(), refusals(&[77]));
    assert_eq!(messages.iter().filter(|message| matches!(message, Message::Refused(_))).count(), 2);
    assert!(messages.len() < 40, "{} requests", messages.len());
}

#[test]
fn symbols_that_are_all_bad_leave_no_request_that_counts_as_granted() {
    let names = names(4);
    let mut subscription = Subscription::new(&FORM, &names);
    let asked = subscription.restart(&[Channel::Trades], &names);
    let messages = answer(&mut subscription, &names, asked, |_| false);
    assert!(messages.iter().all(|message| matches!(message, Message::Superseded(_) | Message::Refused(_))));
    assert_eq!((messages.len(), subscription.refusals()), (7, refusals(&[0, 1, 2, 3])));
}

#[test]
fn rule_10_halving_ends_and_refuses_what_is_left() {
    const COUNT: usize = 2 * HALVINGS_MAX as usize;
    let names = names(COUNT);
    let mut subscription = Subscription::new(&FORM, &names);
    let asked = subscription.restart(&[Channel::Trades], &names);
    // Every other symbol is bad: it would take twice the halvings that are allowed.
    let is_good = |name: &&str| name.ends_with(['0', '2', '4', '6', '8']);
    let messages = answer(&mut subscription, &names, asked, |wanted| wanted.iter().all(is_good));
    assert_eq!(messages.len(), 1 + 2 * HALVINGS_MAX as usize, "each halving is two requests");
    let superseded = messages.iter().filter(|message| matches!(message, Message::Superseded(_))).count();
    assert_eq!(superseded, HALVINGS_MAX as usize);
    let refused = subscription.refusals().len();
    assert!((COUNT / 2..COUNT).contains(&refused), "{refused} refused");
    assert_eq!(refused + subscription.all_granted().len(), COUNT, "every symbol has its verdict");

    let asked = subscription.restart(&[Channel::Trades], &names);
    let again = answer(&mut subscription, &names, asked, |wanted| wanted.iter().all(is_good));
    assert_eq!(again.len(), messages.len(), "each connection has its own limit");
}

#[test]
fn a_list_of_all_that_is_subscribed_answers_the_oldest_request() {
    let names = names(3);
    let mut subscription = Subscription::new(&FORM, &names);
    subscription.restart(&BOTH, &names);
    let mut requests = Vec::new();
    let mut lists = |subscription: &mut Subscription<Channel>, listed: &[&str]| {
        let message = subscription.listed(|name| listed.contains(&name), &names, &mut requests);
        (message, requests.drain(..).filter_map(|request| request.text).collect::<Vec<_>>())
    };
    let again = |text: &str| vec![text.to_owned()];
    assert_eq!(lists(&mut subscription, &["S1", "S0"]), (Message::Acknowledged(1), again("3 Trades S2")));
    assert_eq!(lists(&mut subscription, &["S0", "S1", "S2"]), (Message::Acknowledged(2), vec![]));
    assert_eq!(lists(&mut subscription, &["S0", "S1"]), (Message::Superseded(3), again("4 Trades S2")));
    assert_eq!(lists(&mut subscription, &["S0", "S1"]), (Message::Refused(Some(4)), vec![]));
    assert_eq!(lists(&mut subscription, &["S0"]), (Message::Other, vec![]), "an answer to nothing");
    assert_eq!(subscription.refusals(), refusals(&[2]));
}

#[test]
fn a_request_that_is_refused_for_a_held_symbol_is_asked_again_without_it() {
    let names = names(4);
    let mut subscription = Subscription::new(&FORM, &names);
    subscription.restart(&[Channel::Trades], &names);
    assert_eq!(subscription.oldest_id(Aim::Begin), Some(1));
    let mut requests = Vec::new();
    let mut held = |subscription: &mut Subscription<Channel>, id, symbol| {
        let message = subscription.refused_for_held(id, FeedSymbol(symbol), &names, &mut requests);
        (message, requests.drain(..).filter_map(|request| request.text).collect::<Vec<_>>())
    };
    let again = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    assert_eq!(held(&mut subscription, None, 1), (Message::Superseded(1), again(&["2 Trades S0 S2 S3"])));
    let halves = again(&["3 Trades S0", "4 Trades S2 S3"]);
    assert_eq!(held(&mut subscription, Some(2), 1), (Message::Superseded(2), halves), "it was not the cause");
    assert_eq!(held(&mut subscription, Some(3), 0), (Message::Acknowledged(3), vec![]), "none is left");
    assert_eq!(subscription.granted(4), Message::Acknowledged(4));
    assert_eq!((subscription.refusals(), subscription.all_granted().len()), (vec![], 4));
    assert_eq!(held(&mut subscription, None, 0), (Message::Refused(None), vec![]), "an answer to nothing");
    assert_eq!(held(&mut subscription, Some(9), 0), (Message::Refused(Some(9)), vec![]));
}

#[test]
fn a_list_by_kind_answers_the_request_that_it_lists_whole() {
    let names = names(3);
    let mut subscription = Subscription::new(&FORM, &names);
    subscription.restart(&BOTH, &names);
    let mut requests = Vec::new();
    let mut lists = |subscription: &mut Subscription<Channel>, trades: &[&str], quotes: &[&str]| {
        let is_listed = |channel, name: &str| if channel == Channel::Trades { trades } else { quotes }.contains(&name);
        let message = subscription.listed_by_kind(is_listed, &names, &mut requests);
        (message, requests.drain(..).filter_map(|request| request.text).collect::<Vec<_>>())
    };
    let all = ["S2", "S0", "S1"];
    assert_eq!(lists(&mut subscription, &[], &all), (Message::Acknowledged(2), vec![]), "the later one first");
    let again = vec!["3 Trades S1 S2".to_owned()];
    assert_eq!(lists(&mut subscription, &["S0"], &all), (Message::Acknowledged(1), again));
    assert_eq!(lists(&mut subscription, &all, &all), (Message::Acknowledged(3), vec![]));
    assert_eq!(lists(&mut subscription, &all, &all), (Message::Other, vec![]), "an answer to nothing");
    assert_eq!((subscription.refusals(), subscription.all_granted().len()), (vec![], 3));
}

#[test]
fn a_venue_that_answers_nothing_grants_what_is_asked_for() {
    let names = names(2);
    let mut subscription = Subscription::new(&SILENT, &names);
    let asked = subscription.restart(&BOTH, &names);
    assert!(asked.iter().all(|request| request.silence == Silence::Accepts) && subscription.is_answered());
    assert_eq!((subscription.refusals(), subscription.all_granted().len()), (vec![], 2));
}

#[test]
fn a_refusal_after_a_grant_by_silence_is_recorded_once_and_ends_with_the_connection() {
    let names = names(4);
    let mut subscription = Subscription::new(&SILENT, &names);
    subscription.restart(&BOTH, &names);
    subscription.ask(Channel::Trades, &[FeedSymbol(3)], &names);
    assert!(subscription.is_answered() && subscription.refusals().is_empty());
    for _ in 0..2 {
        assert_eq!(subscription.refused(Some(3), Reason::NotGranted), Message::Refused(Some(3)));
        assert_eq!(subscription.refusals(), refusals(&[3]));
    }
    let mut requests = Vec::new();
    let halved = subscription.refused_for_one(Some(1), Reason::NotGranted, &names, &mut requests);
    assert_eq!((halved, texts(&requests)), (Message::Superseded(1), vec!["4 Trades S0 S1", "5 Trades S2 S3"]));
    subscription.restart(&BOTH, &names);
    assert_eq!(subscription.refused(Some(3), Reason::NotGranted), Message::Refused(Some(3)));
    assert!(subscription.refusals().is_empty(), "of another connection");
}

/// The list `S0 S1 S2`, all granted in both channels.
fn all_granted() -> (Names, Subscription<Channel>) {
    let names = names(3);
    let mut subscription = Subscription::new(&FORM, &names);
    subscription.restart(&BOTH, &names);
    subscription.granted(1);
    subscription.granted(2);
    (names, subscription)
}

fn listed(name: &str) -> ListedSymbol {
    name.parse::<crate::market::Symbol>().unwrap().into()
}

fn change(
    (names, subscription): &mut (Names, Subscription<Channel>),
    added: &[(u32, &str)],
    removed: &[u32],
) -> Vec<String> {
    let added: Vec<_> = added.iter().map(|(place, name)| (FeedSymbol(*place), listed(name))).collect();
    let removed: Vec<_> = removed.iter().copied().map(FeedSymbol).collect();
    let requests = subscription.change((&BOTH, &BOTH), (&added, &removed), names);
    assert!(requests.iter().all(|request| {
        request.silence == if request.text.as_ref().unwrap().contains('-') { Silence::Ends } else { FORM.silence }
    }));
    requests.into_iter().filter_map(|request| request.text).collect()
}

#[test]
fn a_change_ends_what_is_removed_and_then_asks_for_what_is_added() {
    let mut rig = all_granted();
    let asked = change(&mut rig, &[(3, "S9")], &[1]);
    assert_eq!(asked, ["3 -Trades S1", "4 -Quotes S1", "5 Trades S9", "6 Quotes S9"]);
    let (names, subscription) = &mut rig;
    assert_eq!(names.data_of("S1"), Err(crate::venue::DecodeError::RemovedSymbol));
    assert_eq!(names.symbol("S9"), Some(FeedSymbol(3)));
    assert_eq!(subscription.granted(3), Message::Acknowledged(3));
    assert_eq!(subscription.refused(Some(4), Reason::NotGranted), Message::Acknowledged(4), "then it has none");
    assert_eq!(subscription.granted(5), Message::Acknowledged(5));
    assert_eq!(subscription.refused(Some(6), Reason::NotGranted), Message::Refused(Some(6)));
    assert_eq!((subscription.refusals(), subscription.is_answered()), (refusals(&[3]), true), "for itself alone");
    let again: Vec<_> = subscription.restart(&BOTH, names).into_iter().filter_map(|request| request.text).collect();
    assert_eq!(again, ["1 Trades S0 S2 S9", "2 Quotes S0 S2 S9"], "a new connection asks for the list as it is");
}

#[test]
fn what_was_granted_in_part_is_ended_and_one_without_a_name_of_its_own_is_not_asked_for() {
    let mut rig = all_granted();
    change(&mut rig, &[(3, "S9")], &[]);
    rig.1.refused(Some(3), Reason::NotGranted);
    rig.1.granted(4);
    let ends = ["5 -Trades S9", "6 -Quotes S9"];
    assert_eq!(change(&mut rig, &[(4, "S2")], &[3]), ends, "its quotes were granted; S2 is listed");
    assert_eq!(rig.1.refusals(), refusals(&[4]));
    let asked = change(&mut rig, &[], &[2]);
    assert_eq!(asked, ["7 -Trades S2", "8 -Quotes S2", "9 Trades S2", "10 Quotes S2"], "its name has become free");
    assert_eq!((rig.1.refusals(), rig.0.symbol("S2")), (vec![], Some(FeedSymbol(4))));
}

#[test]
fn answers_that_name_the_symbol_alone_are_for_the_older_of_two_requests() {
    let mut rig = all_granted();
    let mut batch = Batch::default();
    change(&mut rig, &[(3, "S9")], &[]);
    change(&mut rig, &[(4, "S9")], &[3]);
    let (names, subscription) = &mut rig;
    let mut says = |aim, channel| {
        let symbol = names.answer_of("S9").unwrap();
        let id = subscription.awaiting(aim, channel, symbol, names)?;
        subscription.answered(id, symbol, None, names, &mut batch);
        Some(id)
    };
    // 3, 4: begin; 5, 6: end; 7, 8: begin.
    assert_eq!([Channel::Trades, Channel::Quotes].map(|channel| says(Aim::Begin, channel)), [Some(3), Some(4)]);
    assert_eq!(says(Aim::Begin, Channel::Trades), Some(7));
    assert_eq!(says(Aim::End, Channel::Quotes), Some(6));
    assert_eq!(says(Aim::Begin, Channel::Quotes), Some(8));
    assert_eq!(says(Aim::Begin, Channel::Quotes), None);
    assert_eq!(says(Aim::End, Channel::Trades), Some(5));
    assert!(subscription.is_answered() && subscription.all_granted().contains(&FeedSymbol(4)));
}

#[test]
fn what_is_asked_again_leaves_out_what_was_removed_meanwhile() {
    let names = names(4);
    let mut subscription = Subscription::new(&FORM, &names);
    subscription.restart(&[Channel::Trades], &names);
    let mut rig = (names, subscription);
    change(&mut rig, &[], &[0, 1, 3]);
    let mut again = Vec::new();
    let (names, subscription) = &mut rig;
    assert_eq!(subscription.refused_for_one(Some(1), Reason::NotGranted, names, &mut again), Message::Superseded(1));
    assert_eq!(texts(&again), ["4 Trades S2"], "it may be good");
    assert_eq!(subscription.granted(4), Message::Acknowledged(4));
    // An end that is refused as a whole, too, is asked for in parts.
    again.clear();
    assert_eq!(subscription.refused_for_one(Some(2), Reason::NotGranted, names, &mut again), Message::Superseded(2));
    assert_eq!(texts(&again), ["5 -Trades S0", "6 -Trades S1 S3"]);
    assert_eq!(subscription.refused_for_one(Some(5), Reason::NotGranted, names, &mut again), Message::Acknowledged(5));
    let is_listed = |_, name: &str| matches!(name, "S2");
    assert_eq!(subscription.listed_by_kind(is_listed, names, &mut again), Message::Acknowledged(3));
    assert_eq!((subscription.refusals(), subscription.all_granted()), (vec![], vec![FeedSymbol(2)]));
}

#[test]
fn rule_10_requests_that_count_as_granted_are_forgotten_with_their_symbols() {
    let mut names = names(1);
    let mut subscription = Subscription::new(&SILENT, &names);
    subscription.restart(&[Channel::Trades], &names);
    let added = [(FeedSymbol(1), listed("S8"))];
    for _ in 0..100 {
        subscription.change((&BOTH, &BOTH), (&added, &[]), &mut names);
        subscription.change((&BOTH, &BOTH), (&[], &[FeedSymbol(1)]), &mut names);
    }
    assert_eq!(subscription.accepted.len(), 1);
}

#[test]
fn rule_10_each_change_has_halvings_of_its_own() {
    let names = names(1);
    let subscription = Subscription::new(&FORM, &names);
    let mut rig = (names, subscription);
    rig.1.halvings = HALVINGS_MAX;
    change(&mut rig, &[(1, "S8"), (2, "S9")], &[]);
    let mut again = Vec::new();
    let (names, subscription) = &mut rig;
    assert_eq!(subscription.refused_for_one(Some(1), Reason::NotGranted, names, &mut again), Message::Superseded(1));
}
