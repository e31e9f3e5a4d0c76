//! A handler that returns, fails or panics: its messages are sent, and its peer gets a Close.

use core::time::Duration;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use tidegate_core::Config;
use tidegate_driver::ServeOptions;
use tidegate_tests::ends::{AsyncStd, Error, Serve, Smol, Tokio};

use crate::frames::{decode, encode};

/// How a handler ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Returns,
    Errs,
    Panics,
    /// Returns, and its client sends nothing more.
    IsLeft,
}

/// What a client receives: messages and the code of a Close. It answers the Close, and waits for the
/// end.
fn ask(address: SocketAddr, answers: bool) -> (Vec<Vec<u8>>, Option<u16>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let two = [encode(0x81, b"one", true), encode(0x81, b"two", true)].concat();
    stream.write_all(&two).unwrap();
    let (mut input, mut messages, mut code) = (Vec::new(), Vec::new(), None);
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        input.extend(&buffer[..count]);
        while let Some(frame) = decode(&mut input, false) {
            if frame.opcode == 8 {
                code = frame.payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                if answers {
                    let _ = stream.write_all(&encode(0x88, &frame.payload, true));
                }
            } else {
                messages.push(frame.payload);
            }
        }
    }
    (messages, code)
}

fn run<A: Serve>(end: End) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = thread::spawn(move || {
        let started = Instant::now();
        (ask(address, end != End::IsLeft), started.elapsed())
    });
    let ((messages, code), time) = A::block_on(async move {
        // Its default is 10 s.
        let limit = Duration::from_secs(if end == End::IsLeft { 1 } else { 10 });
        let config = Config::builder().close_timeout(limit).build().unwrap();
        let server = A::serve(
            listener,
            ServeOptions::builder().config(config).build().unwrap(),
            move |mut socket, _| async move {
                socket.recv().await?;
                socket.send("got it").await?;
                socket.feed("bye").await?;
                match end {
                    End::Returns | End::IsLeft => Ok(()),
                    End::Errs => Err(Error::Unfinished),
                    End::Panics => panic!("as the test wants"),
                }
            },
        );
        let handle = server.handle();
        A::spawn(async move {
            let _ = server.await;
        });
        while !client.is_finished() {
            A::sleep(Duration::from_millis(10)).await;
        }
        handle.shutdown(Duration::ZERO);
        client.join().unwrap()
    });
    let expected = if matches!(end, End::Returns | End::IsLeft) { 1000 } else { 1011 };
    assert_eq!(code, Some(expected), "{end:?}");
    assert_eq!(messages, [&b"got it"[..], b"bye"], "{end:?}");
    assert!(time < Duration::from_secs(4), "{end:?}: {time:?}");
}

macro_rules! adapters {
    ($($name:ident: $adapter:ident),+) => {$(
        mod $name {
            use super::*;

            #[test]
            fn a_handler_that_returns_closes_with_1000() {
                run::<$adapter>(End::Returns);
            }

            #[test]
            fn a_handler_that_fails_closes_with_1011() {
                run::<$adapter>(End::Errs);
            }

            #[test]
            fn a_handler_that_panics_closes_with_1011() {
                run::<$adapter>(End::Panics);
            }

            #[test]
            fn a_client_that_does_not_answer_is_cut_in_time() {
                run::<$adapter>(End::IsLeft);
            }
        }
    )+};
}
adapters!(tokio: Tokio, smol: Smol, async_std: AsyncStd);
