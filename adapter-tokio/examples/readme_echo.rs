//! The README's echo server as a complete program.
//!
//! `cargo run --release --example readme_echo -p tidegate-tokio [address]`
//!
//! It exists so that tests can run the code that the README shows. `echo_server` also closes its
//! connections when it ends, and for a deployed server `serve` does more.

use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(&address).await?;
    println!("ws://{}/", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            if let Err(error) = example(stream).await {
                eprintln!("{error}");
            }
        });
    }
}

async fn example(stream: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
    let incoming = tidegate_tokio::accept(stream).await?;
    if incoming.request().path() != "/chat" {
        incoming.reject(404, "there is only /chat").await?;
        return Ok(());
    }
    let mut socket = incoming.accept().await?;
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}
