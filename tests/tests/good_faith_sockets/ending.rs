//! The end is reported correctly, at once, and to both sides.

use core::time::Duration;
use std::time::Instant;

use futures_util::SinkExt;
use socket2::SockRef;
use tidegate_core::{CloseCode, Config, Failure, Message};
use tidegate_tests::ends::{Adapter, End, Error, Mode, raw_client, soon};

use crate::frames::encode;
use crate::peer::{Peer, Seen};

const SOON: Duration = Duration::from_secs(2);

pub(crate) async fn by_a_code<A: Adapter>(mode: Mode) {
    for (code, is_fine) in [(1000, true), (1001, true), (1008, false), (1011, false), (4000, false)]
    {
        let (mut end, raw) = raw_client::<A>(mode, Config::default()).await;
        let mut peer = Peer::client(&raw, Duration::ZERO);
        peer.send(0x81, b"last words");
        peer.close(code, "because");
        assert_eq!(soon::<A, _>(end.recv()).await.unwrap(), Some(Message::text("last words")));
        match soon::<A, _>(end.recv()).await {
            Ok(None) => assert!(is_fine, "{code} is no end"),
            Err(Error::Closed(closed)) => {
                assert!(!is_fine, "{code} is an end");
                assert_eq!((closed.code().as_u16(), closed.reason()), (code, "because"));
            }
            other => panic!("{code}: {other:?}"),
        }
    }
}

/// The peer resets the connection 200 ms after its violation.
pub(crate) async fn by_a_violation_and_a_reset<A: Adapter>(mode: Mode) {
    let (mut end, raw) = raw_client::<A>(mode, Config::default()).await;
    // A frame of a client that is not masked.
    std::io::Write::write_all(&mut raw.tcp(), &encode(0x81, b"hi", false)).unwrap();
    let resetting = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        SockRef::from(raw.tcp()).set_linger(Some(Duration::ZERO)).unwrap();
        drop(raw);
    });
    let error = soon::<A, _>(end.recv()).await.unwrap_err();
    let Error::Closed(closed) = &error else { panic!("{error:?}") };
    assert!(matches!(closed.failure(), Some(Failure::Protocol(_))), "{error}");
    resetting.join().unwrap();
}

/// The peer does nothing more.
pub(crate) async fn by_a_violation_and_silence<A: Adapter>(mode: Mode) {
    let (mut end, raw) = raw_client::<A>(mode, Config::default()).await;
    std::io::Write::write_all(&mut raw.tcp(), &encode(0x81, b"hi", false)).unwrap();
    let started = Instant::now();
    let error = soon::<A, _>(end.recv()).await.unwrap_err();
    assert!(matches!(error, Error::Closed(_)), "{error:?}");
    assert!(started.elapsed() < SOON, "told after {:?}", started.elapsed());
    drop(raw);
}

pub(crate) async fn by_an_empty_close_of_ours<A: Adapter>(mode: Mode) {
    let (mut end, raw) = raw_client::<A>(mode, Config::default()).await;
    let mut peer = Peer::client(&raw, Duration::ZERO);
    drop(raw);
    soon::<A, _>(end.close(CloseCode::NO_STATUS, "")).await.unwrap();
    drop(end);
    peer.join();
    assert!(peer.has(&Seen::Close(Vec::new())), "{:?}", peer.log());
}

pub(crate) async fn repeats_code_and_reason<A: Adapter>(mode: Mode) {
    let (mut end, raw) = raw_client::<A>(mode, Config::default()).await;
    let mut peer = Peer::client(&raw, Duration::ZERO);
    peer.close(4001, "gone fishing");
    let _ = soon::<A, _>(end.recv()).await;
    drop((end, raw));
    let close = [&[0x0F, 0xA1][..], b"gone fishing"].concat();
    let started = Instant::now();
    while !peer.has(&Seen::Close(close.clone())) {
        assert!(started.elapsed() < SOON, "{:?}", peer.log());
        A::sleep(Duration::from_millis(10)).await;
    }
}

/// Sixty messages and a Close in flight, and a reader that takes one every 20 ms.
pub(crate) async fn with_a_slow_reader<A: Adapter>(mode: Mode) {
    let config = Config::builder().close_timeout(Duration::from_millis(300)).build().unwrap();
    let (mut end, raw) = raw_client::<A>(mode, config).await;
    let mut peer = Peer::client(&raw, Duration::ZERO);
    for number in 0..60 {
        peer.send(0x82, &[number]);
    }
    A::sleep(Duration::from_millis(100)).await;
    begin_close(&mut end).await;
    for number in 0..60 {
        let received = soon::<A, _>(end.recv()).await;
        let received = received.unwrap_or_else(|error| panic!("{number} of 60: {error}"));
        assert_eq!(received, Some(Message::binary(vec![number])));
        A::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(soon::<A, _>(end.recv()).await.unwrap(), None);
}

/// Sends Close; what still arrives can be received.
async fn begin_close<A: Adapter>(end: &mut End<A>) {
    match end {
        End::Server(socket) => SinkExt::close(&mut **socket).await.unwrap(),
        End::Client(socket) => SinkExt::close(&mut **socket).await.unwrap(),
        End::Split(sender, _) => sender.begin_close(CloseCode::NORMAL, "").unwrap(),
    }
}
