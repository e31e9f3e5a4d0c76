//! Timers and outgoing connections of `async-io`, on which smol and async-std both run.

use std::io::{Error, Result};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use async_io::Async;
use socket2::{Domain, Protocol, Socket, Type};

use crate::io::clock::Timer;

/// A timer of `async-io`.
#[derive(Debug)]
pub struct AsyncIoTimer {
    // `async_io::Timer` does not tell when it fires.
    deadline: Instant,
    timer: async_io::Timer,
}

impl Timer for AsyncIoTimer {
    #[allow(clippy::disallowed_methods, reason = "all other code gets the time from here")]
    fn now() -> Instant {
        Instant::now()
    }

    fn at(deadline: Instant) -> Self {
        Self { deadline, timer: async_io::Timer::at(deadline) }
    }

    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn reset(&mut self, deadline: Instant) {
        self.deadline = deadline;
        self.timer.set_at(deadline);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(Pin::new(&mut self.timer).poll(cx));
        Poll::Ready(())
    }
}

/// Connects to `address`, from the local address `bind` if there is one.
///
/// # Errors
///
/// The local address cannot be bound to, or the connection cannot be made.
///
/// # Cancel safety
///
/// If the future is dropped, the socket is closed.
pub async fn connect_async_io(
    address: SocketAddr,
    bind: Option<IpAddr>,
) -> Result<Async<TcpStream>> {
    // `async-io` itself cannot connect from a given address.
    let Some(local) = bind else { return Async::<TcpStream>::connect(address).await };
    let (stream, started) = start_connecting(address, local)?;
    let stream = Async::new_nonblocking(stream)?;
    stream.writable().await?;
    finish_connecting(stream.get_ref(), started)?;
    Ok(stream)
}

/// Starts to connect. The second part of the result is the system's answer, usually an error that
/// means "in progress". Which error that is differs between systems, so it is kept until
/// [`finish_connecting`] knows better.
fn start_connecting(address: SocketAddr, local: IpAddr) -> Result<(TcpStream, Option<Error>)> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::new(local, 0).into())?;
    socket.set_nonblocking(true)?;
    let started = socket.connect(&address.into()).err();
    Ok((socket.into(), started))
}

/// Finds out whether a stream that has become writable is connected: then it has the address of a
/// peer. Otherwise the stream's own error is the reason, or else the one that it started with.
fn finish_connecting(stream: &TcpStream, started: Option<Error>) -> Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match (stream.peer_addr(), started) {
        (Ok(_), _) => Ok(()),
        (Err(_), Some(error)) | (Err(error), None) => Err(error),
    }
}
