//! The client that the Autobahn testsuite talks to: asks for the number of cases, and in each one
//! echoes every message until the connection ends, in whatever way.
//!
//! `cargo run --release --example autobahn_client -p tidegate-tokio --features deflate ws://127.0.0.1:9001`

use std::error::Error;
use std::sync::Arc;

use tidegate_tokio::{CloseCode, Config, Options, connect_with};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:9001".into());
    let url = url.trim_end_matches('/');
    let agent = std::env::var("AUTOBAHN_AGENT").unwrap_or_else(|_| "tidegate-tokio".into());
    let config = Config::builder().max_message_size(16 * 1024 * 1024);
    #[cfg(feature = "deflate")]
    let config = config.deflate(tidegate_tokio::deflate::DeflateOptions::default());
    let options = Options::new().config(Arc::new(config.build()?));

    let mut socket = connect_with(&format!("{url}/getCaseCount"), options.clone()).await?;
    let count = socket.recv().await?.ok_or("the suite sent no number of cases")?;
    let count: u32 = count.as_text().ok_or("the number of cases is not text")?.parse()?;
    socket.close(CloseCode::NORMAL, "").await?;

    for case in 1..=count {
        let address = format!("{url}/runCase?case={case}&agent={agent}");
        if let Err(error) = echo(&address, options.clone()).await {
            println!("case {case}: {error}"); // many cases end this way, and should
        }
    }
    let mut socket =
        connect_with(&format!("{url}/updateReports?agent={agent}"), options.clone()).await?;
    socket.close(CloseCode::NORMAL, "").await?;
    println!("{count} cases");
    Ok(())
}

async fn echo(url: &str, options: Options) -> Result<(), tidegate_tokio::Error> {
    let mut socket = connect_with(url, options).await?;
    while let Some(message) = socket.recv().await? {
        socket.feed(message).await?;
        // What came at once goes back at once.
        while let Some(message) = socket.try_recv() {
            socket.feed(message).await?;
        }
        socket.flush().await?;
    }
    Ok(())
}
