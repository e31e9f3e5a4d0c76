//! A split WebSocket on a scripted stream: a driver, a receiver and two senders in tasks of their
//! own. Whatever waits is woken, all tasks end, and messages are those of the core alone.
#![no_main]

use core::cell::RefCell;
use core::future::poll_fn;
use core::pin::pin;
use core::task::Poll;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use tidegate_core::driver::{OnDrop, Receiver, Sender, WebSocket};
use tidegate_core::testing::{Frame, opcode};
use tidegate_core::{CloseCode, Message, Role};
use tidegate_fuzz::driving::Setup;
use tidegate_fuzz::script::Shared;

#[derive(Arbitrary, Debug)]
struct Case {
    setup: Setup,
    /// What two tasks do, one after the other; the byte cancels a call after so many polls.
    calls: [Vec<(Call, u8)>; 2],
    /// After so many messages the receiver is dropped, from 128 on never.
    patience: u8,
    on_drop: u8,
    steps: Vec<u8>,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Call {
    Send(u16),
    Feed(u16),
    TrySend(u16),
    Flush,
    Ping,
    Pong,
    Yield,
    BeginClose,
    Close,
    Abort,
}

fuzz_target!(|case: Case| {
    let (setup, role) = (&case.setup, case.setup.role());
    let expected = setup.expected();
    let world = Shared::new(setup.input(), case.steps.clone());
    let socket = WebSocket::from_connection(world.clone(), world.clone(), setup.connection());
    let (first, receiver, driver) = socket.split();
    let choices = [OnDrop::Continue, OnDrop::Close, OnDrop::Abort];
    first.on_drop(choices[usize::from(case.on_drop % 3)]);
    receiver.on_drop(choices[usize::from(case.on_drop / 3 % 3)]);
    let second = first.clone();
    let received = RefCell::new(Vec::new());
    let [first_calls, second_calls] = &case.calls;
    world.run_all(vec![
        Box::pin(async { drop(driver.await) }),
        Box::pin(receive(receiver, case.patience, &received)),
        Box::pin(send(first, first_calls)),
        Box::pin(send(second, second_calls)),
    ]);
    let closes = |(call, _): &(Call, u8)| matches!(call, Call::Close);
    if !case.calls.iter().flatten().any(closes) {
        assert!(expected.starts_with(&received.borrow()), "the messages of the core, in order");
    }
    world.look(|world| check(&world.written, role));
});

async fn receive(mut receiver: Receiver, patience: u8, received: &RefCell<Vec<Message>>) {
    for count in 0.. {
        if patience < 128 && count >= patience.into() {
            return;
        }
        match receiver.recv().await {
            Ok(Some(message)) => received.borrow_mut().push(message),
            Ok(None) | Err(_) => break,
        }
    }
    let again = receiver.recv().await;
    assert!(matches!(again, Ok(None)), "behind the end there is nothing: {again:?}");
}

async fn send(sender: Sender, calls: &[(Call, u8)]) {
    for (call, patience) in calls {
        let patience = (*patience & 0x80 != 0).then_some(*patience & 0x07);
        let payload = |length: u16| vec![0x53; length.into()];
        match call {
            Call::Send(length) => within(patience, sender.send(payload(*length))).await,
            Call::Feed(length) => within(patience, sender.feed(payload(*length))).await,
            Call::TrySend(length) => drop(sender.try_send(payload(*length))),
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

/// Whole frames in a legal order, as far as they were written.
fn check(written: &[u8], role: Role) {
    let (mut rest, mut is_closed) = (written, false);
    while let Some((frame, taken)) = Frame::parse(rest).expect("legal frames") {
        assert_eq!(frame.key.is_some(), role == Role::Client);
        let may_follow = frame.opcode == opcode::PONG;
        assert!(!is_closed || may_follow, "only pongs follow our Close");
        is_closed |= frame.opcode == opcode::CLOSE;
        rest = &rest[taken..];
    }
}
