use super::*;
use crate::cluster::bus::Subjects;
use std::{future::Future, pin::pin, task::Poll};

fn live() -> Subject {
    Subjects::new("prod").live(&"kraken.0".parse().unwrap())
}

fn ask() -> Subject {
    Subjects::new("prod").ask(&"kraken.0".parse().unwrap())
}

fn text(text: &str) -> Bytes {
    text.to_owned().into()
}

/// What a future is ready with now, however much the test's task has done already.
async fn now<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(tokio::task::unconstrained(future));
    std::future::poll_fn(|context| {
        Poll::Ready(match future.as_mut().poll(context) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        })
    })
    .await
}

/// All messages that have come.
async fn come(subscription: &mut MemorySubscription) -> Vec<String> {
    let mut texts = Vec::new();
    while let Some(Some(message)) = now(subscription.next()).await {
        texts.push(String::from_utf8(message.payload.to_vec()).unwrap());
    }
    texts
}

async fn pair() -> (MemoryBus, MemoryBus, MemorySubscription) {
    let broker = MemoryBroker::default();
    let (owner, follower) = (broker.connect(), broker.connect());
    let subscription = follower.subscribe(&live()).await;
    (owner, follower, subscription)
}

fn publish(bus: &MemoryBus, texts: &[&str]) {
    for payload in texts {
        assert_eq!(bus.publish(&live(), text(payload)), Sent::Sent);
    }
}

#[tokio::test]
async fn messages_come_in_order_to_all_others_that_have_subscribed() {
    let broker = MemoryBroker::default();
    let nodes = [broker.connect(), broker.connect(), broker.connect()];
    let mut subscriptions = Vec::new();
    for node in &nodes {
        subscriptions.push(node.subscribe(&live()).await);
    }
    publish(&nodes[0], &["a", "b", "c"]);
    assert_eq!(come(&mut subscriptions[0]).await, Vec::<String>::new(), "a node does not hear itself");
    assert_eq!(come(&mut subscriptions[1]).await, ["a", "b", "c"]);
    drop(subscriptions.remove(1));
    publish(&nodes[0], &["d"]);
    assert_eq!(come(&mut subscriptions[1]).await, ["a", "b", "c", "d"]);
    assert_eq!(broker.state().subscriptions.len(), 2);
}

#[tokio::test]
async fn a_node_hears_the_reports_of_all_others_in_one_subscription() {
    let broker = MemoryBroker::default();
    let (first, second) = (broker.connect(), broker.connect());
    let subjects = Subjects::new("prod");
    let mut reports = first.subscribe(&subjects.all_nodes()).await;
    for (cluster, node) in [("prod", "gw-2"), ("other", "gw-3"), ("prod", "gw-4")] {
        let subject = Subjects::new(cluster).node(&node.parse().unwrap());
        assert_eq!(second.publish(&subject, text(node)), Sent::Sent);
    }
    assert_eq!(second.publish(&subjects.give(&"gw-2".parse().unwrap()), text("give")), Sent::Sent);
    assert_eq!(come(&mut reports).await, ["gw-2", "gw-4"]);
}

