//! Results of handlers: that usual handlers compile, and what the peer sees.

use core::fmt;
use core::time::Duration;
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;

use tidegate_driver::{BoxError, ClientInfo, Error, ServeOptions, Server, ServerHandle, WebSocket};
use tidegate_tokio::{TokioClock, TokioStream, serve, serve_any_outcome};

use crate::client::Client;

type Socket = WebSocket<TokioStream<tokio::net::TcpStream>, TokioClock>;

/// The close code that a client gets after its message.
fn code_of(
    message: &[u8],
    serve: impl FnOnce(tokio::net::TcpListener) -> Server + Send + 'static,
) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let (started, handle) = mpsc::channel::<ServerHandle>();
    let server = thread::spawn(move || {
        crate::adapters::tokio_block_on(async {
            let server = serve(tokio::net::TcpListener::from_std(listener).unwrap());
            started.send(server.handle()).unwrap();
            server.await
        })
    });
    let mut client = Client::connect(address).upgraded();
    client.send(0x81, message);
    let (first, payload) = client.frame();
    assert_eq!(first, 0x88);
    client.send(0x88, &payload);
    drop(client);
    handle.recv().unwrap().shutdown(Duration::ZERO);
    server.join().unwrap();
    u16::from_be_bytes([payload[0], payload[1]])
}

/// A type like `anyhow::Error`: not an error itself, made from any error, convertible to a boxed one.
struct Anyhow(BoxError);

impl<E: core::error::Error + Send + Sync + 'static> From<E> for Anyhow {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl From<Anyhow> for BoxError {
    fn from(error: Anyhow) -> Self {
        error.0
    }
}

#[derive(Debug)]
enum Own {
    Socket(Error),
    NoNumber,
}

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(_) => f.write_str("the socket"),
            Self::NoNumber => f.write_str("no number"),
        }
    }
}

impl core::error::Error for Own {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Socket(error) => Some(error),
            Self::NoNumber => None,
        }
    }
}

impl From<Error> for Own {
    fn from(error: Error) -> Self {
        Self::Socket(error)
    }
}

async fn by_anyhow(mut socket: Socket, _: ClientInfo) -> Result<(), Anyhow> {
    let message = socket.recv().await?;
    let _: u64 =
        message.as_ref().and_then(|message| message.as_text()).unwrap_or_default().parse()?;
    Ok(())
}

async fn by_own(mut socket: Socket, _: ClientInfo) -> Result<(), Own> {
    let message = socket.recv().await?;
    let text = message.as_ref().and_then(|message| message.as_text()).unwrap_or_default();
    let _: u64 = text.parse().map_err(|_| Own::NoNumber)?;
    Ok(())
}

#[test]
fn any_error_and_nothing() {
    for (message, code) in [(&b"1"[..], 1000), (b"one", 1011)] {
        let options = ServeOptions::default;
        assert_eq!(
            code_of(message, move |listener| serve_any_outcome(listener, options(), by_anyhow)),
            code
        );
        assert_eq!(
            code_of(message, move |listener| serve_any_outcome(listener, options(), by_own)),
            code
        );
    }
    let nothing = |mut socket: Socket, _: ClientInfo| async move {
        let _ = socket.recv().await;
    };
    assert_eq!(
        code_of(b"", move |listener| serve_any_outcome(listener, ServeOptions::default(), nothing)),
        1000
    );
}

/// The error type is inferred only from what the server expects.
#[test]
fn a_handler_that_only_says_ok() {
    let code = code_of(b"", |listener| {
        serve(listener, ServeOptions::default(), |mut socket, _| async move {
            if let Some(message) = socket.recv().await? {
                drop(message);
            }
            Ok(())
        })
    });
    assert_eq!(code, 1000);
}
