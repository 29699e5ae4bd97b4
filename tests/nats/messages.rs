//! Messages: their order, asks, and that nothing is kept while a connection is down.

use super::*;
use tickfan::cluster::bus::{Answer, Answers, Incoming, Sent, Subject, Subscription};
use tokio::time::{MissedTickBehavior, interval};

fn live() -> Subject {
    subjects().live(&"kraken.0".parse().unwrap())
}

fn ask() -> Subject {
    subjects().ask(&"kraken.0".parse().unwrap())
}

fn payload(message: Option<Incoming>) -> String {
    String::from_utf8(message.unwrap().payload.to_vec()).unwrap()
}

/// Publishes `greeting` until it comes: from then on the broker knows the subscription.
async fn comes<S: Subscription>(nats: &Nats, subscription: &mut S, greeting: &str) {
    let mut again = interval(Duration::from_millis(20));
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let come = async {
        loop {
            tokio::select! {
                message = subscription.next() => {
                    let come = payload(message);
                    assert_eq!(come, greeting);
                    return;
                }
                _ = again.tick() => drop(nats.bus.publish(&live(), text(greeting))),
            }
        }
    };
    in_time(come).await;
}

/// The messages after those greetings, up to this many.
async fn next<S: Subscription>(subscription: &mut S, greeting: &str, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        let come = payload(in_time(subscription.next()).await);
        if come != greeting {
            texts.push(come);
        }
    }
    texts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_come_in_order_and_not_to_their_sender() {
    let Some(tool) = tool() else { return };
    let broker = Broker::start(&tool);
    let (owner, follower) =
        (connect(&cluster("gw-1", &[&broker.address()])).await, connect(&cluster("gw-2", &[&broker.address()])).await);
    let mut own = owner.bus.subscribe(&live()).await;
    let mut subscription = follower.bus.subscribe(&live()).await;
    comes(&owner, &mut subscription, "hello").await;
    let numbers: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    let (mut sent, mut come) = (0, Vec::new());
    while come.len() < numbers.len() {
        // In steps, since a queue that is full drops.
        while sent < numbers.len() && sent < come.len() + 32 {
            assert_eq!(owner.bus.publish(&live(), text(&numbers[sent])), Sent::Sent);
            sent += 1;
        }
        come.extend(next(&mut subscription, "hello", 1).await);
    }
    assert_eq!(come, numbers);
    assert!(in_time(owner.bus.flush(Connection::Live)).await);
    assert_eq!(follower.bus.publish(&live(), text("from the other")), Sent::Sent);
    assert_eq!(payload(in_time(own.next()).await), "from the other", "and nothing of its own before");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ask_has_many_answers_or_is_told_at_once_that_there_are_none() {
    let Some(tool) = tool() else { return };
    let mut broker = Broker::start(&tool);
    let (owner, follower) =
        (connect(&cluster("gw-1", &[&broker.address()])).await, connect(&cluster("gw-2", &[&broker.address()])).await);
    let mut answers = follower.bus.ask(&ask(), text("history")).await;
    assert_eq!(in_time(answers.next()).await, Some(Answer::NoSubscriber));
    assert_eq!(in_time(answers.next()).await, None);

    let mut asks = owner.bus.subscribe(&ask()).await;
    let answering = tokio::spawn(async move {
        let asked = asks.next().await.unwrap();
        assert_eq!(asked.payload, text("history"));
        for number in 0..200 {
            // Each is as long as the longest of a snapshot.
            let mut answer = vec![0; 256 << 10];
            answer[0] = number;
            assert_eq!(owner.bus.reply(asked.reply.as_ref().unwrap(), answer.into()).await, Sent::Sent);
        }
        owner
    });
    let mut answers = loop {
        let mut answers = follower.bus.ask(&ask(), text("history")).await;
        match in_time(answers.next()).await {
            Some(Answer::NoSubscriber) => {}
            Some(Answer::Payload(first)) => {
                assert_eq!((first[0], first.len()), (0, 256 << 10));
                break answers;
            }
            other => panic!("{other:?}"),
        }
    };
    for number in 1..200 {
        let Some(Answer::Payload(answer)) = in_time(answers.next()).await else { panic!("{number} is missing") };
        assert_eq!(answer[0], number);
    }
    let _owner = in_time(answering).await.unwrap();

    broker.kill();
    comes_up(&follower, Connection::Control, false).await;
    let mut answers = follower.bus.ask(&ask(), text("history")).await;
    assert_eq!(in_time(answers.next()).await, Some(Answer::NotSent));
    assert_eq!(in_time(answers.next()).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_while_the_broker_is_away_never_comes() {
    let Some(tool) = tool() else { return };
    let mut broker = Broker::start(&tool);
    let (owner, follower) =
        (connect(&cluster("gw-1", &[&broker.address()])).await, connect(&cluster("gw-2", &[&broker.address()])).await);
    let mut subscription = follower.bus.subscribe(&live()).await;
    comes(&owner, &mut subscription, "hello").await;
    broker.kill();
    for nats in [&owner, &follower] {
        for connection in Connection::ALL {
            comes_up(nats, connection, false).await;
        }
    }
    for _ in 0..1_000 {
        assert_eq!(owner.bus.publish(&live(), text("late")), Sent::Dropped);
    }
    assert!(!in_time(owner.bus.flush(Connection::Live)).await);
    broker.restart(&tool);
    for nats in [&owner, &follower] {
        for connection in Connection::ALL {
            comes_up(nats, connection, true).await;
        }
    }
    let before = owner.bus.counts(Connection::Live).connects;
    assert!(before >= 2);
    // The subscription is there again, and the first that comes is new.
    comes(&owner, &mut subscription, "hello again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mute_broker_is_left_and_taken_back() {
    let Some(tool) = tool() else { return };
    let broker = Broker::start(&tool);
    let proxy = Proxy::start(broker.port).await;
    let nats = connect(&cluster("gw-1", &[&proxy.address])).await;
    proxy.mute();
    for connection in Connection::ALL {
        comes_up(&nats, connection, false).await;
    }
    proxy.pass();
    for connection in Connection::ALL {
        comes_up(&nats, connection, true).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rule_10_a_subscription_that_is_not_read_drops_what_is_too_much() {
    let Some(tool) = tool() else { return };
    let broker = Broker::start(&tool);
    let (owner, follower) =
        (connect(&cluster("gw-1", &[&broker.address()])).await, connect(&cluster("gw-2", &[&broker.address()])).await);
    let mut subscription = follower.bus.subscribe(&live()).await;
    comes(&owner, &mut subscription, "hello").await;
    let mut pause = interval(Duration::from_millis(1));
    while follower.bus.counts(Connection::Live).overflows == 0 {
        let _ = owner.bus.publish(&live(), text("more"));
        in_time(pause.tick()).await;
    }
    assert_eq!(next(&mut subscription, "hello", 1_000).await, vec!["more"; 1_000]);
}
