//! Writes the table of ends: runs each way to end over loopback sockets, in every form in which an
//! application meets it, and puts what it sees beside what tokio-tungstenite shows.
//!
//! `ends-table FILE` writes; `ends-table --check FILE` fails if the file is another one.

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

/// Runs something in a runtime, with a log, in a thread of its own for each.
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

/// A cell says what is in it, or that it is as in another column.
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
    text +=
        &row(&["end", "`recv`", "when", "`send` afterwards", "`send` alone", "and nothing taken"]);
    text += "|---|---|---|---|---|---|\n";
    for (index, (name, _)) in WAYS.iter().enumerate() {
        let Seen { end, when, send } = &recv[index];
        let alone = or_same(&alone[index], send, "`send` afterwards");
        let never = or_same(&never[index], send, "`send` afterwards");
        text += &row(&[name, end, when, send, &alone, &never]);
    }
    text += FORMS;
    text += &row(&[
        "end",
        "`Stream`",
        "`Receiver`",
        "`Sender` afterwards",
        "handler",
        "log of a server",
    ]);
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
    eprintln!("{path} is not what is seen today: tests/ends-table.sh writes it anew");
    ExitCode::FAILURE
}

const INTRODUCTION: &str = "\
# How it ends

What an application is told of each way to end, and when. This page is written by a program
(`tests/ends-table.sh`), from runs over loopback sockets; CI checks that it is what is seen today.

The peer sends one message and then ends in this way. The application takes the message, is busy for
a moment, and looks. An error is written as its variant, its text and that of its sources.
\"At once\" is when it looks. After an end `recv` gives `None`, unless the table says otherwise. `send`
alone is an application that takes the message and then only sends, and in the last column one that
does not even take the message: what comes after that has its turn behind it.

## A whole connection

";

const FORMS: &str = "
## The other forms

`Receiver` and `Sender` are those of a split connection. The handler is one of `serve`: it is the
server here, and returns the error that `recv` gives it.

";

const PEER: &str = "
## tokio-tungstenite 0.30, for comparison

It has no limits of time of its own, and no abort.

";

const OPENING: &str = "
## A request that is refused

";
