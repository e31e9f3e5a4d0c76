//! Tidegate's echo servers as simple loops, and a raw TCP echo.

use std::cell::Cell;
use std::io::ErrorKind;
use std::net::TcpListener;

use tidegate_tokio::Error;
use tokio::io::AsyncWriteExt;

use super::on_tokio;

/// The two simple loops: write each answer before taking the next message, or write all answers to one
/// read together.
macro_rules! echo {
    ($socket:ident, $send:ident) => {
        while let Some(message) = $socket.recv().await? {
            $socket.$send(message).await?;
        }
    };
}

macro_rules! tokio_echo {
    ($name:ident, $send:ident) => {
        pub fn $name(listener: TcpListener) {
            on_tokio(listener, |stream| async {
                let mut socket = tidegate_tokio::accept(stream).await?.accept().await?;
                echo!(socket, $send);
                Ok::<_, Error>(())
            });
        }
    };
}
tokio_echo!(tokio_send, send);
tokio_echo!(tokio_feed, feed);

pub fn split(listener: TcpListener) {
    on_tokio(listener, |stream| async {
        let socket = tidegate_tokio::accept(stream).await?.accept().await?;
        let (sender, mut receiver) = tidegate_tokio::split_spawn(socket);
        while let Some(message) = receiver.recv().await? {
            sender.send(message).await?;
        }
        Ok::<_, Error>(())
    });
}

macro_rules! smol_echo {
    ($name:ident, $send:ident) => {
        pub fn $name(listener: TcpListener) {
            let executor = async_executor::LocalExecutor::new();
            async_io::block_on(executor.run(async {
                let listener = async_net::TcpListener::try_from(listener).expect("a listener");
                loop {
                    let Ok((stream, _)) = listener.accept().await else { continue };
                    let _ = stream.set_nodelay(true);
                    let task = async move {
                        let mut socket = tidegate_smol::accept(stream).await?.accept().await?;
                        echo!(socket, $send);
                        Ok::<_, tidegate_smol::Error>(())
                    };
                    executor.spawn(task).detach();
                }
            }));
        }
    };
}
smol_echo!(smol_send, send);
smol_echo!(smol_feed, feed);

macro_rules! async_std_echo {
    ($name:ident, $send:ident) => {
        pub fn $name(listener: TcpListener) {
            async_std::task::block_on(async {
                let listener = async_std::net::TcpListener::from(listener);
                loop {
                    let Ok((stream, _)) = listener.accept().await else { continue };
                    let _ = stream.set_nodelay(true);
                    let task = async move {
                        let mut socket = tidegate_async_std::accept(stream).await?.accept().await?;
                        echo!(socket, $send);
                        Ok::<_, tidegate_async_std::Error>(())
                    };
                    // One thread does all of the work: see where the process is started.
                    async_std::task::spawn(task);
                }
            });
        }
    };
}
async_std_echo!(async_std_send, send);
async_std_echo!(async_std_feed, feed);

/// One buffer for all connections, as in an epoll loop: the limit that no library can beat.
pub fn raw_tokio(listener: TcpListener) {
    on_tokio(listener, |mut stream| async move {
        loop {
            stream.readable().await?;
            let mut buffer = BUFFER.take();
            buffer.resize(64 << 10, 0);
            match stream.try_read(&mut buffer) {
                Ok(0) => return Ok::<_, std::io::Error>(()),
                Ok(length) => stream.write_all(&buffer[..length]).await?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            BUFFER.set(buffer);
        }
    });
}

pub fn raw_smol(listener: TcpListener) {
    use std::io::Read;

    use futures_lite::AsyncWriteExt;
    let executor = async_executor::LocalExecutor::new();
    async_io::block_on(executor.run(async {
        let listener = async_io::Async::new(listener).expect("a listener");
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { continue };
            let _ = stream.get_ref().set_nodelay(true);
            let task = async move {
                loop {
                    let mut buffer = BUFFER.take();
                    buffer.resize(64 << 10, 0);
                    match stream.get_ref().read(&mut buffer) {
                        Ok(length @ 1..) => {
                            if stream.write_all(&buffer[..length]).await.is_err() {
                                return;
                            }
                            BUFFER.set(buffer);
                        }
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {
                            BUFFER.set(buffer);
                            if stream.readable().await.is_err() {
                                return;
                            }
                        }
                        _ => return,
                    }
                }
            };
            executor.spawn(task).detach();
        }
    }));
}

std::thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}
