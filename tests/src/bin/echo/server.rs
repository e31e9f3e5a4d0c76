//! The echo loop, and the server that runs it.

use tidegate_core::handshake::Acceptance;
use tidegate_driver::{
    ByteStream, ClientInfo, Decision, Error, Network, Receiver, Sender, ServeOptions, WebSocket,
};

use crate::adapter::{Adapter, Outcome};
use crate::settings::Settings;

pub(crate) async fn serve<A: Adapter>(settings: Settings) -> Outcome {
    let options = ServeOptions::builder()
        .config(settings.config)
        .max_connections(None)
        .decide(whatever_is_asked_for)
        .build()?;
    A::serve(settings.target, options, settings.server_tls, settings.split).await
}

/// Accepts any subprotocol, since an echo does not interpret messages.
async fn whatever_is_asked_for(client: ClientInfo) -> Decision {
    match client.request().subprotocols().next() {
        Some(subprotocol) => Acceptance::new().subprotocol(subprotocol).into(),
        None => Acceptance::new().into(),
    }
}

/// Echoes until the connection ends. Most cases of a conformance suite end it with a violation.
pub(crate) async fn echo<A: Adapter, S: ByteStream + Send + 'static>(
    socket: WebSocket<S, <A::Network as Network>::Clock>,
    split: bool,
) -> Result<(), Error> {
    if split {
        let (sender, receiver) = A::split_spawn(socket);
        echo_split(sender, receiver).await
    } else {
        echo_undriven(socket).await
    }
}

async fn echo_undriven<S: ByteStream, C: tidegate_driver::Clock>(
    mut socket: WebSocket<S, C>,
) -> Result<(), Error> {
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
        // Echoes all messages of one read before one flush, as far as there is room.
        while let Some(message) = socket.try_recv() {
            socket.feed(message).await?;
        }
        socket.flush().await?;
    }
    Ok(())
}

async fn echo_split(sender: Sender, mut receiver: Receiver) -> Result<(), Error> {
    while let Some(message) = receiver.recv().await? {
        sender.send(message).await?;
    }
    Ok(())
}
