//! Broadcast servers. The first connection sends; the others only receive, and are not read.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tidegate_tokio::Prepared;
use tokio::sync::broadcast;

use super::handshake::handshake;
use super::peers::yawc_options;
use super::{Fault, on_tokio};

/// The first connection, and the channel from it to the others.
#[derive(Clone)]
struct Hall<T> {
    has_speaker: Arc<AtomicBool>,
    line: broadcast::Sender<T>,
}

impl<T: Clone> Hall<T> {
    fn new() -> Self {
        Self { has_speaker: Arc::default(), line: broadcast::Sender::new(64) }
    }

    fn is_first(&self) -> bool {
        !self.has_speaker.swap(true, Ordering::Relaxed)
    }
}

/// Senders of split connections, all served by one call.
pub fn tidegate(listener: TcpListener) {
    let has_speaker = AtomicBool::new(false);
    let senders: Arc<Mutex<Vec<tidegate_tokio::Sender>>> = Arc::default();
    on_tokio(listener, move |stream| {
        let (is_first, senders) =
            (!has_speaker.swap(true, Ordering::Relaxed), Arc::clone(&senders));
        async move {
            let mut socket = tidegate_tokio::accept(stream).await?.accept().await?;
            if !is_first {
                let (sender, _receiver) = tidegate_tokio::split_spawn(socket);
                senders.lock().expect("no panic").push(sender);
                std::future::pending::<()>().await;
                return Ok(());
            }
            while let Some(message) = socket.recv().await? {
                let prepared = Prepared::new(message);
                let senders = senders.lock().expect("no panic").clone();
                drop(tidegate_tokio::broadcast(&senders, &prepared, tidegate_tokio::Slow::Skip));
            }
            Ok::<_, tidegate_tokio::Error>(())
        }
    });
}

pub fn tidegate_tasks(listener: TcpListener) {
    let hall = Hall::<Arc<Prepared>>::new();
    on_tokio(listener, move |stream| {
        let (is_first, line) = (hall.is_first(), hall.line.clone());
        async move {
            let mut socket = tidegate_tokio::accept(stream).await?.accept().await?;
            if is_first {
                while let Some(message) = socket.recv().await? {
                    let _ = line.send(Arc::new(Prepared::new(message)));
                }
                return Ok(());
            }
            let mut listening = line.subscribe();
            while let Ok(message) = listening.recv().await {
                socket.send(&message).await?;
            }
            Ok::<_, tidegate_tokio::Error>(())
        }
    });
}

macro_rules! hall {
    ($listener:ident, $stream:ident, $open:expr, $payload:expr, $message:expr) => {{
        let hall = Hall::<Bytes>::new();
        on_tokio($listener, move |$stream| {
            let (is_first, line) = (hall.is_first(), hall.line.clone());
            async move {
                let mut socket = $open;
                if is_first {
                    while let Some(message) = socket.next().await {
                        let _ = line.send($payload(message));
                    }
                    return Ok(());
                }
                let mut listening = line.subscribe();
                while let Ok(bytes) = listening.recv().await {
                    socket.send($message(bytes)).await?;
                }
                Ok::<_, Fault>(())
            }
        });
    }};
}

pub fn tungstenite(listener: TcpListener) {
    use tokio_tungstenite::tungstenite::{Error, Message};
    hall!(
        listener,
        stream,
        tokio_tungstenite::accept_async(stream).await?,
        |message: Result<Message, Error>| message.map(Message::into_data).unwrap_or_default(),
        Message::Binary
    );
}

pub fn websockets(listener: TcpListener) {
    use tokio_websockets::{Error, Message, ServerBuilder};
    hall!(
        listener,
        stream,
        ServerBuilder::new().accept(stream).await?.1,
        |message: Result<Message, Error>| message
            .map(|message| Bytes::from(message.into_payload()))
            .unwrap_or_default(),
        Message::binary
    );
}

pub fn yawc(listener: TcpListener) {
    use yawc::{Frame, Role, WebSocket};
    hall!(
        listener,
        stream,
        {
            let mut stream = stream;
            handshake(&mut stream, None).await?;
            let options = yawc_options().without_compression();
            WebSocket::from_stream(stream, Role::Server, options)?
        },
        Frame::into_payload,
        Frame::binary
    );
}

pub fn sockudo(listener: TcpListener) {
    use sockudo_ws::{Config, Error, Message, WebSocketStream};
    hall!(
        listener,
        stream,
        {
            let mut stream = stream;
            handshake(&mut stream, None).await?;
            WebSocketStream::server(stream, Config::default())
        },
        |message: Result<Message, Error>| message.map(Message::into_bytes).unwrap_or_default(),
        Message::Binary
    );
}

pub fn fastwebsockets(listener: TcpListener) {
    use fastwebsockets::{FragmentCollector, Frame, Payload, Role, WebSocket};
    let hall = Hall::<Bytes>::new();
    on_tokio(listener, move |mut stream| {
        let (is_first, line) = (hall.is_first(), hall.line.clone());
        async move {
            handshake(&mut stream, None).await?;
            let mut socket =
                FragmentCollector::new(WebSocket::after_handshake(stream, Role::Server));
            if is_first {
                loop {
                    let frame = socket.read_frame().await?;
                    let _ = line.send(Bytes::copy_from_slice(&frame.payload));
                }
            }
            let mut listening = line.subscribe();
            while let Ok(bytes) = listening.recv().await {
                socket.write_frame(Frame::binary(Payload::Borrowed(&bytes))).await?;
            }
            Ok::<_, Fault>(())
        }
    });
}
