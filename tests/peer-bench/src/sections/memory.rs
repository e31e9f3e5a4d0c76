//! The memory of an idle connection in the server's process, everything included.

use std::io;
use std::thread::sleep;
use std::time::Duration;

use super::compressed::script;
use crate::frames::Kind;
use crate::load::{Load, Opening, Process, Script};
use crate::options::Options;
use crate::serve::{COMPRESSED, ECHO};
use crate::table::{Cell, Table};

pub fn memory(options: &Options) -> io::Result<Vec<Table>> {
    let count = if options.is_full { 5000 } else { 1000 };
    let plain = Script::repeated(&Kind::Binary.frame(1024), 1);
    let headline = "tidegate tokio, send";
    let mut echo = Table::new("memory", "An idle connection", "resident bytes", headline);
    echo.column("after the handshake");
    echo.column("after an echo of 1 KiB");
    // Batching makes no difference with one message at a time.
    let alone = |name: &str| !name.ends_with(", batches") && !name.ends_with(", feed");
    let servers = ECHO.iter().filter(|server| alone(server.name));
    let servers = servers.filter(|server| options.wants_row(server.name) && server.is_installed());
    for server in servers {
        let measured = measure("echo", server.name, count, server.opening(), &plain)?;
        echo.set_two(server.name, server.group, measured);
    }

    let json = script();
    let mut deflate = Table::new(
        "memory-deflate",
        "An idle connection with permessage-deflate",
        "resident bytes",
        "tidegate tokio, level 3, send",
    );
    let count = count / 5;
    let agreements = [(Opening::Deflate, "takeover"), (Opening::DeflateNoTakeover, "no takeover")];
    for (opening, agreed) in agreements {
        for moment in ["after the handshake", "after an echo"] {
            deflate.column(format!("{agreed}, {moment}"));
        }
        let servers = COMPRESSED.iter().filter(|server| alone(server.name));
        for server in servers.filter(|server| options.wants_row(server.name)) {
            let measured = measure("compressed", server.name, count, opening, &json)?;
            deflate.set_two(server.name, server.group, measured);
        }
    }
    Ok(vec![echo, deflate])
}

fn measure(
    list: &str,
    name: &'static str,
    count: usize,
    opening: Opening,
    script: &Script,
) -> io::Result<[Cell; 2]> {
    let process = Process::start(list, name)?;
    let run = |load: &mut Load| {
        load.echo(script, 1, Duration::ZERO, Duration::from_millis(200), || {}).map(drop)
    };
    // The runtime allocates its own memory before the count begins.
    let mut warm = Load::open(process.address, (count / 20).max(8), opening)?;
    run(&mut warm)?;
    let before = process.resident()?;
    let mut load = Load::open(process.address, count, opening)?;
    sleep(Duration::from_millis(300));
    let open = process.resident()?;
    // Waits until each connection has its answer and no message is in flight.
    load.echo_once(script)?;
    sleep(Duration::from_millis(300));
    let used = process.resident()?;
    let each = |after: u64| Cell::exact(after.saturating_sub(before) as f64 / count as f64);
    Ok([each(open), each(used)])
}

impl Table {
    /// Adds cells to the last two columns.
    fn set_two(&mut self, name: &'static str, group: crate::table::Group, cells: [Cell; 2]) {
        let last = self.columns.pop().expect("two columns");
        self.set(name, group, cells[0]);
        self.columns.push(last);
        self.set(name, group, cells[1]);
    }
}
