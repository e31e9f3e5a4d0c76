//! Opens a WebSocket on a stream to a server.

use std::future::poll_fn;
use std::sync::Arc;

use crate::error::{EntropyError, Error};
use crate::event_loop::{Endpoint, EventLoop};
use crate::handshake::opening::{Opening, opening_error};
use crate::io::{ByteStream, Clock};
use crate::trace::{Span, within};
use crate::websocket::WebSocket;
use tidegate_core::Config;
use tidegate_core::handshake::{ClientHandshake, ClientRequest, Limits, Response};

/// Opens a WebSocket on a stream to a server: sends the request and checks the response. Offers
/// permessage-deflate if the configuration has options for it.
///
/// # Errors
///
/// [`Error::Handshake`]: the server refused, its response is not valid, or it took longer than the
/// limits allow. [`Error::Io`]: the transport failed. [`Error::Entropy`]: the operating system gave
/// no random numbers.
///
/// # Cancel safety
///
/// If the future is dropped, the stream is closed.
pub async fn client<S: ByteStream, C: Clock>(
    stream: S,
    clock: C,
    request: ClientRequest,
    limits: Limits,
    config: impl Into<Arc<Config>>,
) -> Result<WebSocket<S, C>, Error> {
    let span = Span::connect(request.host(), request.target());
    let opening = async {
        let opened = open(stream, clock, request, limits, config.into()).await;
        Span::opened(&opened);
        opened
    };
    within(span, Box::pin(opening)).await
}

async fn open<S: ByteStream, C: Clock>(
    stream: S,
    clock: C,
    request: ClientRequest,
    limits: Limits,
    config: Arc<Config>,
) -> Result<WebSocket<S, C>, Error> {
    #[cfg(feature = "deflate")]
    let request = match config.deflate() {
        Some(options) => {
            request.to_builder().deflate(options.offer()).build().map_err(Error::Request)?
        }
        None => request,
    };
    let mut seed = [0; 32];
    // The masking keys come from this seed too. They must be unpredictable for a page that chooses
    // what is sent (RFC 6455 §10.3).
    getrandom::fill(&mut seed).map_err(|error| Error::Entropy(EntropyError::new(error)))?;
    let handshake = ClientHandshake::new(clock.now(), request, limits, seed);
    let mut opening = Opening { endpoint: Endpoint::new(stream, clock), handshake };
    let is_open =
        poll_fn(|cx| opening.poll_until(cx, |opening| opening.decided(ClientHandshake::is_open)))
            .await;

    let Opening { endpoint, handshake } = opening;
    if !is_open {
        return Err(failed(&endpoint, &handshake));
    }
    let subprotocol = handshake.response().and_then(Response::subprotocol).map(String::from);
    match handshake.into_connection(endpoint.clock.now(), config) {
        Ok(connection) => {
            Ok(WebSocket::from_endpoint(endpoint, connection, subprotocol.as_deref()))
        }
        Err(handshake) => Err(failed(&endpoint, &handshake)),
    }
}

/// Why there is no connection, with the server's response if it sent one.
fn failed<S, C>(endpoint: &Endpoint<S, C>, handshake: &ClientHandshake) -> Error {
    opening_error(endpoint, handshake.failure(), handshake.response())
}
