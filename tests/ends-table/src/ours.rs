//! Runs each end with Tidegate, and records what its user sees.

use std::error::Error as StdError;
use std::time::Instant;

use futures_util::StreamExt;
use std::sync::mpsc::channel;
use tidegate_core::{CloseCode, Closed, Config, Message};
use tidegate_driver::{ByteStream, Clock, Options, WebSocket};
use tidegate_tokio::{Client, Error, ServeOptions, TokioNetwork, serve, split_spawn};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use crate::log::Log;
use crate::ways::{self, Way};
use crate::when::{BUSY, CLOSE, NEVER, PING, PONG, WRITE, when};

/// What was seen at one end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The result of the application's own calls, and of `recv`.
    pub(crate) end: String,
    pub(crate) when: &'static str,
    /// The result of a later `send`.
    pub(crate) send: String,
}

type Received = Result<Option<Message>, Error>;

/// An error as text: its kind, its message and its sources.
fn error(error: &Error) -> String {
    let debug = format!("{error:?}");
    let kind: String = debug.chars().take_while(char::is_ascii_alphanumeric).collect();
    let mut text = format!("`{kind}`: {error}");
    let mut source = error.source();
    while let Some(error) = source {
        text += &format!(": {error}");
        source = error.source();
    }
    text
}

fn received(received: Option<&Received>) -> String {
    match received {
        None => "nothing".into(),
        Some(Ok(None)) => "`None`".into(),
        Some(Ok(Some(_))) => "a message".into(),
        Some(Err(failed)) => error(failed),
    }
}

fn sent(sent: &Result<(), Error>) -> String {
    sent.as_ref().map_or_else(error, |()| "`Ok`".into())
}

fn closed(closed: &Result<Closed, Error>) -> String {
    closed.as_ref().map_or_else(error, |closed| format!("`Ok`: {closed}"))
}

pub(crate) fn config(way: Way) -> Config {
    let builder = Config::builder().close_timeout(CLOSE).ping_interval(None);
    let builder = match way {
        Way::KeepaliveTimeout => builder.ping_interval(PING).pong_timeout(PONG),
        Way::WriteTimeout => builder.write_timeout(WRITE),
        _ => builder,
    };
    builder.build().expect("it is valid")
}

async fn connect(way: Way) -> tidegate_tokio::ClientSocket {
    let (address, _) = ways::server(way);
    let client = Client::new(
        TokioNetwork::new(),
        Options::builder().config(config(way)).build().expect("valid"),
    );
    client.connect(&format!("ws://{address}/")).await.expect("it opens")
}

/// Receives one message, is busy, does its own part of the end, and then calls `recv` twice.
async fn whole<S: ByteStream, C: Clock>(
    socket: &mut WebSocket<S, C>,
    way: Way,
) -> (Seen, Option<Error>) {
    socket.recv().await.expect("a message comes first");
    let started = Instant::now();
    sleep(BUSY).await;
    let mut done = match way {
        Way::WriteTimeout => {
            format!("`send`: {}; ", sent(&socket.send(vec![0; 64 << 20]).await))
        }
        Way::CloseTimeout | Way::LocalClose => {
            format!("`close`: {}; ", closed(&socket.close(CloseCode::NORMAL, "bye").await))
        }
        Way::Abort => {
            socket.abort();
            String::new()
        }
        _ => String::new(),
    };
    let end = timeout(NEVER, socket.recv()).await.ok();
    let when = when(Some(way), started.elapsed());
    done += &received(end.as_ref());
    if end.is_some() {
        let again = socket.recv().await;
        if !matches!(again, Ok(None)) {
            done += &format!(", then {}", received(Some(&again)));
        }
    }
    let send = sent(&socket.send("x").await);
    (Seen { end: done, when, send }, end.and_then(Result::err))
}

/// `recv` of a client.
pub(crate) async fn recv(way: Way) -> Seen {
    whole(&mut connect(way).await, way).await.0
}

