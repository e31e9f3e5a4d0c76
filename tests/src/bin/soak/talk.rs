//! One end of a connection: sends and receives at the same time, pauses, cancels calls, and ends.

use core::time::Duration;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tidegate_core::{CloseCode, Message, MessageKind};
use tidegate_driver::{ByteStream, MessageReader, MessageSource, Receiver, Sender};
use tidegate_tests::ends::{Error, Serve, Socket, both, cancel, either, within};
use tidegate_tests::random::Random;

use crate::messages::{Incoming, Outgoing, Side, pieces};
use crate::state::{Fault, Run};

/// One end of a connection.
pub(crate) struct Talk {
    pub(crate) run: Arc<Run>,
    pub(crate) side: Side,
    pub(crate) random: Random,
    pub(crate) outgoing: Outgoing,
    pub(crate) incoming: Incoming,
    /// After how many messages it aborts the connection, if it does.
    pub(crate) abort_at: Option<u64>,
}

impl Talk {
    /// Runs a whole connection: one call after another, none of them for long.
    pub(crate) async fn whole<A: Serve, S: ByteStream>(
        mut self,
        socket: &mut Socket<A, S>,
    ) -> Result<(), Fault> {
        while !(self.outgoing.has_ended && self.incoming.has_ended) {
            if self.abort_at.is_some_and(|at| self.outgoing.number >= at) {
                socket.abort();
                return Ok(());
            }
            if self.run.is_stopping() {
                self.outgoing.stop();
            }
            self.receive_some::<A, S>(socket).await?;
            if !self.outgoing.has_ended {
                self.send_one::<A, S>(socket).await?;
            }
            if self.random.one_in(50) {
                cancel(self.random.below(3), socket.ping()).await;
            }
        }
        match self.side {
            Side::Client => loop {
                if let Some(closed) = cancel(3, socket.close(CloseCode::NORMAL, "")).await {
                    closed?;
                    break;
                }
                A::sleep(Duration::from_millis(1)).await;
            },
            Side::Server => {
                if let Some(message) = socket.recv().await? {
                    self.incoming.take(&message)?;
                }
            }
        }
        clean(socket.closed())
    }

