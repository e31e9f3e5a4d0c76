//! What a server tells `tracing`, and at which level.
//!
//! A program of its own, and one test: who listens is kept for the whole process.
#![cfg(feature = "tracing")]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex};

use tidegate_core::handshake::Rejection;
use tidegate_tokio::{Acceptance, Decision, Error, ServeOptions, serve_any_outcome};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps what is told: the level and the message of an event, the level and the name of a span.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>, Arc<AtomicU64>);

/// The message, and what went wrong with a handler.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}{}", self.0);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "error" {
            self.0 = format!("{}: {value}", self.0);
        }
    }
}

/// An error of an application that comes from another one.
#[derive(Debug)]
struct Cause(Error);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no answer")
    }
}

impl core::error::Error for Cause {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.0)
    }
}

impl From<Error> for Cause {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl Subscriber for Told {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let metadata = span.metadata();
        if metadata.target().starts_with("tidegate") {
            self.0.lock().unwrap().push(format!("{} span {}", metadata.level(), metadata.name()));
        }
        Id::from_u64(1 + self.1.fetch_add(1, Ordering::Relaxed))
    }
    fn event(&self, event: &Event<'_>) {
        let mut text = Text(String::new());
        event.record(&mut text);
        if event.metadata().target().starts_with("tidegate") {
            self.0.lock().unwrap().push(format!("{} {}", event.metadata().level(), text.0));
        }
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

impl Told {
    /// Waits until this was told, and forgets what came before.
    async fn expect(&self, line: &str) {
        for _ in 0..500 {
            if self.takes(line) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{line:?} was not told: {:?}", self.0.lock().unwrap());
    }

    fn takes(&self, line: &str) -> bool {
        let mut lines = self.0.lock().unwrap();
        let place = lines.iter().position(|told| told == line);
        place.is_some_and(|place| lines.drain(..=place).len() > 0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_tells_of_its_trouble() {
    let told = Told::default();
    tracing::subscriber::set_global_default(told.clone()).unwrap();

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let options = ServeOptions::builder()
        .decide(|client| async move {
            match client.request().path() {
                "/no" => Decision::from(Rejection::new(404)),
                _ => Acceptance::new().into(),
            }
        })
        .build()
        .unwrap();
    let server = serve_any_outcome(listener, options, |mut socket, client| async move {
        match client.request().path() {
            "/panic" => panic!("as it is told to"),
            "/fail" => return Err(Cause(Error::Unfinished)),
            "/lost" => Err(Error::Closing)?,
            // As an application that does not listen to the shutdown.
            "/stuck" => core::future::pending().await,
            _ => while socket.recv().await?.is_some() {},
        }
        Ok(())
    });
    let handle = server.handle();
    let server = tokio::spawn(server);

    for (path, line) in [
        ("no", "DEBUG request refused"),
        ("panic", "ERROR handler panicked"),
        ("fail", "WARN handler failed: no answer: a message in chunks is not finished"),
        ("lost", "DEBUG handler failed: no answer: the closing handshake has begun"),
    ] {
        let connected = tidegate_tokio::connect(&format!("ws://{address}/{path}")).await;
        told.expect("DEBUG span served").await;
        told.expect(line).await;
        assert_eq!(connected.is_ok(), path != "no");
    }
    told.0.lock().unwrap().clear();
    let mut noise = TcpStream::connect(address).await.unwrap();
    noise.write_all(b"this is no request\r\n\r\n").await.unwrap();
    // The server waits for that behind its answer.
    noise.shutdown().await.unwrap();
    told.expect("DEBUG handshake failed").await;

    let stuck = tidegate_tokio::connect(&format!("ws://{address}/stuck")).await.unwrap();
    handle.shutdown(Duration::from_millis(50));
    told.expect("INFO shutting down").await;
    told.expect("DEBUG cut").await;
    assert_eq!(server.await.unwrap().cut, 1);
    drop(stuck);
}
