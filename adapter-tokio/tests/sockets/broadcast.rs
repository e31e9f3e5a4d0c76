//! One message to many connections over TCP.

use core::time::Duration;

use tidegate_tokio::{
    CloseCode, Config, Outcome, Prepared, Slow, Watermarks, broadcast, broadcast_until,
};
use tokio::time::{sleep, timeout};

use crate::{pair, soon};

const MEMBERS: usize = 200;
const ROUNDS: usize = 40;
const PATIENT_ROUNDS: usize = 4;
const SIZE: usize = 16 * 1024;

#[tokio::test]
async fn one_that_is_stuck_holds_up_nobody() {
    let config = || Config::builder().send_marks(Watermarks::new(4 * SIZE, SIZE)).build().unwrap();
    let (mut senders, mut members, mut stuck) = (Vec::new(), Vec::new(), None);
    for number in 0..MEMBERS {
        let (server, mut client) = pair(config(), Config::default()).await;
        let (sender, mut receiver, driver) = server.split();
        tokio::spawn(driver);
        tokio::spawn(async move { while let Ok(Some(_)) = receiver.recv().await {} });
        senders.push(sender);
        if number == STUCK {
            stuck = Some(client);
            continue;
        }
        members.push(tokio::spawn(async move {
            let mut count = 0_usize;
            while let Some(message) = client.recv().await.unwrap() {
                assert_eq!(message.as_bytes()[..2], u16::try_from(count).unwrap().to_be_bytes());
                count += 1;
            }
            count
        }));
    }

    // Its peer takes nothing, and the kernel's buffers take no more.
    let filler = || senders[STUCK].send(vec![0; SIZE]);
    while timeout(PATIENCE, filler()).await.is_ok() {}

    let healthy = || senders.iter().enumerate().filter(|(number, _)| *number != STUCK);
    let expected = |outcome| {
        let mut expected = vec![Outcome::Sent; MEMBERS];
        expected[STUCK] = outcome;
        expected
    };
    for round in 0..ROUNDS {
        let mut payload = vec![0; SIZE];
        payload[..2].copy_from_slice(&u16::try_from(round).unwrap().to_be_bytes());
        let message = Prepared::new(payload);
        let (outcomes, outcome) = if round < PATIENT_ROUNDS {
            let waiting = broadcast_until(&senders, &message, sleep(PATIENCE), Slow::Skip);
            (soon(waiting).await, Outcome::Skipped)
        } else if round < ROUNDS - 2 {
            (broadcast(&senders, &message, Slow::Skip), Outcome::Skipped)
        } else if round == ROUNDS - 2 {
            (broadcast(&senders, &message, Slow::Disconnect), Outcome::Disconnected)
        } else {
            (broadcast(&senders, &message, Slow::Disconnect), Outcome::Closed)
        };
        assert_eq!(outcomes, expected(outcome), "round {round}");
        // The mark, and the message that crosses it.
        assert!(senders.iter().all(|sender| sender.queued_output() <= 5 * SIZE + 64));
        for (_, sender) in healthy() {
            soon(sender.flush()).await.unwrap();
        }
    }
    for (_, sender) in healthy() {
        sender.begin_close(CloseCode::NORMAL, "").unwrap();
    }
    for member in members {
        assert_eq!(soon(member).await.unwrap(), ROUNDS);
    }
    drop(stuck);
}

const STUCK: usize = 77;
const PATIENCE: Duration = Duration::from_millis(300);
