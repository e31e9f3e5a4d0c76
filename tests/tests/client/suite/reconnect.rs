//! Tests reconnecting.

use core::future::poll_fn;
use core::pin::Pin;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Instant;

use smol::stream::Stream as _;
use tidegate_driver::{Backoff, BackoffBuilder, Error, Options, Stage};

use super::{client, connect_error, talk, tls_client};
use crate::server::{echo, flush, listen, open, tls};
use crate::{Adapter, certificates};

fn quick() -> BackoffBuilder {
    Backoff::builder().initial(Duration::from_millis(20)).maximum(Duration::from_millis(50))
}

pub(crate) fn reconnecting<A: Adapter>() {
    // The first is cut after the handshake, the second refused, the third stays open.
    let (address, serving) = listen(vec![
        Box::new(|mut stream: TcpStream| {
            let (_, mut connection) = open(&mut stream).unwrap();
            flush(&mut connection, &mut stream).unwrap();
        }),
        Box::new(|stream: TcpStream| drop(stream)),
        Box::new(|stream: TcpStream| drop(echo(stream).unwrap())),
    ]);
    A::block_on(async {
        let client = client::<A>(Options::default());
        let mut connections =
            client.reconnect(&format!("ws://{address}/"), quick().build().unwrap()).unwrap();
        let told = Arc::new(AtomicU32::new(0));
        connections = connections.on_failure({
            let told = told.clone();
            move |attempt| {
                assert!(attempt.next_wait().is_some(), "{}", attempt.error());
                told.store(attempt.failures(), Ordering::Relaxed);
            }
        });
        let mut first = connections.next().await.unwrap().unwrap();
        assert_eq!((connections.failures(), told.load(Ordering::Relaxed)), (0, 0));
        assert!(first.recv().await.is_err());
        let second = connections.next().await.unwrap().unwrap();
        assert_eq!((connections.failures(), told.load(Ordering::Relaxed)), (0, 1));
        assert!(connections.last_error().is_none());
        talk(second, 1000).await;
    });
    serving.join().unwrap();
}

pub(crate) fn reconnecting_gives_up<A: Adapter>() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    A::block_on(async {
        let client = client::<A>(Options::default());
        let url = format!("ws://{unused}/");
        let mut connections = client.reconnect(&url, quick().attempts(3).build().unwrap()).unwrap();
        let begun = Instant::now();
        connect_error(connections.next().await.unwrap());
        // Two waits, each of which is half random.
        assert!(begun.elapsed() >= Duration::from_millis(10 + 20));
        assert_eq!(connections.failures(), 3);
        assert!(connections.next().await.is_none());
        assert!(matches!(client.reconnect("ftp://x", Backoff::default()), Err(Error::Url(_))));
        let short = Duration::from_nanos(999);
        for backoff in [quick().initial(short), quick().maximum(short)] {
            let reconnecting = || client.reconnect(&url, backoff.build()?);
            assert!(matches!(reconnecting(), Err(Error::Config(_))));
        }
        let hasty = Options::builder().timeout(short).build();
        assert!(matches!(hasty, Err(Error::Config(_))));
    });
}

/// A connection that lasted long enough resets the count of failures; a shorter one adds to it.
pub(crate) fn reconnecting_counts_short_lives<A: Adapter>() {
    let cut = || -> Box<dyn FnOnce(TcpStream) + Send> {
        Box::new(|mut stream: TcpStream| {
            let (_, mut connection) = open(&mut stream).unwrap();
            flush(&mut connection, &mut stream).unwrap();
        })
    };
    let (address, serving) = listen((0..5).map(|_| cut()).collect());
    let url = format!("ws://{address}/");
    A::block_on(async {
        let client = client::<A>(Options::default());
        let lives = |long| if long { Duration::ZERO } else { Duration::from_secs(3600) };
        let backoff = |long| quick().attempts(2).reset_after(lives(long)).build().unwrap();
        let mut connections = client.reconnect(&url, backoff(true)).unwrap();
        for _ in 0..3 {
            let mut socket = connections.next().await.unwrap().unwrap();
            assert!(socket.recv().await.is_err());
            assert_eq!(connections.failures(), 0);
        }
        let mut connections = client.reconnect(&url, backoff(false)).unwrap();
        for _ in 0..2 {
            let next = poll_fn(|cx| Pin::new(&mut connections).poll_next(cx));
            assert!(next.await.unwrap().unwrap().recv().await.is_err());
            assert_eq!(connections.failures(), 0);
        }
        assert!(connections.next().await.is_none(), "two attempts, and none lived");
    });
    serving.join().unwrap();
}

pub(crate) fn reconnecting_is_cancelled_and_goes_on<A: Adapter>() {
    let (address, serving) = listen(vec![
        Box::new(|stream: TcpStream| drop(stream)),
        Box::new(|stream: TcpStream| drop(echo(stream).unwrap())),
    ]);
    A::block_on(async {
        let client = client::<A>(Options::default());
        let mut connections =
            client.reconnect(&format!("ws://{address}/"), quick().build().unwrap()).unwrap();
        let mut cancelled = 0;
        let socket = loop {
            // Each call is dropped at its first wait.
            let mut next = Box::pin(connections.next());
            let mut polled = false;
            let done = poll_fn(|cx| {
                if core::mem::replace(&mut polled, true) {
                    return core::task::Poll::Ready(None);
                }
                next.as_mut().poll(cx).map(Some)
            });
            match done.await {
                Some(connection) => break connection.unwrap().unwrap(),
                None => cancelled += 1,
            }
        };
        assert!(cancelled > 1);
        talk(socket, 1000).await;
    });
    // Exactly two connections, so no attempt was lost.
    serving.join().unwrap();
}

/// A certificate that is not trusted will not be trusted the next time, so this ends. A connection
/// that breaks during the TLS handshake may succeed the next time.
pub(crate) fn reconnecting_ends_at_a_certificate<A: Adapter>() {
    let (server, _) = certificates();
    let (_, trusting_others) = certificates();
    let (address, serving) = listen(vec![
        Box::new(|stream: TcpStream| drop(stream)) as Box<dyn FnOnce(TcpStream) + Send>,
        Box::new(move |stream: TcpStream| drop(echo(tls(stream, &server)))),
    ]);
    A::block_on(async {
        let client = tls_client::<A>(&trusting_others, Options::default());
        let url = format!("wss://{address}/");
        let mut connections = client.reconnect(&url, quick().build().unwrap()).unwrap();
        let error = connections.next().await.unwrap().unwrap_err();
        assert!(!error.is_temporary(), "{error:?}");
        assert_eq!(connections.failures(), 2);
        assert!(connections.next().await.is_none());
        assert_eq!(connect_error::<()>(Err(error)).stage(), Stage::Tls);
    });
    serving.join().unwrap();
}
