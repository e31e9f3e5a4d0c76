//! A chat server: each line goes to all users. Ctrl-C ends it.
//!
//! `cargo run --example chat -p tidegate-tokio [address]`, and in another terminal for each user:
//! `cargo run --example client -p tidegate-tokio ws://127.0.0.1:9001/anna`
//!
//! The path is the user's name. A line is encoded once, and sent to all without a copy. A user who
//! does not read (stop a client with Ctrl-Z, and send a lot) misses lines, and is told how many.
//! Nobody else notices, and the server's memory for the slow user is bounded by the outbox.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_tokio::{
    CloseCode, Error, Message, Outcome, Prepared, Sender, Slow, broadcast, split_spawn,
};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:9001".into());
    let listener = TcpListener::bind(&address).await?;
    println!("ws://{}/", listener.local_addr()?);
    let room = Arc::new(Room::default());
    for number in 1.. {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let room = Arc::clone(&room);
                    tokio::spawn(async move {
                        if let Err(error) = room.attend(number, stream).await {
                            eprintln!("{error}");
                        }
                    });
                }
                Err(error) => eprintln!("accept: {error}"),
            },
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                break;
            }
        }
    }
    room.close().await;
    Ok(())
}

/// The connected users.
#[derive(Default)]
struct Room(Mutex<BTreeMap<u64, Member>>);

struct Member {
    name: String,
    sender: Sender,
    /// Missed lines that the user was not yet told about.
    missed: usize,
}

impl Room {
    /// Serves one connection from the opening handshake to its end.
    async fn attend(&self, number: u64, stream: TcpStream) -> Result<(), Error> {
        stream.set_nodelay(true)?;
        let incoming = tidegate_tokio::accept(stream).await?;
        let name = match incoming.request().path().trim_start_matches('/') {
            "" => format!("guest {number}"),
            name => name.into(),
        };
        let (sender, mut receiver) = split_spawn(incoming.accept().await?);
        let member = Member { name: name.clone(), sender, missed: 0 };
        self.members(|members| members.insert(number, member));
        self.say(&format!("* {name} has come"));
        let ended = loop {
            match receiver.recv().await {
                Ok(Some(Message::Text(line))) => self.say(&format!("{name}: {line}")),
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.members(|members| members.remove(&number));
        self.say(&format!("* {name} has gone"));
        ended
    }

    /// Sends a line to all users without waiting.
    fn say(&self, line: &str) {
        println!("{line}");
        let line = Prepared::new(line);
        self.members(|members| {
            // Under the lock, so that all users get all lines in the same order.
            let senders = members.values().map(|member| &member.sender);
            let outcomes = broadcast(senders, &line, Slow::Skip);
            for (member, outcome) in members.values_mut().zip(outcomes) {
                if outcome == Outcome::Skipped {
                    member.missed += 1;
                } else if member.missed > 0 {
                    member.tell_what_was_missed();
                }
            }
        });
    }

    /// Closes all connections.
    async fn close(&self) {
        let members = self.members(core::mem::take);
        for Member { sender, .. } in members.into_values() {
            let _ = sender.begin_close(CloseCode::GOING_AWAY, "the chat is over");
            let _ = sender.flush().await;
        }
    }

    fn members<T>(&self, change: impl FnOnce(&mut BTreeMap<u64, Member>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Member {
    fn tell_what_was_missed(&mut self) {
        let Self { name, sender, missed } = self;
        if sender.try_send(format!("* you have missed {missed} lines")).is_ok() {
            println!("* {name} has missed {missed} lines");
            *missed = 0;
        }
    }
}
