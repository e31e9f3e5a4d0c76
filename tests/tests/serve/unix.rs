//! Servers on Unix sockets, which the application ends with a signal.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;

use tidegate_core::handshake::Acceptance;
use tidegate_driver::{Remote, ServeOptions};

use crate::{Behaviour, LONG, handle};

macro_rules! echoes {
    ($($name:ident: $own:ident, $adapter:ident, $bind:expr, $block_on:expr;)+) => {$(
        #[test]
        fn $name() {
            let path = path(stringify!($name));
            let options = ServeOptions::builder().decide(|client| async move {
                assert_eq!(client.remote(), &Remote::Unix(None));
                Acceptance::new().into()
            }).build().unwrap();
            let counters = $block_on(async {
                let listener = $bind(&path).unwrap();
                let server = $adapter::serve(listener, options, |socket, client| {
                    handle::<crate::adapters::$own, _, _>(socket, client, Behaviour::Echo)
                });
                let handle = server.handle();
                let client = thread::spawn({
                    let path = path.clone();
                    move || {
                        echo(&path);
                        drop(handle); // the server does not depend on the handle
                    }
                });
                let stop = async {
                    while !client.is_finished() {
                        yield_now().await;
                    }
                };
                let counters = server.until(stop, LONG).await;
                client.join().unwrap();
                counters
            });
            std::fs::remove_file(&path).unwrap();
            assert_eq!((counters.opened, counters.failed, counters.panicked), (1, 0, 0));
        }
    )+};
}
echoes! {
    tokio: Tokio, tidegate_tokio, tokio::net::UnixListener::bind, crate::adapters::tokio_block_on;
    smol: Smol, tidegate_smol, smol::net::unix::UnixListener::bind, smol::block_on;
    async_std: AsyncStd, tidegate_async_std, |path| smol::block_on(
        async_std::os::unix::net::UnixListener::bind(path)
    ), async_std::task::block_on;
}

fn echo(path: &Path) {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    let request = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    stream.write_all(b"\x81\x82\0\0\0\0hi\x88\x80\0\0\0\0").unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    assert!(all.starts_with(b"HTTP/1.1 101 "));
    assert!(all.ends_with(b"\x81\x02hi\x88\x00"));
}

fn path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("tidegate-{name}-{}", std::process::id()));
    // A file left by an earlier process with the same id.
    let _ = std::fs::remove_file(&path);
    path
}

/// Lets other tasks and the client's thread run.
async fn yield_now() {
    thread::yield_now();
    let mut is_second = false;
    core::future::poll_fn(|cx| {
        if core::mem::replace(&mut is_second, true) {
            return core::task::Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        core::task::Poll::Pending
    })
    .await;
}
