//! A client for the terminal: sends each line, and prints each message. Ctrl-D closes.
//!
//! `cargo run --example client -p tidegate-tokio [url]`

use std::process::ExitCode;

use tidegate_tokio::{ClientSocket, CloseCode, Closed, Error, Message};
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let url = std::env::args().nth(1).unwrap_or_else(|| "ws://127.0.0.1:9001/".into());
    let result = match tidegate_tokio::connect(&url).await {
        Ok(socket) => {
            eprintln!("connected to {url}; Ctrl-D closes");
            talk(socket).await
        }
        Err(error) => Err(error),
    };
    // Standard input is read in a separate thread, which ends only with the process.
    match result {
        Ok(()) => std::process::exit(0),
        Err(Error::Handshake { error, response, .. }) => {
            eprintln!("{error}");
            if let Some(response) = response {
                eprintln!("{} {}", response.status(), response.reason());
                eprintln!("{}", String::from_utf8_lossy(response.body()));
            }
        }
        Err(error) => eprintln!("{error}"),
    }
    std::process::exit(1)
}

async fn talk(mut socket: ClientSocket) -> Result<(), Error> {
    let mut lines = BufReader::new(stdin()).lines();
    loop {
        tokio::select! {
            message = socket.recv() => match message {
                Ok(Some(message)) => show(&message),
                Ok(None) => {
                    if let Some(closed) = socket.closed() {
                        say("closed by the server", closed);
                    }
                    return Ok(());
                }
                Err(error) => return Err(error),
            },
            line = lines.next_line() => match line? {
                Some(line) => socket.send(line).await?,
                None => {
                    say("closed", &socket.close(CloseCode::NORMAL, "").await?);
                    return Ok(());
                }
            },
        }
    }
}

fn show(message: &Message) {
    match message.as_text() {
        Some(text) => println!("{text}"),
        None => println!("({} bytes) {:02x?}", message.len(), message.as_bytes()),
    }
}

fn say(what: &str, closed: &Closed) {
    eprintln!("{what}: {} {}", closed.code(), closed.reason());
}
