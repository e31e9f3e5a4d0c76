//! The peers with manual batches: all messages that have arrived, at most 32, are answered before one
//! flush. yawc gets the buffer sizes that its documentation recommends.

use std::net::TcpListener;

use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::task::unconstrained;

use super::handshake::handshake;
use super::peers::yawc_options;
use super::{Fault, on_tokio};

macro_rules! echo_batches {
    ($socket:ident, $is_data:expr) => {
        while let Some(message) = $socket.next().await {
            let mut next = Some(message?);
            let mut batch = 0;
            while let Some(message) = next.take() {
                if $is_data(&message) {
                    $socket.feed(message).await?;
                }
                batch += 1;
                if batch < 32
                    && let Some(Some(message)) = $socket.next().now_or_never()
                {
                    next = Some(message?);
                }
            }
            $socket.flush().await?;
        }
    };
}

pub fn tungstenite(listener: TcpListener) {
    use tokio_tungstenite::tungstenite::Message;
    on_tokio(listener, |stream| async {
        let mut socket = tokio_tungstenite::accept_async(stream).await?;
        echo_batches!(socket, |message: &Message| message.is_text() || message.is_binary());
        Ok::<_, Fault>(())
    });
}

pub fn websockets(listener: TcpListener) {
    use tokio_websockets::{Config, Limits, Message, ServerBuilder};
    on_tokio(listener, |stream| {
        unconstrained(async {
            let config = Config::default().frame_size(usize::MAX);
            let builder = ServerBuilder::new().config(config).limits(Limits::unlimited());
            let (_, mut socket) = builder.accept(stream).await?;
            echo_batches!(socket, |message: &Message| message.is_text() || message.is_binary());
            Ok::<_, Fault>(())
        })
    });
}

pub fn yawc(listener: TcpListener) {
    on_tokio(listener, |mut stream| async {
        handshake(&mut stream, None).await?;
        let options = yawc_options()
            .without_compression()
            .with_read_buffer_capacity(128 << 10)
            .with_backpressure_boundary(64 << 10);
        let mut socket = yawc::WebSocket::from_stream(stream, yawc::Role::Server, options)?
            .map(Ok::<yawc::Frame, Fault>);
        echo_batches!(socket, |frame: &yawc::Frame| !frame.opcode().is_control());
        Ok::<_, Fault>(())
    });
}

pub fn sockudo(listener: TcpListener) {
    use sockudo_ws::{Config, Message, WebSocketStream};
    on_tokio(listener, |mut stream| async {
        handshake(&mut stream, None).await?;
        let mut socket = WebSocketStream::server(stream, Config::default());
        echo_batches!(socket, |message: &Message| message.is_text() || message.is_binary());
        Ok::<_, Fault>(())
    });
}
