//! A split WebSocket on a scripted stream: a driver, a receiver and two senders in tasks of their
//! own, messages as streams too. Whatever waits is woken, all tasks end, and messages are those of
//! the core alone.
#![no_main]

use core::cell::RefCell;
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidegate_core::{CloseCode, Event, MessageKind, Prepared};
use tidegate_driver::{Error, OnDrop, Receiver, Sender, WebSocket};
use tidegate_fuzz::driving::{Expected, Setup};
use tidegate_fuzz::script::Shared;

#[derive(Arbitrary, Debug)]
struct Case {
    setup: Setup,
    /// What two tasks do, one after the other; the byte cancels a call after so many polls.
    calls: [Vec<(Call, u8)>; 2],
    /// After so many messages the receiver is dropped, from 128 on never.
    patience: u8,
    /// How the next message is received, in turns; empty is always whole.
    takes: Vec<Take>,
    on_drop: u8,
    steps: Vec<u8>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Take {
    Recv,
    TryRecv,
    Event,
    /// So many of its chunks.
    Read(u8),
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Call {
    Send(u16),
    Feed(u16),
    TrySend(u16),
    Prepared(u16),
    /// So many chunks, each so long, and the end or not.
    Write(u8, u16, bool),
    Flush,
    Ping,
    Pong,
    Yield,
    BeginClose,
    Close,
    Abort,
}

fuzz_target!(|case: Case| {
    let setup = &case.setup;
    let expected = setup.expected();
    let world = Shared::new(setup.input(), case.steps.clone());
    let socket = WebSocket::from_connection(world.clone(), world.clone(), setup.connection());
    let (first, receiver, driver) = socket.split();
    let choices = [OnDrop::Continue, OnDrop::Close, OnDrop::Abort];
    first.on_drop(choices[usize::from(case.on_drop % 3)]);
    receiver.on_drop(choices[usize::from(case.on_drop / 3 % 3)]);
    let second = first.clone();
    let expected = RefCell::new(expected);
    let [first_calls, second_calls] = &case.calls;
    let closes = |(call, _): &(Call, u8)| matches!(call, Call::Close);
    let receiving = Receiving {
        // A close drops messages.
        is_checked: !case.calls.iter().flatten().any(closes),
        expected: &expected,
        takes: &case.takes,
        patience: case.patience,
    };
    world.run_all(vec![
        Box::pin(async { drop(driver.await) }),
        Box::pin(receiving.run(receiver)),
        Box::pin(send(first, first_calls)),
        Box::pin(send(second, second_calls)),
    ]);
    world.look(|world| setup.read_back(&world.written));
});

struct Receiving<'a> {
    expected: &'a RefCell<Expected>,
    is_checked: bool,
    takes: &'a [Take],
    patience: u8,
}

impl Receiving<'_> {
    async fn run(self, mut receiver: Receiver) {
        let mut takes = self.takes.iter().cycle();
        for count in 0.. {
            if self.patience < 128 && count >= self.patience.into() {
                return;
            }
            let take = takes.next().copied().unwrap_or(Take::Recv);
            if let Ok(false) | Err(_) = self.take(&mut receiver, take).await {
                break;
            }
        }
        let again = receiver.recv().await;
        assert!(matches!(again, Ok(None)), "behind the end there is nothing: {again:?}");
    }

    /// False: there is no more.
    async fn take(&self, receiver: &mut Receiver, take: Take) -> Result<bool, Error> {
        match take {
            Take::Recv => match receiver.recv().await? {
                Some(message) => self.is_expected(|expected| expected.message(&message)),
                None => return Ok(false),
            },
            Take::TryRecv => match receiver.try_recv() {
                Some(message) => self.is_expected(|expected| expected.message(&message)),
                None => return self.take_event(receiver).await,
            },
            Take::Event => return self.take_event(receiver).await,
            Take::Read(count) => {
                let Some(mut reader) = receiver.read_message().await? else { return Ok(false) };
                self.is_expected(|expected| expected.begin(reader.kind()));
                for _ in 0..count {
                    let piece = reader.next_chunk().await?;
                    self.is_expected(|expected| expected.read(piece.as_deref()));
                    if piece.is_none() {
                        break;
                    }
                }
            }
        }
        Ok(true)
    }

    async fn take_event(&self, receiver: &mut Receiver) -> Result<bool, Error> {
        match receiver.next_event().await? {
            Some(Event::Message(message)) => {
                self.is_expected(|expected| expected.message(&message));
            }
            Some(Event::Chunk(chunk)) => self.is_expected(|expected| {
                expected.chunk(chunk.kind, &chunk.payload, chunk.last);
            }),
            Some(other) => panic!("{other:?}"),
            None => return Ok(false),
        }
        Ok(true)
    }

    fn is_expected(&self, check: impl FnOnce(&mut Expected)) {
        if self.is_checked {
            check(&mut self.expected.borrow_mut());
        }
    }
}

async fn send(mut sender: Sender, calls: &[(Call, u8)]) {
    for (call, patience) in calls {
        let patience = (*patience & 0x80 != 0).then_some(*patience & 0x07);
        let payload = |length: u16| vec![0x53; length.into()];
        match call {
            Call::Send(length) => within(patience, sender.send(payload(*length))).await,
            Call::Feed(length) => within(patience, sender.feed(payload(*length))).await,
            Call::TrySend(length) => drop(sender.try_send(payload(*length))),
            Call::Prepared(length) => {
                drop(sender.try_send(Prepared::new(payload(*length))));
            }
            Call::Write(chunks, length, finish) => {
                let writing = async {
                    let mut writer = sender.write_message(MessageKind::Binary);
                    for _ in 0..chunks % 8 {
                        writer.send_chunk(payload(*length)).await?;
                    }
                    if *finish { writer.finish().await } else { Ok(()) }
                };
                within(patience, writing).await;
            }
            Call::Flush => within(patience, sender.flush()).await,
            Call::Ping => within(patience, sender.ping()).await,
            Call::Pong => drop(sender.pong("pong")),
            Call::Yield => {
                let mut has_waited = false;
                let once = poll_fn(|cx| {
                    cx.waker().wake_by_ref();
                    if core::mem::replace(&mut has_waited, true) {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                });
                once.await;
            }
            Call::BeginClose => drop(sender.begin_close(CloseCode::NORMAL, "done")),
            Call::Close => within(patience, sender.close(CloseCode::NORMAL, "done")).await,
            Call::Abort => sender.abort(),
        }
    }
}

/// Waits for a call, or cancels it after so many polls: the next one comes at once then.
async fn within<T>(patience: Option<u8>, call: impl Future<Output = T>) {
    let (mut call, mut polls) = (pin!(call), 0);
    poll_fn(|cx| {
        if patience == Some(polls) {
            return Poll::Ready(());
        }
        polls += 1;
        let poll = call.as_mut().poll(cx).map(drop);
        if patience == Some(polls) { Poll::Ready(()) } else { poll }
    })
    .await;
}
