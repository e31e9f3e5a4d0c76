//! The echo servers of the peers, each as in the example of its documentation.

use std::net::TcpListener;

use futures_util::{SinkExt, StreamExt};
use tokio::io::BufReader;
use tokio::task::unconstrained;
use tokio_util::compat::TokioAsyncReadCompatExt;

use super::handshake::handshake;
use super::{Fault, on_tokio};

pub fn tungstenite(listener: TcpListener) {
    on_tokio(listener, |stream| async {
        let mut socket = tokio_tungstenite::accept_async(stream).await?;
        while let Some(message) = socket.next().await {
            let message = message?;
            if message.is_text() || message.is_binary() {
                socket.send(message).await?;
            }
        }
        Ok::<_, Fault>(())
    });
}

/// Its example switches tokio's budget off.
pub fn websockets(listener: TcpListener) {
    on_tokio(listener, |stream| {
        unconstrained(async {
            let limits = tokio_websockets::Limits::unlimited();
            let config = tokio_websockets::Config::default().frame_size(usize::MAX);
            let builder = tokio_websockets::ServerBuilder::new().config(config).limits(limits);
            let (_, mut socket) = builder.accept(stream).await?;
            while let Some(message) = socket.next().await {
                let message = message?;
                if message.is_text() || message.is_binary() {
                    socket.send(message).await?;
                }
            }
            Ok::<_, Fault>(())
        })
    });
}

/// With room for 1 MiB, which is slightly more than its default limit.
pub fn yawc_options() -> yawc::Options {
    yawc::Options::default().with_limits(4 << 20, 8 << 20).with_utf8().with_no_delay()
}

pub fn yawc(listener: TcpListener) {
    on_tokio(listener, |mut stream| async {
        handshake(&mut stream, None).await?;
        let options = yawc_options().without_compression();
        let mut socket = yawc::WebSocket::from_stream(stream, yawc::Role::Server, options)?;
        while let Ok(frame) = socket.next_frame().await {
            if !frame.opcode().is_control() {
                socket.send(frame).await?;
            }
        }
        Ok::<_, Fault>(())
    });
}

pub fn sockudo(listener: TcpListener) {
    on_tokio(listener, |mut stream| async {
        handshake(&mut stream, None).await?;
        let config = sockudo_ws::Config::default();
        let mut socket = sockudo_ws::WebSocketStream::server(stream, config);
        while let Some(message) = socket.next().await {
            let message = message?;
            if message.is_text() || message.is_binary() {
                socket.send(message).await?;
            }
        }
        Ok::<_, Fault>(())
    });
}

/// Its example switches tokio's budget off.
pub fn fastwebsockets(listener: TcpListener) {
    use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket};
    on_tokio(listener, |mut stream| {
        unconstrained(async {
            handshake(&mut stream, None).await?;
            let mut socket = WebSocket::after_handshake(stream, Role::Server);
            socket.set_writev(true);
            let mut socket = FragmentCollector::new(socket);
            loop {
                let frame = socket.read_frame().await?;
                match frame.opcode {
                    OpCode::Close => return Ok::<_, Fault>(()),
                    OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
                    _ => {}
                }
            }
        })
    });
}

pub fn wtx(listener: TcpListener) {
    use wtx::web_socket::{OpCode, WebSocket, WebSocketBuffer, WebSocketPayloadOrigin};
    on_tokio(listener, |mut stream| async {
        handshake(&mut stream, None).await?;
        let random = wtx::rng::Xorshift64::new(0x7449_6465);
        let mut socket =
            WebSocket::<_, _, _, _, false>::new((), false, random, stream, WebSocketBuffer::new());
        let (mut common, mut reader, mut writer) = socket.split_mut();
        let mut buffer = wtx::collection::Vector::new();
        loop {
            buffer.clear();
            let origin = WebSocketPayloadOrigin::Adaptive;
            let mut frame = reader.read_frame(&mut buffer, &mut common, origin).await?;
            match frame.op_code() {
                OpCode::Close => return Ok::<_, Fault>(()),
                OpCode::Text | OpCode::Binary => {
                    writer.write_frame(&mut common, &mut frame).await?;
                }
                _ => {}
            }
        }
    });
}

/// The application must answer pings.
pub fn web_socket(listener: TcpListener) {
    use web_socket::{Event, WebSocket};
    on_tokio(listener, |mut stream| async {
        handshake(&mut stream, None).await?;
        let mut socket = WebSocket::server(BufReader::with_capacity(64 << 10, stream));
        loop {
            match socket.recv_event().await? {
                Event::Data { data, .. } => socket.send(&data[..]).await?,
                Event::Ping(data) => socket.send_pong(data).await?,
                Event::Pong(_) => {}
                Event::Error(_) | Event::Close { .. } => return Ok::<_, Fault>(()),
            }
        }
    });
}

pub fn soketto(listener: TcpListener) {
    use ::soketto::handshake::Server;
    use ::soketto::handshake::server::Response;
    on_tokio(listener, |stream| async {
        let mut server = Server::new(stream.compat());
        let key = server.receive_request().await?.key();
        server.send_response(&Response::Accept { key, protocol: None }).await?;
        let (mut sender, mut receiver) = server.into_builder().finish();
        let mut message = Vec::new();
        loop {
            message.clear();
            if receiver.receive_data(&mut message).await?.is_binary() {
                sender.send_binary_mut(&mut message).await?;
            } else {
                sender.send_text(std::str::from_utf8(&message)?).await?;
            }
            sender.flush().await?;
        }
        #[allow(unreachable_code, reason = "it says what the block ends with")]
        Ok::<_, Fault>(())
    });
}
