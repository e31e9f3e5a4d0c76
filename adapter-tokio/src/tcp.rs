//! Outgoing TCP connections of tokio.

use core::net::{IpAddr, SocketAddr};
use std::io::Result;

use tokio::net::{TcpSocket, TcpStream};

/// Connects to `address`, from the local address `bind` if there is one.
pub(crate) async fn connect(address: SocketAddr, bind: Option<IpAddr>) -> Result<TcpStream> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    if let Some(local) = bind {
        socket.bind(SocketAddr::new(local, 0))?;
    }
    socket.connect(address).await
}
