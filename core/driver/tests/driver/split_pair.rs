//! Two split connections on a pipe that passes a few bytes at a time. Every task is polled only when it
//! was woken, and may cancel its call at any poll.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use tidegate_core::{CloseCode, Message, SendError};
use tidegate_driver::{Driver, Error, OnDrop, Receiver, Sender};

use crate::pair::{End, NoTime, pair, run};

type Task = Pin<Box<dyn Future<Output = ()>>>;

async fn drive(driver: Driver<End, NoTime>) {
    assert!(driver.await.unwrap().is_clean());
}

async fn echo(sender: Sender, mut receiver: Receiver) {
    while let Some(message) = receiver.recv().await.unwrap() {
        sender.send(message).await.unwrap();
    }
}

fn message(task: u8, number: u8) -> Message {
    let length = usize::from(number) * usize::from(number) % 700;
    Message::binary([vec![task, number], vec![number; length]].concat())
}

/// Checks that this is one of the messages, unchanged, and returns which one.
fn numbers(message: &Message) -> (usize, u8) {
    let bytes = message.as_bytes();
    assert_eq!(*message, self::message(bytes[0], bytes[1]));
    (usize::from(bytes[0]), bytes[1])
}

#[test]
fn many_senders_lose_no_wake_up() {
    let mut most = 0;
    for seed in 0..60 {
        let (server, client) = pair(seed);
        let (sender, receiver, driver) = server.split();
        let (own, mut answers, asking) = client.split();
        let ask = |task: u8| -> Task {
            let sender = own.clone();
            Box::pin(async move {
                for number in 0..MESSAGES {
                    sender.send(message(task, number)).await.unwrap();
                    if number % 4 == task {
                        sender.flush().await.unwrap();
                    }
                    if number % 7 == task {
                        sender.ping().await.unwrap();
                    }
                }
            })
        };
        let tasks = [0, 1, 2].map(ask);
        let take = async move {
            let mut next = [0; 3];
            for _ in 0..3 * usize::from(MESSAGES) {
                let (task, number) = numbers(&answers.recv().await.unwrap().unwrap());
                assert_eq!(number, next[task], "in the order in which one task sent them");
                next[task] += 1;
            }
            assert!(own.close(CloseCode::NORMAL, "").await.unwrap().is_clean());
            assert_eq!(answers.recv().await.unwrap(), None);
        };
        let [first, second, third] = tasks;
        let polls = run([
            Box::pin(drive(driver)),
            Box::pin(drive(asking)),
            Box::pin(echo(sender, receiver)),
            first,
            second,
            third,
            Box::pin(take),
        ]);
        most = most.max(polls);
    }
    // The pipe may be as small as one byte, so a driver is woken every few bytes. It must not be
    // woken more often than that.
    assert!(most < 150_000, "{most} polls");
}

/// Polls a future some times and drops it. `None` if it was not done by then.
async fn cancel<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// Cancels the call and begins anew, with one more poll each time, until it is done.
async fn again<T>(mut start: impl AsyncFnMut() -> T) -> T {
    for polls in (0..3).cycle() {
        if let Some(value) = cancel(polls, start()).await {
            return value;
        }
    }
    unreachable!("it goes on")
}

#[test]
fn every_call_can_be_cancelled_at_every_poll() {
    let mut dropped = 0;
    for seed in 0..60_u64 {
        let (server, client) = pair(seed);
        let (sender, mut receiver, driver) = server.split();
        let (own, mut answers, asking) = client.split();
        let (count, counted) = std::sync::mpsc::channel();
        let echo = async move {
            let mut seen: [Vec<u8>; 2] = [Vec::new(), Vec::new()];
            while let Some(message) = again(async || receiver.recv().await).await.unwrap() {
                let (task, number) = numbers(&message);
                assert!(seen[task].last() < Some(&number), "nothing twice, all in order");
                seen[task].push(number);
                // A send that is cancelled before there was room drops its message. So this offers
                // the message until it is accepted.
                while let Err(SendError::Full(_)) = sender.try_send(message.clone()) {
                    again(async || sender.flush().await).await.unwrap();
                }
            }
            count.send(seen).unwrap();
        };
        let (report, reported) = std::sync::mpsc::channel();
        let ask = |task: u8| -> Task {
            let (sender, report) = (own.clone(), report.clone());
            Box::pin(async move {
                let mut sent = Vec::new();
                for number in 0..MESSAGES {
                    let polls = usize::from(number + task) % 3;
                    let is_sent = cancel(polls, sender.send(message(task, number))).await;
                    sent.push(is_sent.map(Result::unwrap).is_some());
                    if number % 5 == 0 {
                        again(async || sender.ping().await).await.unwrap();
                    }
                    if number % 3 == task {
                        again(async || sender.flush().await).await.unwrap();
                    }
                }
                // All is written, and the last task closes.
                again(async || sender.flush().await).await.unwrap();
                report.send((task, sent)).unwrap();
            })
        };
        let [first, second] = [0, 1].map(ask);
        let take = async move {
            let mut last = [None; 2];
            while let Some(message) = again(async || answers.recv().await).await.unwrap() {
                let (task, number) = numbers(&message);
                assert!(last[task] < Some(number), "nothing twice, all in order");
                last[task] = Some(number);
            }
        };
        own.on_drop(OnDrop::Close);
        drop(own);
        run([
            Box::pin(drive(driver)),
            Box::pin(drive(asking)),
            Box::pin(echo),
            Box::pin(take),
            first,
            second,
        ]);
        let seen = counted.recv().unwrap();
        for (task, sent) in reported.try_iter() {
            for (number, is_sent) in (0..).zip(sent) {
                let has_come = seen[usize::from(task)].contains(&number);
                assert!(has_come || !is_sent, "{number} of {task} was accepted, and is lost");
                dropped += usize::from(!is_sent);
            }
        }
    }
    assert!(dropped > 100, "{dropped}: hardly anything was cancelled");
}

#[test]
fn a_close_can_be_cancelled_and_goes_on() {
    for seed in 0..60 {
        let (server, client) = pair(seed);
        let (sender, mut receiver, driver) = server.split();
        let (own, answers, asking) = client.split();
        let serve = async move {
            // Sends until that fails.
            while sender.send(message(0, 9)).await.is_ok() {}
            while receiver.recv().await.unwrap().is_some() {}
        };
        let close = async move {
            let _kept = answers;
            let closed = again(async || own.close(CloseCode::NORMAL, "").await).await.unwrap();
            assert!(closed.is_clean());
            assert!(matches!(own.send("x").await, Err(Error::Closed(_))));
        };
        run([Box::pin(drive(driver)), Box::pin(drive(asking)), Box::pin(serve), Box::pin(close)]);
    }
}

const MESSAGES: u8 = 40;
