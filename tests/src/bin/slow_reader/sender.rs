//! The sending process: sends numbered messages as fast as it can, and regular pings.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use tidegate_core::{CloseCode, Config};
use tidegate_tests::ends::{Adapter, either, take};

use crate::Result;

/// The size of a message in bytes.
pub(crate) const SIZE: usize = 64 * 1024;

/// The pause between a pong and the next ping.
const PAUSE: Duration = Duration::from_millis(50);

/// Builds a message: its number, repeated.
pub(crate) fn message(number: u64) -> Vec<u8> {
    number.to_be_bytes().repeat(SIZE / 8)
}

/// The sender's report at the end.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) sent: u64,
    pub(crate) pongs: u64,
    /// The longest call that waited to send.
    pub(crate) longest_block: Duration,
    /// The longest time from a ping to its pong.
    pub(crate) longest_pong: Duration,
}

/// Serves one connection until standard input ends, and prints a report.
pub(crate) async fn run<A: Adapter>() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let is_over = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&is_over);
    thread::spawn(move || {
        // Ends with the reader, in whatever way the reader ends.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        flag.store(true, Ordering::Relaxed);
    });
    let socket = A::accept(take::<A>(&listener).await, Config::default()).await?;
    let (sender, receiver) = A::split_spawn(socket);
    let mut report = Report::default();
    let sending = async {
        while !is_over.load(Ordering::Relaxed) {
            let begun = Instant::now();
            sender.send(message(report.sent)).await?;
            report.longest_block = report.longest_block.max(begun.elapsed());
            report.sent += 1;
        }
        sender.close(CloseCode::NORMAL, "that was all").await
    };
    let pinging = async {
        loop {
            if let Ok(Some(time)) = sender.ping().await {
                report.longest_pong = report.longest_pong.max(time);
            }
            A::sleep(PAUSE).await;
        }
    };
    either(sending, async {
        pinging.await;
    })
    .await;
    report.pongs = sender.stats().pongs_in;
    drop(receiver);
    let Report { sent, pongs, longest_block, longest_pong } = report;
    println!("{sent} {pongs} {} {}", longest_block.as_millis(), longest_pong.as_millis());
    Ok(())
}

/// A handle to the sending process.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    pub(crate) address: SocketAddr,
}

impl Child {
    /// Starts the sending process.
    pub(crate) fn spawn(adapter: &str) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--sender", "--adapter", adapter])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = process.stdin.take();
        let output = process.stdout.take().ok_or("the sender has no output")?;
        let mut output = BufReader::new(output);
        let mut line = String::new();
        output.read_line(&mut line)?;
        Ok(Self { process, input, output, address: line.trim().parse()? })
    }

    /// Tells it to stop sending.
    pub(crate) fn end(&mut self) {
        self.input = None;
    }

    /// Waits for its report.
    pub(crate) fn report(&mut self) -> Result<Report> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let numbers: Vec<u64> =
            line.split_whitespace().map(str::parse).collect::<core::result::Result<_, _>>()?;
        let [sent, pongs, block, pong] = numbers[..] else {
            return Err("the sender tells nothing".into());
        };
        Ok(Report {
            sent,
            pongs,
            longest_block: Duration::from_millis(block),
            longest_pong: Duration::from_millis(pong),
        })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
        // It has ended, or should end now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
