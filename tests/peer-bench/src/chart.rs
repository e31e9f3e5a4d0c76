//! Draws a table as a bar chart: one panel for each column, a bar for each row, less is better.

use std::fmt::Write;

use crate::table::{Group, Line, Table, number};

/// Draws a table as SVG.
pub fn svg(table: &Table) -> String {
    let mut lines: Vec<&Line> = Vec::new();
    for group in [Group::Ours, Group::Peer, Group::Limit] {
        lines.extend(table.rows.iter().filter(|line| line.group == group));
    }
    let width = NAMES + PANEL * table.columns.len();
    let height = TOP + STEP * lines.len() + 16;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n\
         <text x=\"8\" y=\"20\" font-size=\"15\">{}, {} (less is better)</text>\n",
        escape(&table.title),
        escape(table.unit),
    );
    for (row, line) in lines.iter().enumerate() {
        let y = TOP + STEP * row + STEP / 2 + 4;
        let weight = if line.group == Group::Ours { "bold" } else { "normal" };
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{y}\" text-anchor=\"end\" font-weight=\"{weight}\">{}</text>",
            NAMES - 8,
            escape(line.name),
        );
    }
    for (index, column) in table.columns.iter().enumerate() {
        panel(&mut text, index, column, &lines);
    }
    text.push_str("</svg>\n");
    text
}

fn panel(text: &mut String, index: usize, column: &str, lines: &[&Line]) {
    let left = NAMES + PANEL * index;
    let _ = writeln!(text, "<text x=\"{left}\" y=\"42\">{}</text>", escape(column));
    let values: Vec<Option<f64>> = lines
        .iter()
        .map(|line| line.cells.get(index).copied().flatten().map(|cell| cell.median))
        .collect();
    // A very long bar is cut and marked, so that the others can still be compared.
    let mut sorted: Vec<f64> = values.iter().copied().flatten().collect();
    sorted.sort_by(f64::total_cmp);
    let Some(middle) = sorted.get(sorted.len() / 2) else { return };
    let end = sorted[sorted.len() - 1].min(middle * 3.0);
    for (row, (line, value)) in lines.iter().zip(&values).enumerate() {
        let Some(value) = value else { continue };
        let y = TOP + STEP * row + 2;
        let is_cut = *value > end;
        let length = (value.min(end) / end * BAR as f64).max(1.0);
        let color = match line.group {
            Group::Ours => "#0b6e99",
            Group::Peer => "#b8c4cc",
            Group::Limit => "#e3b23c",
        };
        let _ = writeln!(
            text,
            "<rect x=\"{left}\" y=\"{y}\" width=\"{length:.1}\" height=\"{}\" fill=\"{color}\"/>\n\
             <text x=\"{:.1}\" y=\"{}\" font-size=\"11\">{}{}</text>",
            STEP - 4,
            left as f64 + length + 4.0,
            y + STEP - 7,
            if is_cut { "» " } else { "" },
            number(*value),
        );
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

const NAMES: usize = 230;
const PANEL: usize = 190;
const BAR: usize = 125;
const TOP: usize = 50;
const STEP: usize = 19;