    async fn receive_some<A: Serve, S: ByteStream>(
        &mut self,
        socket: &mut Socket<A, S>,
    ) -> Result<(), Fault> {
        let moment = Duration::from_micros(self.random.next() % 3_000);
        let received = match self.random.below(40) {
            0..10 => {
                for _ in 0..self.random.below(20) {
                    let Some(message) = socket.try_recv() else { break };
                    self.take(&message)?;
                }
                return Ok(());
            }
            10..20 => cancel(self.random.below(4), socket.recv()).await,
            20..32 => within::<A, _>(moment, socket.recv()).await,
            32..37 => {
                let reader = within::<A, _>(moment, socket.read_message()).await;
                match reader {
                    Some(Ok(Some(reader))) => Some(Ok(Some(collect(reader).await?))),
                    Some(Ok(None)) => Some(Ok(None)),
                    Some(Err(error)) => Some(Err(error)),
                    None => None,
                }
            }
            37..39 => {
                either(A::sleep(self.stall()), socket.drive()).await;
                return Ok(());
            }
            // No call is running, so nothing is read or written.
            _ => {
                A::sleep(self.stall()).await;
                return Ok(());
            }
        };
        match received {
            Some(Ok(Some(message))) => self.take(&message),
            // An end closes only after it has received everything from the other end.
            Some(Ok(None)) if !self.incoming.has_ended => Err(Fault::early()),
            Some(Ok(None)) => Ok(()),
            Some(Err(error)) => Err(error.into()),
            None => {
                self.run.totals.cancelled_receiving.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    async fn send_one<A: Serve, S: ByteStream>(
        &mut self,
        socket: &mut Socket<A, S>,
    ) -> Result<(), Fault> {
        let message = self.outgoing.message();
        // A server with a whole connection must not wait for its client without a limit: the client's
        // connection may be whole too, and may wait for the server while it sends a message.
        if self.side == Side::Client && self.random.one_in(12) {
            let (kind, pieces) = pieces(&mut self.random, &message);
            let mut writer = socket.write_message(kind);
            for piece in pieces {
                writer.send_chunk(piece).await?;
            }
            writer.finish().await?;
            return self.sent(true);
        }
        let before = socket.stats().messages_out;
        let moment = Duration::from_micros(self.random.next() % 5_000);
        let result = match self.random.below(4) {
            0 => cancel(self.random.below(3), socket.send(message)).await,
            1 => {
                let fed = within::<A, _>(moment, socket.feed(message)).await;
                cancel(self.random.below(3), socket.flush()).await;
                fed
            }
            _ => within::<A, _>(moment, socket.send(message)).await,
        };
        // Even if it was cancelled, the message was accepted as a whole or not at all.
        let is_accepted = socket.stats().messages_out > before;
        self.sending(result, is_accepted)
    }

    /// Runs a split connection: both directions at the same time.
    pub(crate) async fn split<A: Serve>(
        self,
        mut sender: Sender,
        mut receiver: Receiver,
    ) -> Result<(), Fault> {
        let Self { run, side, mut random, outgoing, incoming, abort_at } = self;
        let other = Random::new(random.next());
        let mut out = Half { run: run.clone(), random, abort_at };
        let mut into = Half { run, random: other, abort_at: None };
        let cutter = sender.clone();
        let (sent, received) = both(out.send::<A>(&mut sender, outgoing), async {
            let received = into.receive::<A>(&mut receiver, incoming).await;
            if matches!(received, Err(Fault::Wrong(_))) {
                cutter.abort();
            }
            received
        })
        .await;
        received?;
        if sent? == Said::Aborted {
            return Ok(());
        }
        match side {
            Side::Client => drop(sender.close(CloseCode::NORMAL, "").await?),
            Side::Server => {
                if receiver.recv().await?.is_some() {
                    return Err(Fault::Wrong("a message after the end".into()));
                }
            }
        }
        clean(sender.closed().as_ref())
    }

    fn take(&mut self, message: &Message) -> Result<(), Fault> {
        self.run.totals.count_received(message);
        Ok(self.incoming.take(message)?)
    }

    fn stall(&mut self) -> Duration {
        stall(&self.run, &mut self.random)
    }

    fn sending(
        &mut self,
        result: Option<Result<(), Error>>,
        is_accepted: bool,
    ) -> Result<(), Fault> {
        match result {
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(())) if !is_accepted => return Err(Fault::Wrong("sent, and not".into())),
            Some(Ok(())) => {}
            None => drop(self.run.totals.cancelled_sending.fetch_add(1, Ordering::Relaxed)),
        }
        if is_accepted { self.sent(false) } else { Ok(()) }
    }

    fn sent(&mut self, is_streamed: bool) -> Result<(), Fault> {
        self.outgoing.accepted();
        self.run.totals.count_sent(is_streamed);
        Ok(())
    }
}

/// One direction of a split connection.
struct Half {
    run: Arc<Run>,
    random: Random,
    abort_at: Option<u64>,
}

#[derive(Debug, PartialEq, Eq)]
enum Said {
    All,
    Aborted,
}

impl Half {
    async fn send<A: Serve>(
        &mut self,
        sender: &mut Sender,
        mut outgoing: Outgoing,
    ) -> Result<Said, Fault> {
        while !outgoing.has_ended {
            if self.abort_at.is_some_and(|at| outgoing.number >= at) {
                sender.abort();
                return Ok(Said::Aborted);
            }
            if self.run.is_stopping() {
                outgoing.stop();
            }
            let message = outgoing.message();
            if self.random.one_in(8) {
                let (kind, pieces) = pieces(&mut self.random, &message);
                let mut writer = sender.write_message(kind);
                for piece in pieces {
                    writer.send_chunk(piece).await?;
                }
                writer.finish().await?;
                outgoing.accepted();
                self.run.totals.count_sent(true);
                continue;
            }
            let before = sender.stats().messages_out;
            let moment = Duration::from_micros(self.random.next() % 5_000);
            let result = match self.random.below(4) {
                0 => cancel(self.random.below(3), sender.send(message)).await,
                1 => within::<A, _>(moment, sender.feed(message)).await,
                2 => within::<A, _>(moment, sender.send(message)).await,
                _ => Some(sender.send(message).await),
            };
            // No other sender uses this connection.
            let is_accepted = sender.stats().messages_out > before;
            match result {
                Some(Err(error)) => return Err(error.into()),
                Some(Ok(())) if !is_accepted => return Err(Fault::Wrong("sent, and not".into())),
                Some(Ok(())) => {}
                None => drop(self.run.totals.cancelled_sending.fetch_add(1, Ordering::Relaxed)),
            }
            if is_accepted {
                outgoing.accepted();
                self.run.totals.count_sent(false);
            }
            if self.random.one_in(50) {
                cancel(self.random.below(3), sender.ping()).await;
            }
        }
        sender.flush().await?;
        Ok(Said::All)
    }

    async fn receive<A: Serve>(
        &mut self,
        receiver: &mut Receiver,
        mut incoming: Incoming,
    ) -> Result<(), Fault> {
        while !incoming.has_ended {
            let moment = Duration::from_micros(self.random.next() % 3_000);
            let received = match self.random.below(40) {
                0..10 => receiver.try_recv().map(|message| Ok(Some(message))),
                10..20 => cancel(self.random.below(4), receiver.recv()).await,
                20..30 => within::<A, _>(moment, receiver.recv()).await,
                30..34 => Some(receiver.recv().await),
                34..38 => match receiver.read_message().await? {
                    Some(reader) => Some(Ok(Some(collect(reader).await?))),
                    None => Some(Ok(None)),
                },
                _ => {
                    A::sleep(stall(&self.run, &mut self.random)).await;
                    continue;
                }
            };
            match received {
                Some(Ok(Some(message))) => {
                    self.run.totals.count_received(&message);
                    incoming.take(&message)?;
                }
                Some(Ok(None)) => return Err(Fault::early()),
                Some(Err(error)) => return Err(error.into()),
                None => {
                    self.run.totals.cancelled_receiving.fetch_add(1, Ordering::Relaxed);
                    A::sleep(Duration::from_micros(self.random.next() % 500)).await;
                }
            }
        }
        Ok(())
    }
}

/// The application does something else: mostly for a short time, sometimes for long.
fn stall(run: &Run, random: &mut Random) -> Duration {
    run.totals.stalls.fetch_add(1, Ordering::Relaxed);
    let longest = if random.one_in(20) { 1_500_000 } else { 60_000 };
    Duration::from_micros(random.next() % longest)
}

async fn collect<T: MessageSource>(mut reader: MessageReader<'_, T>) -> Result<Message, Fault> {
    let mut payload = Vec::new();
    while let Some(chunk) = reader.next_chunk().await? {
        payload.extend_from_slice(&chunk);
    }
    match reader.kind() {
        MessageKind::Text => match String::from_utf8(payload) {
            Ok(text) => Ok(Message::text(text)),
            Err(error) => Err(Fault::Wrong(error.to_string())),
        },
        _ => Ok(Message::binary(payload)),
    }
}

fn clean(closed: Option<&tidegate_core::Closed>) -> Result<(), Fault> {
    match closed {
        Some(closed) if closed.is_clean() => Ok(()),
        closed => Err(Fault::Wrong(format!("not closed cleanly: {closed:?}"))),
    }
}
