//! A way through a proxy, on a stream to it.

use std::future::poll_fn;
use std::io;

use crate::client::proxy::{Proxy, ProxyKind};
use crate::event_loop::{Attempt, Endpoint, EventLoop, ProtocolMachine};
use crate::io::ByteStream;
use crate::io::Clock;
use tidegate_core::handshake::Limits;
use tidegate_core::handshake::proxy::{HttpConnect, ProxyError, ProxyRequestError, Socks5};

/// Why there is no way through.
#[derive(Debug)]
pub(crate) enum TunnelFault {
    Request(ProxyRequestError),
    Proxy(ProxyError),
    Io(io::Error),
}

/// Asks the proxy for a connection to this host and port. The stream leads there then.
pub(crate) async fn through<S: ByteStream, C: Clock>(
    stream: S,
    clock: C,
    proxy: &Proxy,
    (host, port): (&str, u16),
    limits: &Limits,
) -> Result<(S, C), TunnelFault> {
    let (now, credentials) = (clock.now(), proxy.credentials());
    match proxy.kind() {
        ProxyKind::Http => {
            let machine = HttpConnect::new(now, host, port, credentials, limits);
            open(stream, clock, machine.map_err(TunnelFault::Request)?).await
        }
        ProxyKind::Socks5 => {
            let machine = Socks5::new(now, host, port, credentials, limits);
            open(stream, clock, machine.map_err(TunnelFault::Request)?).await
        }
    }
}

async fn open<S: ByteStream, C: Clock, M: Way>(
    stream: S,
    clock: C,
    machine: M,
) -> Result<(S, C), TunnelFault> {
    let mut tunnel = Tunnel { endpoint: Endpoint::new(stream, clock), machine };
    poll_fn(|cx| {
        tunnel.poll_until(cx, |tunnel| {
            let Tunnel { endpoint, machine } = tunnel;
            let is_flushed = endpoint.is_flushed() && !machine.wants_output();
            let is_over = endpoint.stream.is_none() || machine.failure().is_some();
            if is_over || machine.is_open() && is_flushed {
                Attempt::Done(())
            } else {
                Attempt::Wait
            }
        })
    })
    .await;
    let Tunnel { endpoint, machine } = tunnel;
    match (endpoint.stream, machine.failure()) {
        // In TLS and in HTTP the client speaks first: what has come is nobody's.
        (Some(_), None) if machine.has_rest() => Err(TunnelFault::Proxy(ProxyError::EarlyData)),
        (Some(stream), None) => Ok((stream, endpoint.clock)),
        (_, Some(error)) if error != ProxyError::EndOfStream => Err(TunnelFault::Proxy(error)),
        _ => Err(match endpoint.fault {
            Some(fault) => TunnelFault::Io(fault),
            None => TunnelFault::Proxy(ProxyError::EndOfStream),
        }),
    }
}

/// A proxy's machine on a stream.
struct Tunnel<S, C, M> {
    endpoint: Endpoint<S, C>,
    machine: M,
}

impl<S: ByteStream, C: Clock, M: ProtocolMachine> EventLoop for Tunnel<S, C, M> {
    type Stream = S;
    type Clock = C;
    type Machine = M;

    fn parts(&mut self) -> (&mut Endpoint<S, C>, &mut M) {
        (&mut self.endpoint, &mut self.machine)
    }
}

/// What both machines tell.
trait Way: ProtocolMachine {
    fn is_open(&self) -> bool;
    fn failure(&self) -> Option<ProxyError>;
    fn has_rest(&self) -> bool;
}

macro_rules! ways {
    ($($machine:ty),+) => {$(
        impl Way for $machine {
            fn is_open(&self) -> bool {
                self.is_open()
            }
            fn failure(&self) -> Option<ProxyError> {
                self.failure().copied()
            }
            fn has_rest(&self) -> bool {
                !self.rest().is_empty()
            }
        }
    )+};
}
ways!(HttpConnect, Socks5);
