//! Closing a connection from another task, while the application waits in any call.

use std::future::Future;
use std::sync::Arc;
use std::task::Wake;
use std::task::{Context, Poll, Waker};

use tidegate_core::{CloseCode, CloseFrame, Config, ControlError, Failure, Message};
use tidegate_driver::{Closer, Error};

use crate::mock::{Count, Net, masked, poll, poll_pinned, ready};

#[test]
fn reaches_a_receiver_that_waits() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    let closer = socket.closer();
    let mut receiving = Box::pin(async move { socket.recv().await });
    assert!(poll_pinned(&count, &mut receiving).is_pending());
    assert_eq!(count.take(), 0);

    closer.clone().close(CloseFrame::new(CloseCode::GOING_AWAY, "bye")).unwrap();
    assert_eq!(count.take(), 1);
    assert!(poll_pinned(&count, &mut receiving).is_pending());
    assert_eq!(net.written(), b"\x88\x05\x03\xe9bye");

    // A second request changes nothing, and messages that arrive meanwhile are received.
    closer.close(CloseCode::NORMAL).unwrap();
    net.data(masked(0x81, b"last"));
    let message = ready(poll_pinned(&count, &mut receiving)).unwrap();
    assert_eq!(message, Some(Message::text("last")));
    assert_eq!(net.written(), b"");
}

#[test]
fn reaches_a_sender_that_waits_for_room() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    let closer = socket.closer();
    net.set_room(0);
    socket.try_send(vec![7; 100_000]).unwrap();
    let mut sending = Box::pin(async move {
        let sent = socket.send("no room").await;
        (socket, sent)
    });
    assert!(poll_pinned(&count, &mut sending).is_pending());
    closer.close(CloseCode::GOING_AWAY).unwrap();
    assert_eq!(count.take(), 1);
    let (mut socket, sent) = ready(poll_pinned(&count, &mut sending));
    assert!(matches!(sent, Err(Error::Closing)));

    // An abort ends what is left.
    assert!(poll(&count, socket.recv()).is_pending());
    closer.abort();
    assert!(count.take() > 0);
    let Poll::Ready(Err(Error::Closed(closed))) = poll(&count, socket.recv()) else {
        panic!("it is over");
    };
    assert_eq!(closed.failure(), Some(Failure::Aborted));
    assert!(net.0.borrow().is_dropped);
}

#[test]
fn takes_effect_in_the_next_call_of_the_application() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    let closer = socket.closer();
    closer.close(CloseCode::GOING_AWAY).unwrap();
    assert_eq!(net.written(), b"");
    assert!(poll(&count, socket.flush()).is_ready());
    assert_eq!(net.written(), b"\x88\x02\x03\xe9");
}

#[test]
fn refuses_frames_that_must_not_be_sent() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    let closer = socket.closer();
    let code = CloseCode::NO_STATUS;
    assert_eq!(
        closer.close(CloseFrame::new(code, "why?")),
        Err(ControlError::InvalidCode { code })
    );
    assert!(poll(&count, socket.recv()).is_pending());
    assert_eq!(net.written(), b"");
    drop(socket);
    assert_eq!(closer.close(CloseCode::NORMAL), Ok(()), "there is nobody to close");
}

#[test]
fn reaches_a_split_connection() {
    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    let closer = socket.closer();
    let (sender, mut receiver, driver) = socket.split();
    let mut driver = Box::pin(driver);
    assert!(poll_pinned(&count, &mut driver).is_pending());
    count.take();

    closer.close(CloseCode::GOING_AWAY).unwrap();
    assert_eq!(count.take(), 1);
    assert!(poll_pinned(&count, &mut driver).is_pending());
    assert_eq!(net.written(), b"\x88\x02\x03\xe9");

    closer.abort();
    assert!(count.take() > 0);
    assert!(matches!(ready(poll_pinned(&count, &mut driver)), Err(Error::Closed(_))));
    assert!(net.0.borrow().is_dropped);
    assert!(ready(poll(&count, receiver.recv())).is_err());
    drop(sender);
}

/// Dropping a waker may run code of the executor or of the application.
#[test]
fn a_waker_that_is_dropped_may_use_the_closer() {
    struct Closes(Closer);

    impl Wake for Closes {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Closes {
        fn drop(&mut self) {
            self.0.close(CloseCode::GOING_AWAY).unwrap();
        }
    }

    let (net, count) = (Net::new(), Count::new());
    let mut socket = net.server(Config::default());
    let waker = Waker::from(Arc::new(Closes(socket.closer())));
    let mut receiving = Box::pin(socket.recv());
    assert!(receiving.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    // The closer holds the last clone, and replaces it by the waker of another task.
    drop(waker);
    {
        let mut state = net.0.borrow_mut();
        (state.reader, state.writer, state.alarm) = (None, None, None);
    }
    assert!(poll_pinned(&count, &mut receiving).is_pending());
    assert!(poll_pinned(&count, &mut receiving).is_pending());
    assert_eq!(net.written(), b"\x88\x02\x03\xe9");
}
