//! Writes docs/ends.md: runs each way in which a connection can end over loopback sockets, through
//! each API in which an application can see it, and compares the result with tokio-tungstenite's.
//!
//! `ends-table FILE` writes the file; `ends-table --check FILE` fails if its content differs.

mod log;
mod ours;
mod theirs;
mod ways;
mod when;

use std::process::ExitCode;
use std::thread;
use std::{env, fs};

use log::Log;
use ours::Seen;
use ways::{REFUSALS, WAYS, Way};

/// Calls `run` for each item in a separate thread, with a `tracing` log.
fn each<I: Copy + Send + 'static, T: Send + 'static>(
    of: &[I],
    run: impl Fn(I, &Log) -> T + Copy + Send + 'static,
) -> Vec<T> {
    let threads: Vec<_> = of
        .iter()
        .map(|of| {
            let of = *of;
            thread::spawn(move || {
                let log = Log::default();
                tracing::subscriber::with_default(log.clone(), || run(of, &log))
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().expect("it does not panic")).collect()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// The text of a cell, or "as NAME" if it equals the cell of that other column.
fn or_same(cell: &str, other: &str, name: &str) -> String {
    if cell == other { format!("as {name}") } else { cell.into() }
}

fn row(cells: &[&str]) -> String {
    let cells: Vec<_> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}

fn table() -> String {
    let all = WAYS.map(|(_, way)| way);
    let recv = each(&all, |way, _| block_on(ours::recv(way)));
    let stream = each(&all, |way, _| block_on(ours::stream(way)));
    let split = each(&all, |way, _| block_on(ours::split(way)));
    let alone = each(&all, |way, _| block_on(ours::send_alone(way, true)));
    let never = each(&all, |way, _| block_on(ours::send_alone(way, false)));
    let handler = each(&all, |way, log| block_on(ours::handler(way, log)));
    let theirs = each(&all, |way, _| block_on(theirs::receive(way)));
    let answers = REFUSALS.map(|(_, answer)| answer);
    let refused = each(&answers, |answer, _| block_on(ours::refused(answer)));
    let refused_theirs = each(&answers, |answer, _| block_on(theirs::refused(answer)));

    let mut text = INTRODUCTION.to_owned();
    text += &row(&[
        "end",
        "`recv`",
        "when",
        "`send` afterwards",
        "`send` alone",
        "`send` alone, nothing taken",
    ]);
    text += "|---|---|---|---|---|---|\n";
    for (index, (name, _)) in WAYS.iter().enumerate() {
        let Seen { end, when, send } = &recv[index];
        let alone = or_same(&alone[index], send, "`send` afterwards");
        let never = or_same(&never[index], send, "`send` afterwards");
        text += &row(&[name, end, when, send, &alone, &never]);
    }
    text += FORMS;
    text +=
        &row(&["end", "`Stream`", "`Receiver`", "`Sender` afterwards", "handler", "server log"]);
    text += "|---|---|---|---|---|---|\n";
    for (index, (name, _)) in WAYS.iter().enumerate() {
        let Seen { end, when, send } = &recv[index];
        let with_time = |seen: &Seen| {
            let text = or_same(&seen.end, end, "`recv`");
            if seen.when == *when { text } else { format!("{text} ({})", seen.when) }
        };
        let last = end.rsplit("; ").next().unwrap_or(end);
        let stream = &stream[index];
        let same = or_same(&stream.end, last, "`recv`");
        let same = if stream.when == *when { same } else { format!("{same} ({})", stream.when) };
        let sender = or_same(&split[index].send, send, "`send`");
        let (seen, lines) = &handler[index];
        let cells =
            [name, &*same, &with_time(&split[index]), &sender, &with_time(seen), &lines.join("; ")];
        text += &row(&cells);
    }
    text += PEER;
    text += &row(&["end", "`next`, and again", "when", "`send` afterwards"]);
    text += "|---|---|---|---|\n";
    for (index, (name, way)) in WAYS.iter().enumerate() {
        if *way != Way::Abort {
            let Seen { end, when, send } = &theirs[index];
            text += &row(&[name, end, when, send]);
        }
    }
    text += OPENING;
    text += &row(&["answer", "`connect`", "when", "tokio-tungstenite", "when"]);
    text += "|---|---|---|---|---|\n";
    for (index, (name, _)) in REFUSALS.iter().enumerate() {
        let (ours, theirs) = (&refused[index], &refused_theirs[index]);
        text += &row(&[name, &ours.end, ours.when, &theirs.end, theirs.when]);
    }
    text
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (is_check, path) = match &arguments[..] {
        [check, path] if check == "--check" => (true, path),
        [path] => (false, path),
        _ => {
            eprintln!("ends-table [--check] FILE");
            return ExitCode::FAILURE;
        }
    };
    let text = table();
    if !is_check {
        fs::write(path, text).expect("the file can be written");
        return ExitCode::SUCCESS;
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    if committed == text {
        return ExitCode::SUCCESS;
    }
    for (old, new) in committed.lines().zip(text.lines()).filter(|(old, new)| old != new) {
        eprintln!("- {old}\n+ {new}");
    }
    eprintln!("{path} is out of date: run tests/ends-table.sh to write it again");
    ExitCode::FAILURE
}

const INTRODUCTION: &str = "\
# How it ends

What an application sees for each way in which a connection can end, and when. A program writes this
page (`tests/ends-table.sh`) from runs over loopback sockets, and CI checks that it is up to date.

In each run the peer sends one message and then ends the connection in one way. The application takes
the message, is busy for a moment, and then calls `recv`; \"at once\" means that this call returns the
end. An error is shown as its variant, its text and the texts of its sources. After the end `recv`
returns `None`, unless the table says otherwise. In the column `send` alone the application takes the
message and then only sends. In the last column it does not even take the message, so everything
after that message waits for it.

## A whole connection

";

const FORMS: &str = "
## The other forms

`Receiver` and `Sender` belong to a split connection. The handler is one of `serve`, so here our side
is the server; the handler returns the error that `recv` gave it.

";

const PEER: &str = "
## tokio-tungstenite 0.30, for comparison

It has no time limits of its own, and no abort.

";

const OPENING: &str = "
## A request that is refused

";
