//! TLS listeners: half a TLS hello counts as a silent client.

use core::pin::Pin;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, mpsc};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use tidegate_driver::{Counters, Listener, Remote, ServeOptions, ServerHandle};
use tidegate_tests::ends::{client_tls, server_tls};

use crate::crowded::are_served;
use crate::{Adapter, Behaviour, LONG, Running, handle};

/// A listener that accepts TLS streams.
struct Tls<L>(L);

macro_rules! adapters {
    ($($name:ident: $adapter:ident, $runtime:ident, $rustls:ident, $stream:ident, $block_on:expr,
       $from:expr;)+) => {$(
        struct $name;

        impl Adapter for $name {
            fn spawn(task: impl Future<Output = ()> + Send + 'static) {
                crate::adapters::$name::spawn(task);
            }

            fn serve(
                listener: TcpListener,
                _: Vec<i32>,
                options: ServeOptions,
                behaviour: Behaviour,
                started: mpsc::Sender<ServerHandle>,
            ) -> Counters {
                $block_on(async {
                    let listener = Tls::<$runtime::net::TcpListener>($from(listener).unwrap());
                    let server = $adapter::serve_on(listener, options, move |socket, client| {
                        handle::<Self, _, _>(socket, client, behaviour)
                    });
                    started.send(server.handle()).unwrap();
                    server.await
                })
            }
        }

        impl Listener for Tls<$runtime::net::TcpListener> {
            type Stream =
                $adapter::$stream<$adapter::$rustls::server::TlsStream<$runtime::net::TcpStream>>;
            type Opening = Pin<Box<dyn Future<Output = io::Result<Self::Stream>> + Send>>;

            async fn accept(&mut self) -> io::Result<(Self::Opening, Remote)> {
                let (stream, address) = self.0.accept().await?;
                let accepting = $adapter::$rustls::TlsAcceptor::from(server_tls()).accept(stream);
                let opening = async move { Ok($adapter::$stream::new(accepting.await?)) };
                Ok((Box::pin(opening), Remote::Ip(address)))
            }
        }
    )+};
}
adapters! {
    Tokio: tidegate_tokio, tokio, tokio_rustls, TokioStream, crate::adapters::tokio_block_on,
        tokio::net::TcpListener::from_std;
    Smol: tidegate_smol, smol, futures_rustls, FuturesStream, smol::block_on,
        smol::net::TcpListener::try_from;
    AsyncStd: tidegate_async_std, async_std, futures_rustls, AsyncStdStream,
        async_std::task::block_on,
        |listener| io::Result::Ok(async_std::net::TcpListener::from(listener));
}

/// The start of a record with a client hello.
const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01";

fn half_a_tls_hello_is_dropped<A: Adapter>() {
    let options = ServeOptions::builder().max_handshakes(96).build().unwrap();
    are_served::<A>(options, HALF_A_HELLO, |server: &Running| {
        let stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let client = ClientConnection::new(Arc::clone(&client_tls()), name).unwrap();
        let mut stream = StreamOwned::new(client, stream);
        stream
            .write_all(
                b"GET / HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
            )
            .unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        assert_eq!(&head, b"HTTP/1.1 101");
    });
}

#[test]
fn tokio() {
    half_a_tls_hello_is_dropped::<Tokio>();
}

#[test]
fn smol() {
    half_a_tls_hello_is_dropped::<Smol>();
}

#[test]
fn async_std() {
    half_a_tls_hello_is_dropped::<AsyncStd>();
}
