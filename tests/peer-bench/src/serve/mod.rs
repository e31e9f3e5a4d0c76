//! The servers under test, each in a separate process with one thread.

mod batch;
mod broadcast;
mod compressed;
mod handshake;
mod ours;
mod peers;
mod python;

pub use self::peers::yawc_options;

use std::error::Error;
use std::future::Future;
use std::net::TcpListener;

use tokio::net::TcpStream;

use crate::table::Group;

/// The name of a server, and the function that runs it.
pub struct Server {
    pub name: &'static str,
    pub group: Group,
    /// Without an opening handshake.
    pub is_raw: bool,
    /// The Python package that it needs.
    package: Option<&'static str>,
    run: fn(TcpListener),
}

impl Server {
    const fn new(name: &'static str, group: Group, run: fn(TcpListener)) -> Self {
        Self { name, group, is_raw: false, package: None, run }
    }

    const fn python(name: &'static str, package: &'static str, run: fn(TcpListener)) -> Self {
        Self { name, group: Group::Peer, is_raw: false, package: Some(package), run }
    }

    const fn raw(name: &'static str, run: fn(TcpListener)) -> Self {
        Self { name, group: Group::Limit, is_raw: true, package: None, run }
    }

    /// Whether it can run here.
    pub fn is_installed(&self) -> bool {
        self.package.is_none_or(python::has)
    }
}

/// Echo, uncompressed.
pub const ECHO: &[Server] = &[
    Server::new("tidegate tokio, send", Group::Ours, ours::tokio_send),
    Server::new("tidegate tokio, feed", Group::Ours, ours::tokio_feed),
    Server::new("tidegate tokio, split", Group::Ours, ours::split),
    Server::new("tidegate smol, send", Group::Ours, ours::smol_send),
    Server::new("tidegate smol, feed", Group::Ours, ours::smol_feed),
    Server::new("tidegate async-std, send", Group::Ours, ours::async_std_send),
    Server::new("tidegate async-std, feed", Group::Ours, ours::async_std_feed),
    Server::new("tokio-tungstenite", Group::Peer, peers::tungstenite),
    Server::new("tokio-tungstenite, batches", Group::Peer, batch::tungstenite),
    Server::new("tokio-websockets", Group::Peer, peers::websockets),
    Server::new("tokio-websockets, batches", Group::Peer, batch::websockets),
    Server::new("yawc", Group::Peer, peers::yawc),
    Server::new("yawc, batches", Group::Peer, batch::yawc),
    Server::new("sockudo-ws", Group::Peer, peers::sockudo),
    Server::new("sockudo-ws, batches", Group::Peer, batch::sockudo),
    Server::new("fastwebsockets", Group::Peer, peers::fastwebsockets),
    Server::new("wtx", Group::Peer, peers::wtx),
    Server::new("web-socket", Group::Peer, peers::web_socket),
    Server::new("soketto", Group::Peer, peers::soketto),
    Server::python("python websockets", python::WEBSOCKETS, python::websockets),
    Server::python("python picows", python::PICOWS, python::picows),
    Server::raw("limit: raw TCP, tokio", ours::raw_tokio),
    Server::raw("limit: raw TCP, smol", ours::raw_smol),
];

/// Echo with permessage-deflate: with a client that offers it without parameters, and with one that
/// asks for no context takeover in both directions.
pub const COMPRESSED: &[Server] = &[
    Server::new("tidegate tokio, level 1, send", Group::Ours, compressed::tidegate_1),
    Server::new("tidegate tokio, level 3, send", Group::Ours, compressed::tidegate_3),
    Server::new("tidegate tokio, level 3, feed", Group::Ours, compressed::tidegate_3_feed),
    Server::new("tidegate tokio, level 6, send", Group::Ours, compressed::tidegate_6),
    Server::new("yawc", Group::Peer, compressed::yawc),
    Server::new("sockudo-ws", Group::Peer, compressed::sockudo),
    Server::new("sockudo-ws, shared", Group::Peer, compressed::sockudo_shared),
];

/// The first connection sends, all others receive.
pub const BROADCAST: &[Server] = &[
    Server::new("tidegate tokio, broadcast()", Group::Ours, broadcast::tidegate),
    Server::new("tidegate tokio, a task each", Group::Ours, broadcast::tidegate_tasks),
    Server::new("tokio-tungstenite", Group::Peer, broadcast::tungstenite),
    Server::new("tokio-websockets", Group::Peer, broadcast::websockets),
    Server::new("yawc", Group::Peer, broadcast::yawc),
    Server::new("sockudo-ws", Group::Peer, broadcast::sockudo),
    Server::new("fastwebsockets", Group::Peer, broadcast::fastwebsockets),
];

/// Runs a server until the process is killed. Prints the address where it listens.
pub fn serve(list: &str, name: &str) -> Result<(), Box<dyn Error>> {
    let servers = match list {
        "echo" => ECHO,
        "compressed" => COMPRESSED,
        "broadcast" => BROADCAST,
        _ => return Err("no such list".into()),
    };
    let server = servers.iter().find(|server| server.name == name).ok_or("no such server")?;
    let listener = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    listener.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>()?.into())?;
    listener.listen(4096)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from(listener);
    println!("{}", listener.local_addr()?);
    (server.run)(listener);
    Ok(())
}

/// One tokio thread, a task for each connection. An error ends only its own connection.
fn on_tokio<F, E>(listener: TcpListener, handle: impl Fn(TcpStream) -> F)
where
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            // Spawned directly: a future around it would hold it twice.
            tokio::spawn(handle(stream));
        }
    });
}

type Fault = Box<dyn Error + Send + Sync>;