/// The same as a `Stream`; shows only the end.
pub(crate) async fn stream(way: Way) -> Seen {
    let mut socket = connect(way).await;
    socket.next().await.expect("a message comes first").expect("it is no error");
    let started = Instant::now();
    sleep(BUSY).await;
    match way {
        Way::WriteTimeout => drop(socket.send(vec![0; 64 << 20]).await),
        Way::CloseTimeout | Way::LocalClose => drop(socket.close(CloseCode::NORMAL, "bye").await),
        Way::Abort => socket.abort(),
        _ => {}
    }
    let end = timeout(NEVER, socket.next()).await.ok().map(Option::transpose);
    Seen {
        end: received(end.as_ref()),
        when: when(Some(way), started.elapsed()),
        ..Seen::default()
    }
}

/// `Receiver` and `Sender`.
pub(crate) async fn split(way: Way) -> Seen {
    let (sender, mut receiver) = split_spawn(connect(way).await);
    receiver.recv().await.expect("a message comes first");
    let started = Instant::now();
    sleep(BUSY).await;
    let mut done = match way {
        Way::WriteTimeout => {
            let sending = async {
                sender.send(vec![0; 64 << 20]).await?;
                sender.flush().await
            };
            format!("`send`, `flush`: {}; ", sent(&sending.await))
        }
        Way::CloseTimeout | Way::LocalClose => {
            format!("`close`: {}; ", closed(&sender.close(CloseCode::NORMAL, "bye").await))
        }
        Way::Abort => {
            sender.abort();
            String::new()
        }
        _ => String::new(),
    };
    let end = timeout(NEVER, receiver.recv()).await.ok();
    done += &received(end.as_ref());
    let when = when(Some(way), started.elapsed());
    Seen { end: done, when, send: sent(&sender.send("x").await) }
}

/// The error that an application gets that only sends, if any.
pub(crate) async fn send_alone(way: Way, takes_first: bool) -> String {
    let mut socket = connect(way).await;
    if takes_first {
        socket.recv().await.expect("a message comes first");
    }
    let started = Instant::now();
    sleep(BUSY).await;
    match way {
        Way::LocalClose | Way::CloseTimeout => drop(socket.close(CloseCode::NORMAL, "bye").await),
        Way::Abort => socket.abort(),
        _ => {}
    }
    while started.elapsed() < NEVER {
        let length = if way == Way::WriteTimeout { 64 << 20 } else { 1 };
        if let Err(failed) = socket.send(vec![0; length]).await {
            return error(&failed);
        }
        sleep(BUSY / 6).await;
    }
    "`Ok`, forever".into()
}

/// A handler of `serve` that returns the error of `recv`, and the log of the server.
pub(crate) async fn handler(way: Way, log: &Log) -> (Seen, Vec<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it has an address");
    let (told, seen) = channel();
    let told = std::sync::Mutex::new(told);
    let options = ServeOptions::builder().config(config(way)).build().expect("valid");
    let server = serve(listener, options, move |mut socket, _| {
        let told = told.lock().expect("nobody panics with it").clone();
        async move {
            let (seen, failed) = whole(&mut socket, way).await;
            let _ = told.send(seen);
            failed.map_or(Ok(()), Err)
        }
    });
    let handle = server.handle();
    let stop = async move {
        while handle.counters().opened == 0 || handle.counters().open > 0 {
            sleep(BUSY / 30).await;
        }
    };
    ways::client(address, way);
    let _ = timeout(NEVER + CLOSE, server.until(stop, BUSY)).await;
    let shutdown = "INFO shutting down";
    let lines = log.lines().into_iter().filter(|line| !line.starts_with(shutdown)).collect();
    (seen.try_recv().unwrap_or_default(), lines)
}

/// A request that is refused.
pub(crate) async fn refused(answer: &'static str) -> Seen {
    let address = ways::refusing(answer);
    let started = Instant::now();
    let client = Client::new(TokioNetwork::new(), Options::default());
    let opened = timeout(NEVER, client.connect(&format!("ws://{address}/"))).await;
    let end = match &opened {
        Err(_) => "nothing".into(),
        Ok(Ok(_)) => "`Ok`".into(),
        Ok(Err(failed)) => {
            // Removes the port, which differs in each run.
            let text = error(failed).replace(&address.to_string(), "the server");
            match failed {
                Error::Handshake { response: Some(response), .. } => {
                    let body = String::from_utf8_lossy(response.body());
                    format!("{text}; `response`: {} \"{body}\"", response.status())
                }
                _ => format!("{text}; no `response`"),
            }
        }
    };
    Seen { end, when: when(None, started.elapsed()), ..Seen::default() }
}
