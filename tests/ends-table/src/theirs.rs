//! Runs the same ends with tokio-tungstenite, and records what its user sees.

use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::ours::Seen;
use crate::ways::{self, Way};
use crate::when::{BUSY, NEVER, when};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Next = Option<Result<Message, Error>>;

async fn connect(way: Way) -> Socket {
    let (address, _) = ways::server(way);
    connect_async(format!("ws://{address}/")).await.expect("it opens").0
}

fn next(next: Option<&Next>) -> String {
    match next {
        None => "nothing".into(),
        Some(None) => "`None`".into(),
        Some(Some(Ok(Message::Close(frame)))) => match frame {
            Some(frame) => format!("`Close({} {})`", u16::from(frame.code), frame.reason),
            None => "`Close(None)`".into(),
        },
        Some(Some(Ok(_))) => "a message".into(),
        Some(Some(Err(error))) => format!("error: {error}"),
    }
}

fn sent(sent: &Result<(), Error>) -> String {
    sent.as_ref().map_or_else(|error| format!("error: {error}"), |()| "`Ok`".into())
}

async fn act(socket: &mut Socket, way: Way) -> String {
    let frame = CloseFrame { code: 1000.into(), reason: "bye".into() };
    match way {
        Way::WriteTimeout => {
            let message = Message::binary(vec![0; 64 << 20]);
            match timeout(NEVER, socket.send(message)).await {
                Ok(result) => format!("`send`: {}; ", sent(&result)),
                Err(_) => "`send`: nothing; ".into(),
            }
        }
        Way::CloseTimeout | Way::LocalClose => {
            format!("`close`: {}; ", sent(&socket.close(Some(frame)).await))
        }
        _ => String::new(),
    }
}

/// `next`, twice, and `send` afterwards.
pub(crate) async fn receive(way: Way) -> Seen {
    let mut socket = connect(way).await;
    socket.next().await.expect("a message comes first").expect("it is no error");
    let started = Instant::now();
    sleep(BUSY).await;
    let mut end = act(&mut socket, way).await;
    let first = timeout(NEVER, socket.next()).await.ok();
    end += &next(first.as_ref());
    let when = when(Some(way), started.elapsed());
    if !matches!(first, None | Some(None)) {
        let again = timeout(NEVER, socket.next()).await.ok();
        end += &format!(", {}", next(again.as_ref()));
    }
    let send = match timeout(BUSY, socket.send(Message::text("x"))).await {
        Ok(result) => sent(&result),
        Err(_) => "nothing".into(),
    };
    Seen { end, when, send }
}

/// A request that is refused.
pub(crate) async fn refused(answer: &'static str) -> Seen {
    let address = ways::refusing(answer);
    let started = Instant::now();
    let opened = timeout(NEVER, connect_async(format!("ws://{address}/"))).await;
    let end = match opened {
        Err(_) => "nothing".into(),
        Ok(Ok(_)) => "`Ok`".into(),
        Ok(Err(Error::Http(response))) => {
            let body = response.body().as_deref().unwrap_or_default();
            format!("error: HTTP {} \"{}\"", response.status(), String::from_utf8_lossy(body))
        }
        Ok(Err(error)) => format!("error: {error}"),
    };
    Seen { end, when: when(None, started.elapsed()), ..Seen::default() }
}