#[tokio::test]
async fn a_node_hears_its_own_report_on_the_other_connection() {
    let node = MemoryBroker::default().connect();
    let (subjects, name) = (Subjects::new("prod"), "gw-1".parse().unwrap());
    let mut echo = node.subscribe(&subjects.echo(&name)).await;
    let mut reports = node.subscribe(&subjects.all_nodes()).await;
    assert_eq!(node.publish(&subjects.node(&name), text("report")), Sent::Sent);
    assert_eq!((come(&mut echo).await, come(&mut reports).await), (vec!["report".to_owned()], Vec::new()));
    node.set_connected(Connection::Live, false);
    assert_eq!(node.publish(&subjects.node(&name), text("report")), Sent::Sent);
    assert_eq!(come(&mut echo).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_published_while_a_connection_is_down_is_dropped_and_never_comes() {
    let (owner, follower, mut subscription) = pair().await;
    let mut connected = owner.connected(Connection::Live);
    owner.set_connected(Connection::Live, false);
    assert!(connected.has_changed().unwrap() && !*connected.borrow_and_update());
    assert_eq!(owner.publish(&live(), text("lost")), Sent::Dropped);
    assert!(!owner.flush(Connection::Live).await && owner.flush(Connection::Control).await);
    owner.set_connected(Connection::Live, true);
    follower.set_connected(Connection::Live, false);
    publish(&owner, &["lost too"]);
    follower.set_connected(Connection::Live, true);
    publish(&owner, &["comes"]);
    assert_eq!(come(&mut subscription).await, ["comes"]);
}

#[tokio::test]
async fn what_is_held_back_comes_late_and_in_order_unless_the_connection_is_lost() {
    let (owner, follower, mut subscription) = pair().await;
    follower.hold(Connection::Live);
    publish(&owner, &["a", "b"]);
    assert_eq!(come(&mut subscription).await, Vec::<String>::new());
    follower.release(Connection::Live);
    publish(&owner, &["c"]);
    assert_eq!(come(&mut subscription).await, ["a", "b", "c"]);
    follower.hold(Connection::Live);
    publish(&owner, &["lost"]);
    follower.set_connected(Connection::Live, false);
    follower.set_connected(Connection::Live, true);
    follower.release(Connection::Live);
    assert_eq!(come(&mut subscription).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_losing_connection_says_that_it_has_sent() {
    let (owner, _follower, mut subscription) = pair().await;
    owner.set_losing(Connection::Live, true);
    publish(&owner, &["lost"]);
    owner.set_losing(Connection::Live, false);
    publish(&owner, &["comes"]);
    assert_eq!(come(&mut subscription).await, ["comes"]);
}

#[tokio::test]
async fn an_ask_has_many_answers_until_it_is_dropped() {
    let broker = MemoryBroker::default();
    let (owner, follower) = (broker.connect(), broker.connect());
    let mut asks = owner.subscribe(&ask()).await;
    let mut answers = follower.ask(&ask(), text("history")).await;
    let asked = asks.next().await.unwrap();
    let reply = asked.reply.unwrap();
    for payload in ["1", "2"] {
        assert_eq!(owner.reply(&reply, text(payload)).await, Sent::Sent);
    }
    for payload in ["1", "2"] {
        assert_eq!(answers.next().await, Some(Answer::Payload(text(payload))));
    }
    assert_eq!(now(answers.next()).await, None);
    drop(answers);
    assert_eq!(owner.reply(&reply, text("3")).await, Sent::Sent);
    assert_eq!(broker.state().subscriptions.len(), 1);
}

#[tokio::test]
async fn an_ask_that_cannot_be_answered_says_so_at_once() {
    let broker = MemoryBroker::default();
    let (owner, follower) = (broker.connect(), broker.connect());
    let mut answers = follower.ask(&ask(), text("a")).await;
    assert_eq!((answers.next().await, answers.next().await), (Some(Answer::NoSubscriber), None));
    let _asks = owner.subscribe(&ask()).await;
    follower.set_connected(Connection::Control, false);
    let mut answers = follower.ask(&ask(), text("b")).await;
    assert_eq!((answers.next().await, answers.next().await), (Some(Answer::NotSent), None));
    follower.set_connected(Connection::Control, true);
    owner.set_connected(Connection::Control, false);
    assert_eq!(follower.ask(&ask(), text("c")).await.next().await, Some(Answer::NoSubscriber));
}

#[tokio::test]
async fn rule_10_a_subscription_that_is_not_read_drops_what_is_too_much() {
    let (owner, follower, mut subscription) = pair().await;
    for number in 0..SUBSCRIPTION_MESSAGES_MAX + 2 {
        publish(&owner, &[&number.to_string()]);
    }
    let come_before = come(&mut subscription).await;
    assert_eq!((come_before.len(), come_before.last().unwrap().as_str()), (SUBSCRIPTION_MESSAGES_MAX, "1023"));
    follower.hold(Connection::Live);
    for _ in 0..HELD_MAX + 2 {
        publish(&owner, &["held"]);
    }
    let held = |state: &mut State| state.link(follower.node, Connection::Live).held.as_ref().unwrap().len();
    assert_eq!(held(&mut follower.broker.state()), HELD_MAX);
}
