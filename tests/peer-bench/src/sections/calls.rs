//! System calls for each message echoed, as strace counts them.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use crate::frames::Kind;
use crate::load::{Load, Process, Script};
use crate::options::Options;
use crate::serve::ECHO;
use crate::table::{Cell, Table, size_name};

pub fn calls(options: &Options) -> io::Result<Vec<Table>> {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        println!("no strace here: system calls are not counted");
        return Ok(Vec::new());
    }
    let mut table = Table::new(
        "calls",
        "System calls for each message echoed",
        "reads, writes, others",
        "tidegate tokio, send",
    );
    table.headlines.push("tidegate tokio, feed");
    let shapes = [(1, 1, 16), (64, 32, 16), (1, 1, 1 << 20)];
    for (connections, depth, size) in shapes {
        let script = Script::repeated(&Kind::Binary.frame(size), depth);
        let shape = format!("{} × {connections}, depth {depth}", size_name(size));
        for kind in ["reads", "writes", "others"] {
            table.column(format!("{shape}: {kind}"));
        }
        for server in
            ECHO.iter().filter(|server| options.wants_row(server.name) && server.is_installed())
        {
            let process = Process::start("echo", server.name)?;
            let mut load = Load::open(process.address, connections, server.opening())?;
            let warm_up = Duration::from_millis(30);
            load.echo(&script, depth, warm_up, warm_up, || {})?;
            // Messages still in flight come back before counting begins.
            sleep(Duration::from_millis(100));
            let mut load = Load::open(process.address, connections, server.opening())?;
            let output = std::env::temp_dir().join(format!("peer-bench-calls-{}", process.id()));
            let tracer = trace(process.id(), &output)?;
            let duration = Duration::from_millis(if options.is_full { 800 } else { 400 });
            let measured = load.echo(&script, depth, Duration::ZERO, duration, || {})?;
            // Counted before the load stops; the messages still in flight are a small part of all.
            let counts = finish(tracer, &output)?;
            let messages = measured.messages.max(1) as f64;
            table.set_three(server.name, server.group, counts.map(|count| count as f64 / messages));
        }
    }
    Ok(vec![table])
}

fn trace(process: u32, output: &Path) -> io::Result<Child> {
    let child = Command::new("strace")
        .args(["-f", "-c", "-o"])
        .arg(output)
        .args(["-p", &process.to_string()])
        .stderr(Stdio::null())
        .spawn()?;
    sleep(Duration::from_millis(250));
    Ok(child)
}

/// Reads, writes, and all others.
fn finish(mut tracer: Child, output: &Path) -> io::Result<[u64; 3]> {
    Command::new("kill").args(["-INT", &tracer.id().to_string()]).status()?;
    tracer.wait()?;
    let text = std::fs::read_to_string(output)?;
    let _ = std::fs::remove_file(output);
    let mut counts = [0; 3];
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (Some(name), Some(Ok(count))) =
            (words.last(), words.get(3).map(|word| word.parse::<u64>()))
        else {
            continue;
        };
        match *name {
            "total" => {}
            "read" | "readv" | "recvfrom" | "recvmsg" => counts[0] += count,
            "write" | "writev" | "sendto" | "sendmsg" => counts[1] += count,
            _ => counts[2] += count,
        }
    }
    Ok(counts)
}

impl Table {
    /// Adds cells to the last three columns.
    fn set_three(&mut self, name: &'static str, group: crate::table::Group, values: [f64; 3]) {
        let columns = self.columns.split_off(self.columns.len() - 3);
        for (column, value) in columns.into_iter().zip(values) {
            self.columns.push(column);
            self.set(name, group, Cell::exact(value));
        }
    }
}
