//! The measurements as a Markdown table.

use std::fmt::Write;

/// Whether a row is ours, a peer's or a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Ours,
    Peer,
    Limit,
}

/// The median of some samples, and their range.
#[derive(Clone, Copy, Debug)]
pub struct Cell {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

/// Rows by columns of one quantity.
#[derive(Clone, Debug)]
pub struct Table {
    /// The file name of its chart; empty if it has none.
    pub id: String,
    pub title: String,
    pub unit: &'static str,
    pub columns: Vec<String>,
    pub rows: Vec<Line>,
    /// Our rows that are compared with the best peer.
    pub headlines: Vec<&'static str>,
    pub is_more_better: bool,
    /// The row of the limit.
    pub limit: Option<&'static str>,
}

#[derive(Clone, Debug)]
pub struct Line {
    pub name: &'static str,
    pub group: Group,
    pub cells: Vec<Option<Cell>>,
}

impl Cell {
    /// From at least one sample.
    pub fn of(mut samples: Vec<f64>) -> Self {
        samples.sort_by(f64::total_cmp);
        Self {
            median: samples[samples.len() / 2],
            low: samples[0],
            high: samples[samples.len() - 1],
        }
    }

    /// From a single measurement.
    pub fn exact(value: f64) -> Self {
        Self { median: value, low: value, high: value }
    }

    /// The difference between the best sample and the median, in per cent.
    fn spread(self, is_more_better: bool) -> f64 {
        let best = if is_more_better { self.high } else { self.low };
        if self.median > 0.0 { (best - self.median) / self.median * 100.0 } else { 0.0 }
    }
}

impl Table {
    pub fn new(id: &str, title: &str, unit: &'static str, headline: &'static str) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            unit,
            columns: Vec::new(),
            rows: Vec::new(),
            headlines: vec![headline],
            is_more_better: false,
            limit: None,
        }
    }

    /// Begins a column, to which the following cells are added.
    pub fn column(&mut self, name: impl Into<String>) {
        self.columns.push(name.into());
    }

    /// Adds a cell to the last column.
    pub fn set(&mut self, name: &'static str, group: Group, cell: Cell) {
        let columns = self.columns.len();
        let line = match self.rows.iter_mut().find(|line| line.name == name) {
            Some(line) => line,
            None => {
                self.rows.push(Line { name, group, cells: Vec::new() });
                self.rows.last_mut().expect("it was pushed")
            }
        };
        line.cells.resize(columns, None);
        line.cells[columns - 1] = Some(cell);
    }

    pub fn markdown(&self) -> String {
        let mut text = format!("\n### {}, {}\n\n| |", self.title, self.unit);
        for column in &self.columns {
            let _ = write!(text, " {column} |");
        }
        text.push_str("\n|---|");
        text.push_str(&"---:|".repeat(self.columns.len()));
        text.push('\n');
        for group in [Group::Ours, Group::Peer, Group::Limit] {
            for line in self.rows.iter().filter(|line| line.group == group) {
                let emphasis = if group == Group::Ours { "**" } else { "" };
                let _ = write!(text, "| {emphasis}{}{emphasis} |", line.name);
                for index in 0..self.columns.len() {
                    match line.cells.get(index).copied().flatten() {
                        Some(cell) if cell.spread(self.is_more_better).abs() < 0.5 => {
                            let _ = write!(text, " {} |", number(cell.median));
                        }
                        Some(cell) => {
                            let _ = write!(
                                text,
                                " {} {:+.0}% |",
                                number(cell.median),
                                cell.spread(self.is_more_better)
                            );
                        }
                        None => text.push_str(" – |"),
                    }
                }
                text.push('\n');
            }
        }
        self.ratios(&mut text);
        text
    }

    /// Our rows compared with the best peer and with the limit, by the best sample of each, since noise
    /// only adds time.
    fn ratios(&self, text: &mut String) {
        let best = |index: usize, wanted: &dyn Fn(&Line) -> bool| {
            let cells = self.rows.iter().filter(|line| wanted(line));
            cells
                .filter_map(|line| {
                    line.cells.get(index).copied().flatten().map(|cell| (cell, line.name))
                })
                .map(|(cell, name)| (if self.is_more_better { cell.high } else { cell.low }, name))
                .min_by(|a, b| {
                    let order = a.0.total_cmp(&b.0);
                    if self.is_more_better { order.reverse() } else { order }
                })
        };
        let mut compare = |headline: &str, other: &str, wanted: &dyn Fn(&Line) -> bool| {
            let ours = |index| best(index, &|line| line.name == headline);
            let is_one = match self.rows.iter().filter(|line| wanted(line)).count() {
                0 => return,
                count => count == 1,
            };
            let _ = write!(text, "| *{headline} / {other}* |");
            for index in 0..self.columns.len() {
                match (ours(index), best(index, wanted)) {
                    (Some((ours, _)), Some((other, _))) if is_one && other > 0.0 => {
                        let _ = write!(text, " *{:.2}* |", ours / other);
                    }
                    (Some((ours, _)), Some((other, name))) if other > 0.0 => {
                        let _ = write!(text, " *{:.2}* ({name}) |", ours / other);
                    }
                    _ => text.push_str(" – |"),
                }
            }
            text.push('\n');
        };
        for headline in &self.headlines {
            compare(headline, "best peer", &|line| line.group == Group::Peer);
        }
        if let Some(limit) = self.limit {
            for headline in &self.headlines {
                compare(headline, limit, &|line| line.name == limit);
            }
        }
    }
}

/// Formats with three significant digits.
pub fn number(value: f64) -> String {
    let text = match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    };
    let digits = text.find('.').unwrap_or(text.len());
    let mut grouped = String::new();
    for (index, digit) in text.chars().enumerate() {
        if index > 0 && index < digits && (digits - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `16 B`, `1 KiB`.
pub fn size_name(size: usize) -> String {
    match size {
        size if size >= 1 << 20 => format!("{} MiB", size >> 20),
        size if size >= 1 << 10 => format!("{} KiB", size >> 10),
        size => format!("{size} B"),
    }
}
