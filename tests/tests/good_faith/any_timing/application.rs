//! Applications as users write them.

use core::time::Duration;
use std::cell::RefCell;
use std::rc::Rc;

use tidegate_core::{Message, Timestamp};
use tidegate_driver::Error;

use crate::scene::{Scene, ms, s, timeout};
use crate::world::World;

use super::connection::{Connection, Receiving, Sending};
use super::scenario::{Ends, Scenario, payload};

/// The main loop of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    SendsOnly,
    ReceivesOnly,
    Answers,
    /// Works on each message for a long time, and then answers.
    Works,
    /// Feeds many messages, flushes, takes what is there, and then does something else for a while.
    Bursts,
    /// Cancels every call that takes slightly too long.
    Impatient,
    /// Sends in one task and receives in another, where that is possible.
    TwoTasks,
}

/// What the application did.
#[derive(Debug, Default)]
pub(crate) struct Record {
    next: u32,
    /// The numbers of the messages that were accepted.
    pub(crate) sent: Vec<u32>,
    pub(crate) received: Vec<Vec<u8>>,
    /// When the application was told that the connection has ended.
    pub(crate) told: Option<Timestamp>,
}

#[derive(Clone)]
pub(crate) struct Application {
    scenario: Scenario,
    world: World,
    record: Rc<RefCell<Record>>,
}

/// The connection has ended normally.
struct Over;

impl Application {
    pub(crate) fn new(scenario: Scenario, world: World, record: Rc<RefCell<Record>>) -> Self {
        Self { scenario, world, record }
    }

    pub(crate) fn spawn(self, scene: &mut Scene, mut connection: Connection) {
        if self.scenario.kind == Kind::TwoTasks
            && let Connection::Parts(sending, receiving) = connection
        {
            return self.two_tasks(scene, sending, receiving);
        }
        scene.ours("application", async move {
            for round in 0.. {
                if self.is_done(round) {
                    self.close(&mut connection).await;
                    break;
                }
                if self.round(&mut connection).await.is_err() {
                    self.take_the_rest(&mut connection).await;
                    break;
                }
            }
            self.record.borrow_mut().told = Some(self.world.now());
        });
    }

    fn two_tasks(self, scene: &mut Scene, mut sending: Sending, mut receiving: Receiving) {
        let receives = self.clone();
        scene.ours("receives", async move {
            while let Ok(message) = receives.check(receiving.recv().await) {
                let Some(message) = message else { return };
                receives.received(message);
                receives.world.sleep(ms(receives.below(400))).await;
            }
        });
        scene.ours("sends", async move {
            for round in 0.. {
                if self.is_done(round) {
                    return drop(self.check(sending.begin_close().await));
                }
                let (number, message) = self.next();
                if self.check(sending.send(message).await).is_err() {
                    return;
                }
                self.record.borrow_mut().sent.push(number);
                self.world.sleep(ms(self.below(2_000))).await;
            }
        });
    }

    async fn round(&self, connection: &mut Connection) -> Result<(), Over> {
        match self.scenario.kind {
            Kind::SendsOnly => {
                self.send(connection).await?;
                self.world.sleep(ms(20 + self.below(980))).await;
            }
            Kind::ReceivesOnly if self.scenario.ends == Ends::Peer => {
                self.recv(connection).await?;
            }
            // Leaves enough time to close.
            Kind::ReceivesOnly => drop(self.recv_within(connection, s(5)).await?),
            Kind::Answers | Kind::Works if self.scenario.ends == Ends::Peer => {
                self.recv(connection).await?;
                self.work().await;
                self.send(connection).await?;
            }
            Kind::Answers | Kind::Works => {
                if self.recv_within(connection, s(5)).await? {
                    self.work().await;
                }
                self.send(connection).await?;
            }
            Kind::Bursts | Kind::TwoTasks => {
                let mut fed = Vec::new();
                for _ in 0..self.below(20) {
                    let (number, message) = self.next();
                    self.check(connection.feed(message).await)?;
                    fed.push(number);
                }
                self.check(connection.flush().await)?;
                self.record.borrow_mut().sent.append(&mut fed);
                while self.recv_within(connection, ms(500)).await? {}
                self.world.sleep(ms(self.below(40_000))).await;
            }
            Kind::Impatient => self.impatiently(connection).await?,
        }
        Ok(())
    }

    async fn work(&self) {
        if self.scenario.kind == Kind::Works {
            self.world.sleep(ms(self.below(90_000))).await;
        }
    }

    async fn impatiently(&self, connection: &mut Connection) -> Result<(), Over> {
        let patience = ms(self.below(700));
        match self.below(5) {
            0 | 1 => drop(self.recv_within(connection, patience).await?),
            2 => {
                let (number, message) = self.next();
                let sent = timeout(&self.world, patience, connection.send(message)).await;
                if let Some(sent) = sent {
                    self.check(sent)?;
                    self.record.borrow_mut().sent.push(number);
                }
            }
            3 => drop(timeout(&self.world, patience, connection.flush()).await),
            _ => drop(timeout(&self.world, patience, connection.ping()).await),
        }
        self.world.sleep(ms(self.below(900))).await;
        Ok(())
    }

    async fn send(&self, connection: &mut Connection) -> Result<(), Over> {
        let (number, message) = self.next();
        self.check(connection.send(message).await)?;
        self.record.borrow_mut().sent.push(number);
        Ok(())
    }

    async fn recv(&self, connection: &mut Connection) -> Result<(), Over> {
        match self.check(connection.recv().await)? {
            Some(message) => self.received(message),
            None => return Err(Over),
        }
        Ok(())
    }

    /// Whether something arrived in time.
    async fn recv_within(&self, connection: &mut Connection, time: Duration) -> Result<bool, Over> {
        let Some(received) = timeout(&self.world, time, connection.recv()).await else {
            return Ok(false);
        };
        match self.check(received)? {
            Some(message) => self.received(message),
            None => return Err(Over),
        }
        Ok(true)
    }

    async fn close(&self, connection: &mut Connection) {
        let Ends::We(how) = self.scenario.ends else { return };
        let closed = connection.close(how, |message| self.received(message)).await;
        closed.unwrap_or_else(|error| panic!("close: {error:?}"));
    }

    /// An application that learns of the end from a send takes what came before, up to the end. One that
    /// only sends does not.
    async fn take_the_rest(&self, connection: &mut Connection) {
        while self.scenario.kind != Kind::SendsOnly
            && let Ok(Some(message)) = self.check(connection.recv().await)
        {
            self.received(message);
        }
    }

    fn is_done(&self, round: u32) -> bool {
        self.scenario.ends != Ends::Peer && round > 5 + (self.scenario.seed % 60) as u32
    }

    fn received(&self, message: Message) {
        self.record.borrow_mut().received.push(message.into_bytes().to_vec());
    }

    fn next(&self) -> (u32, Vec<u8>) {
        let mut record = self.record.borrow_mut();
        record.next += 1;
        let message = payload(self.scenario.seed, record.next, self.scenario.longest);
        (record.next, message)
    }

    fn below(&self, limit: usize) -> u64 {
        self.world.below(limit) as u64
    }

    /// The end is an error only for a later send, and the error says that the end was a close with 1000.
    #[track_caller]
    fn check<T>(&self, result: Result<T, Error>) -> Result<T, Over> {
        result.map_err(|error| {
            let is_end = match &error {
                Error::Closing => true,
                Error::Closed(closed) => closed.is_clean() && closed.code().as_u16() == 1000,
                _ => false,
            };
            assert!(is_end, "at {}: {error:?}", crate::executor::seconds(self.world.now()));
            Over
        })
    }
}
