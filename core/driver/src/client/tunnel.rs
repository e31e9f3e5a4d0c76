//! Opening a tunnel through a proxy: HTTP CONNECT or SOCKS5, on a stream to the proxy.

use std::future::poll_fn;

use crate::client::proxy::{Proxy, ProxyKind};
use crate::error::ConnectFault;
use crate::event_loop::{Attempt, Endpoint, EventLoop, ProtocolMachine};
use crate::io::{ByteStream, Clock};
use tidegate_core::handshake::Limits;
use tidegate_core::handshake::proxy::{HttpConnect, ProxyError, Socks5};

/// Asks the proxy to connect to this host and port. Returns the stream, which leads to that host from
/// then on.
pub(crate) async fn open_tunnel<S: ByteStream, C: Clock>(
    stream: S,
    clock: C,
    proxy: &Proxy,
    (host, port): (&str, u16),
    limits: &Limits,
) -> Result<(S, C), ConnectFault> {
    let (now, credentials) = (clock.now(), proxy.credentials());
    match proxy.kind() {
        ProxyKind::Http => {
            let machine = HttpConnect::new(now, host, port, credentials, limits);
            run(stream, clock, machine.map_err(ConnectFault::ProxyRequest)?).await
        }
        ProxyKind::Socks5 => {
            let machine = Socks5::new(now, host, port, credentials, limits);
            run(stream, clock, machine.map_err(ConnectFault::ProxyRequest)?).await
        }
    }
}

async fn run<S: ByteStream, C: Clock, M: ProxyMachine>(
    stream: S,
    clock: C,
    machine: M,
) -> Result<(S, C), ConnectFault> {
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
        // In TLS and in HTTP the client speaks first, so these bytes cannot be from the server.
        (Some(_), None) if machine.has_rest() => Err(ConnectFault::Proxy(ProxyError::EarlyData)),
        (Some(stream), None) => Ok((stream, endpoint.clock)),
        (_, Some(error)) if error != ProxyError::EndOfStream => Err(ConnectFault::Proxy(error)),
        _ => Err(match endpoint.fault {
            Some(fault) => ConnectFault::Io(fault),
            None => ConnectFault::Proxy(ProxyError::EndOfStream),
        }),
    }
}

/// The protocol of a proxy on a stream.
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

/// What the two proxy protocols have in common.
trait ProxyMachine: ProtocolMachine {
    fn is_open(&self) -> bool;
    fn failure(&self) -> Option<ProxyError>;
    fn has_rest(&self) -> bool;
}

macro_rules! proxy_machines {
    ($($machine:ty),+) => {$(
        impl ProxyMachine for $machine {
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
proxy_machines!(HttpConnect, Socks5);
