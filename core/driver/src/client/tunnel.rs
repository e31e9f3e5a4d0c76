//! Connects to a server through a proxy, on a stream to the proxy.

use std::future::poll_fn;
use std::io;

use crate::client::proxy::{Proxy, ProxyKind};
use crate::event_loop::{Attempt, Endpoint, EventLoop};
use crate::io::ByteStream;
use crate::io::Clock;
use tidegate_core::handshake::proxy::{
    HttpConnectSteps, ProxyError, ProxyRequestError, ProxySteps, Socks5Steps,
};
use tidegate_core::handshake::{Handshake, Limits, Steps};

/// Why the proxy does not connect.
#[derive(Debug)]
pub(crate) enum TunnelFault {
    Request(ProxyRequestError),
    Proxy(ProxyError),
    Io(io::Error),
}

/// Asks the proxy for a connection to this host and port. The stream then leads there.
pub(crate) async fn through<S: ByteStream, C: Clock>(
    stream: S,
    clock: C,
    proxy: &Proxy,
    target: (&str, u16),
    limits: &Limits,
) -> Result<(S, C), TunnelFault> {
    match proxy.kind() {
        ProxyKind::Http => {
            open::<S, C, HttpConnectSteps>(stream, clock, proxy, target, limits).await
        }
        ProxyKind::Socks5 => open::<S, C, Socks5Steps>(stream, clock, proxy, target, limits).await,
    }
}

async fn open<S: ByteStream, C: Clock, P: ProxySteps>(
    stream: S,
    clock: C,
    proxy: &Proxy,
    (host, port): (&str, u16),
    limits: &Limits,
) -> Result<(S, C), TunnelFault> {
    let machine = Handshake::<P>::new(clock.now(), host, port, proxy.credentials(), limits)
        .map_err(TunnelFault::Request)?;
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
    match (endpoint.stream, machine.failure().copied()) {
        // In TLS and in HTTP the client speaks first, so the server cannot have sent these bytes.
        (Some(_), None) if !machine.rest().is_empty() => {
            Err(TunnelFault::Proxy(ProxyError::EarlyData))
        }
        (Some(stream), None) => Ok((stream, endpoint.clock)),
        (_, Some(error)) if error != ProxyError::EndOfStream => Err(TunnelFault::Proxy(error)),
        _ => Err(match endpoint.fault {
            Some(fault) => TunnelFault::Io(fault),
            None => TunnelFault::Proxy(ProxyError::EndOfStream),
        }),
    }
}

/// The handshake with a proxy, on a stream to it.
struct Tunnel<S, C, P> {
    endpoint: Endpoint<S, C>,
    machine: Handshake<P>,
}

impl<S: ByteStream, C: Clock, P: Steps> EventLoop for Tunnel<S, C, P> {
    type Stream = S;
    type Clock = C;
    type Machine = Handshake<P>;

    fn parts(&mut self) -> (&mut Endpoint<S, C>, &mut Handshake<P>) {
        (&mut self.endpoint, &mut self.machine)
    }
}
