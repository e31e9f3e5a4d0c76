//! Prints tables, and writes them into the guide: Markdown between markers, and chart files.

use std::path::PathBuf;
use std::{fs, io};

use crate::chart;
use crate::table::Table;

pub fn report(section: &str, tables: &[Table], writes: bool) -> io::Result<()> {
    let mut text = String::new();
    for table in tables {
        text.push_str(&table.markdown());
        if writes && !table.id.is_empty() {
            text.push_str(&format!("\n![{}](charts/{}.svg)\n", table.title, table.id));
        }
    }
    println!("{text}");
    if !writes {
        return Ok(());
    }
    let docs = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"));
    fs::create_dir_all(docs.join("charts"))?;
    for table in tables.iter().filter(|table| !table.id.is_empty()) {
        fs::write(docs.join("charts").join(format!("{}.svg", table.id)), chart::svg(table))?;
    }
    let page = docs.join("benchmarks.md");
    let before = fs::read_to_string(&page)?;
    let (begin, end) = (format!("<!-- begin {section} -->"), format!("<!-- end {section} -->"));
    let parts = before.split_once(&begin).and_then(|(head, rest)| {
        let (_, tail) = rest.split_once(&end)?;
        Some((head, tail))
    });
    let Some((head, tail)) = parts else {
        return Err(io::Error::other(format!("{}: no {begin}", page.display())));
    };
    fs::write(&page, format!("{head}{begin}\n{text}\n{end}{tail}"))
}
