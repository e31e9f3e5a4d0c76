//! Applications on whole or split connections: they send requests, echo, flood and delay.

use core::cell::Cell;
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;
use core::time::Duration;
use std::rc::Rc;

use tidegate_core::testing::Random;
use tidegate_core::{CloseCode, Closed, Message};
use tidegate_driver::{Error, Receiver, Sender, WebSocket};

use crate::network::{End, Time, World};

pub(crate) type Whole = WebSocket<End, Time>;

/// The message of this number, so that the receiver can check it.
pub(crate) fn message(seed: u64, number: usize, longest: usize) -> Message {
    let mut random = Random::new(seed ^ (number as u64) << 40);
    let length = match random.below(4) {
        0 => 0,
        1 => longest,
        _ => random.below(longest),
    };
    if random.one_in(2) {
        Message::text(format!("{number}:{}", "ü€".repeat(length / 5)))
    } else {
        Message::binary([&number.to_be_bytes()[..], &random.bytes(length)].concat())
    }
}

/// How an application behaves.
#[derive(Clone, Debug)]
pub(crate) struct Manner {
    pub(crate) world: World,
    pub(crate) seed: u64,
    pub(crate) count: usize,
    pub(crate) longest: usize,
    /// Cancels waiting calls at any poll, and calls again.
    pub(crate) cancels: bool,
    /// Sometimes sleeps between two messages.
    pub(crate) dawdles: Option<Duration>,
    /// The connection may fail at any time.
    pub(crate) may_fail: bool,
}

/// The receiving side of an application.
pub(crate) trait Receive {
    async fn recv(&mut self) -> Result<Option<Message>, Error>;
}

/// The sending side.
pub(crate) trait Send {
    async fn send(&mut self, world: &World, message: Message, cancels: bool) -> Result<(), Error>;
    async fn close(&mut self) -> Result<Closed, Error>;
}

impl Receive for Whole {
    async fn recv(&mut self) -> Result<Option<Message>, Error> {
        Whole::recv(self).await
    }
}

impl Receive for Receiver {
    async fn recv(&mut self) -> Result<Option<Message>, Error> {
        Receiver::recv(self).await
    }
}

impl Send for Whole {
    async fn send(&mut self, world: &World, message: Message, cancels: bool) -> Result<(), Error> {
        if !cancels {
            return Whole::send(self, message).await;
        }
        // `feed` must not be cancelled, since that drops the message. Other calls may be.
        self.feed(message).await?;
        loop {
            if let Some(flushed) = impatiently(world, true, self.flush()).await {
                return flushed;
            }
        }
    }

    async fn close(&mut self) -> Result<Closed, Error> {
        Whole::close(self, CloseCode::NORMAL, "").await
    }
}

impl Send for Sender {
    async fn send(&mut self, world: &World, message: Message, cancels: bool) -> Result<(), Error> {
        if !cancels {
            return Sender::send(self, message).await;
        }
        self.feed(message).await?;
        loop {
            if let Some(flushed) = impatiently(world, true, self.flush()).await {
                return flushed;
            }
        }
    }

    async fn close(&mut self) -> Result<Closed, Error> {
        Sender::close(self, CloseCode::NORMAL, "").await
    }
}

