//! Connects to a server through a proxy, on a stream to the proxy.

use std::future::poll_fn;

use crate::client::proxy::{Proxy, ProxyKind};
use crate::error::ConnectFault;
use crate::event_loop::{Attempt, Endpoint, EventLoop};
use crate::io::{ByteStream, Clock};
use tidegate_core::handshake::proxy::{HttpConnectSteps, ProxyError, ProxySteps, Socks5Steps};
use tidegate_core::handshake::{Handshake, Limits, Steps};

/// Asks the proxy for a connection to this host and port. The stream then leads there.
pub(crate) async fn open_tunnel<S: ByteStream, C: Clock>(
    stream: S,
    clock: C,
    proxy: &Proxy,
    target: (&str, u16),
    limits: &Limits,
) -> Result<(S, C), ConnectFault> {
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
) -> Result<(S, C), ConnectFault> {
    let machine = Handshake::<P>::new(clock.now(), host, port, proxy.credentials(), limits)
        .map_err(ConnectFault::ProxyRequest)?;
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
            Err(ConnectFault::Proxy(ProxyError::EarlyData))
        }
        (Some(stream), None) => Ok((stream, endpoint.clock)),
        (_, Some(error)) if error != ProxyError::EndOfStream => Err(ConnectFault::Proxy(error)),
        _ => Err(match endpoint.fault {
            Some(fault) => ConnectFault::Io(fault),
            None => ConnectFault::Proxy(ProxyError::EndOfStream),
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
