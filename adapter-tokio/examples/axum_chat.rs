//! A browser chat with one room. A slow reader cannot use up the server's memory.
//!
//! `cargo run --release --example axum_chat -p tidegate-tokio --features axum [address]`
//!
//! Each user has a bounded queue. A user whose queue is full misses messages, and one who misses too
//! many in a row is disconnected. No other user waits, and memory does not grow.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::response::{Html, Response};
use axum::routing::{any, get};
use tidegate_tokio::axum::{Socket, WebSocketUpgrade};
use tidegate_tokio::{CloseCode, Config, ConfigError, Error, Message};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{self, Receiver, Sender};

extern crate alloc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn core::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9002".into());
    let listener = TcpListener::bind(&address).await?;
    println!("http://{}/", listener.local_addr()?);
    Ok(axum::serve(listener, app()?).await?)
}

fn app() -> Result<Router, ConfigError> {
    // A peer that reads nothing must not keep its task waiting forever.
    let config =
        Config::builder().max_message_size(MAX_LINE).write_timeout(WRITE_TIMEOUT).build()?;
    let room = Room { config: Arc::new(config), seats: Arc::default() };
    let page = || async { Html(PAGE) };
    Ok(Router::new().route("/", get(page)).route("/chat", any(chat)).with_state(room))
}

async fn chat(upgrade: WebSocketUpgrade, State(room): State<Room>) -> Response {
    upgrade.protocols(["chat"]).config(room.config.clone()).on_upgrade(async move |socket| {
        let (number, lines) = room.enter();
        room.say(&format!("{number} comes"));
        let outcome = room.talk(number, lines, socket).await;
        room.seats().remove(&number);
        match outcome {
            Ok(()) => room.say(&format!("{number} goes")),
            Err(error) => room.say(&format!("{number} is gone: {error}")),
        }
    })
}

/// All connected users.
#[derive(Clone)]
struct Room {
    config: Arc<Config>,
    seats: Arc<Mutex<Seats>>,
}

type Seats = BTreeMap<u64, Seat>;

struct Seat {
    lines: Sender<Message>,
    /// How many lines the user missed in a row.
    missed: u32,
}

impl Room {
    fn enter(&self) -> (u64, Receiver<Message>) {
        let (lines, receiver) = mpsc::channel(QUEUE);
        let mut seats = self.seats();
        let number = seats.last_key_value().map_or(1, |(last, _)| last + 1);
        seats.insert(number, Seat { lines, missed: 0 });
        (number, receiver)
    }

    /// Sends a line to all users. The text is shared, not copied.
    fn say(&self, line: &str) {
        let message = Message::text(line);
        self.seats().retain(|_, seat| {
            seat.missed =
                if seat.lines.try_send(message.clone()).is_ok() { 0 } else { seat.missed + 1 };
            // Dropping the sender ends the loop below.
            seat.missed < PATIENCE
        });
    }

    /// Receives and sends with `select!`, which works because every call can be cancelled.
    async fn talk(
        &self,
        number: u64,
        mut lines: Receiver<Message>,
        mut socket: Socket,
    ) -> Result<(), Error> {
        loop {
            tokio::select! {
                received = socket.recv() => match received? {
                    Some(message) => match message.as_text() {
                        Some(text) => self.say(&format!("{number}: {text}")),
                        None => {
                            socket.close(CloseCode::UNSUPPORTED_DATA, "only text").await?;
                            return Ok(());
                        }
                    },
                    None => return Ok(()),
                },
                line = lines.recv() => match line {
                    Some(line) => socket.send(line).await?,
                    None => {
                        socket.close(CloseCode::POLICY_VIOLATION, "too slow").await?;
                        return Ok(());
                    }
                },
            }
        }
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lines queued for one user, beside those in the connection's outbox.
const QUEUE: usize = 64;

/// How many lines a reader may miss in a row.
const PATIENCE: u32 = 256;

/// How long a reader may read nothing.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest line, in bytes.
const MAX_LINE: usize = 4 * 1024;

const PAGE: &str = r#"<!doctype html><meta charset=utf-8><title>chat</title>
<form id=f><input id=i autofocus autocomplete=off size=60></form><pre id=o></pre>
<script>
const show = line => o.textContent = line + '\n' + o.textContent
const url = location.origin.replace('http', 'ws') + '/chat'
const socket = new WebSocket(url, 'chat')
socket.onopen = () => show('open')
socket.onmessage = event => show(event.data)
socket.onclose = event => show(`closed: ${event.code} ${event.reason}`)
f.onsubmit = () => { socket.send(i.value); i.value = ''; return false }
</script>
"#;