/// Waits for a future, or cancels it at any poll in which it is pending.
async fn impatiently<F: Future>(world: &World, cancels: bool, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if cancels && world.below(3) == 0 => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

impl Manner {
    async fn receive(&self, from: &mut impl Receive) -> Result<Option<Message>, Error> {
        let received = loop {
            if let Some(received) = impatiently(&self.world, self.cancels, from.recv()).await {
                break received;
            }
        };
        self.world.note(1);
        received
    }

    async fn transmit(&self, to: &mut impl Send, message: Message) -> Result<(), Error> {
        let sent = to.send(&self.world, message, self.cancels).await;
        self.world.note(2);
        sent
    }

    async fn dawdle(&self, clock: &mut Time) {
        if let Some(time) = self.dawdles
            && self.world.below(3) == 0
        {
            clock.sleep(time).await;
        }
    }

    fn message(&self, number: usize) -> Message {
        message(self.seed, number, self.longest)
    }

    /// Handles an error: it ends a run in which something fails, and is a bug in any other run.
    #[track_caller]
    fn check(&self, error: &Error) {
        assert!(self.may_fail, "{error:?}");
    }

    /// Sends everything. Returns whether that succeeded.
    pub(crate) async fn flood(&self, to: &mut impl Send, clock: &mut Time) -> bool {
        for number in 0..self.count {
            self.dawdle(clock).await;
            if let Err(error) = self.transmit(to, self.message(number)).await {
                self.check(&error);
                return false;
            }
        }
        true
    }

    /// Receives up to `count` messages, and checks that none is missing, duplicated or changed. Returns
    /// whether all arrived.
    pub(crate) async fn collect(
        &self,
        from: &mut impl Receive,
        clock: &mut Time,
        count: usize,
    ) -> bool {
        for number in 0..count {
            self.dawdle(clock).await;
            match self.receive(from).await {
                Ok(Some(received)) => assert_eq!(received, self.message(number), "{number}"),
                Ok(None) => panic!("it closed before message {number}"),
                Err(error) => {
                    self.check(&error);
                    return false;
                }
            }
        }
        true
    }

    /// Receives the end.
    pub(crate) async fn end(&self, from: &mut impl Receive) {
        match self.receive(from).await {
            Ok(None) => {}
            Ok(Some(message)) => panic!("{message:?} came too much"),
            Err(error) => self.check(&error),
        }
    }

    /// Closes, and expects a clean end.
    pub(crate) async fn close(&self, to: &mut impl Send) {
        match to.close().await {
            Ok(closed) => assert!(closed.is_clean()),
            Err(error) => self.check(&error),
        }
        self.world.note(3);
    }

    /// On a whole connection: repeatedly sends a few and takes as many echoes, and then closes.
    pub(crate) async fn ask(self, mut socket: Whole, mut clock: Time) {
        let mut number = 0;
        while number < self.count {
            let few = (1 + self.world.below(ASKED)).min(self.count - number);
            for number in number..number + few {
                if let Err(error) = self.transmit(&mut socket, self.message(number)).await {
                    return self.check(&error);
                }
            }
            for number in number..number + few {
                self.dawdle(&mut clock).await;
                match self.receive(&mut socket).await {
                    Ok(received) => assert_eq!(received, Some(self.message(number))),
                    Err(error) => return self.check(&error),
                }
            }
            number += few;
        }
        self.close(&mut socket).await;
    }

    /// On a whole connection: echoes everything.
    pub(crate) async fn echo(self, mut socket: Whole, mut clock: Time) {
        loop {
            match self.receive(&mut socket).await {
                Ok(Some(message)) => {
                    self.dawdle(&mut clock).await;
                    if let Err(error) = self.transmit(&mut socket, message).await {
                        return self.check(&error);
                    }
                }
                Ok(None) => return,
                Err(error) => return self.check(&error),
            }
        }
    }

    /// The same on a split one.
    pub(crate) async fn echo_split(self, mut to: Sender, mut from: Receiver, mut clock: Time) {
        loop {
            match self.receive(&mut from).await {
                Ok(Some(message)) => {
                    self.dawdle(&mut clock).await;
                    if let Err(error) = self.transmit(&mut to, message).await {
                        return self.check(&error);
                    }
                }
                Ok(None) => return,
                Err(error) => return self.check(&error),
            }
        }
    }

    /// The sending half of a client that does not wait for answers. Keeps its sender until everything is
    /// received.
    pub(crate) async fn flood_half(self, mut to: Sender, mut clock: Time, done: Rc<Cell<bool>>) {
        let all = self.flood(&mut to, &mut clock).await;
        done.set(all);
    }

    /// The receiving half: takes everything, and closes.
    pub(crate) async fn collect_half(self, mut to: Sender, mut from: Receiver, mut clock: Time) {
        if self.collect(&mut from, &mut clock, self.count).await {
            self.close(&mut to).await;
        }
    }
}

/// The most messages in flight for a client on a whole connection. They and their echoes must fit
/// below the watermarks, or both ends would wait for each other.
pub(crate) const ASKED: usize = 3;
