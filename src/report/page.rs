//! `report.html`: one file that holds everything, for a reader without any tool.
//!
//! Pictures are drawn into it as SVG in the page's own colours; there is no script, and nothing is
//! fetched from anywhere. All that comes from the run is escaped.

use std::fmt::Write;

use super::pictures::{Picture, within_page};
use super::story::{Line, Tone};
use super::words::{number, short};
use crate::record::{ExpectationRow, ServiceRow, Summary, WorkloadRow};

/// Rows of a table; more are counted.
const ROWS_MAX: usize = 500;

/// Colours follow the reader's choice of light or dark.
const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1f2933; --paper: #ffffff; --soft: #f4f6f8; --line: #d9dee4;
  --dim: #5d6b7a; --good: #007a57; --bad: #b34a00; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaee; --paper: #14181c; --soft: #1d2329;
  --line: #38424c; --dim: #9aa7b4; --good: #4cc9a0; --bad: #ff9550; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1040px; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.2rem; }
p.key { color: var(--dim); margin-top: 0; overflow-wrap: anywhere; }
ol { list-style: none; padding: 0; } ol li { display: grid; grid-template-columns: 8.5rem 1fr; gap: 1rem; }
ol time { color: var(--dim); text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
ol li.head { font-weight: 600; margin-top: 1rem; } .good { color: var(--good); } .bad { color: var(--bad); }
ol li span, td { overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .6rem;
  border-bottom: 1px solid var(--line); } th { color: var(--dim); font-weight: 500; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
figure { margin: 1.2rem 0; background: var(--soft); border-radius: 6px; padding: .5rem; }
figure svg { width: 100%; height: auto; display: block; }
";

/// What stands on the page.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// How the run ended.
    pub summary: &'a Summary,
    /// What happened.
    pub story: &'a [Line],
    /// The pictures, each with its SVG.
    pub pictures: &'a [(Picture, String)],
    /// The first line: how it went.
    pub verdict: &'a str,
}

/// The page.
pub fn page(page: Page<'_>) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write_page(&mut out, page);
    out
}

/// Text as it may stand in HTML, in an attribute too.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

fn write_page(out: &mut String, page: Page<'_>) -> std::fmt::Result {
    let summary = page.summary;
    let name = escaped(&summary.scenario);
    writeln!(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">")?;
    writeln!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">")?;
    writeln!(out, "<title>{name}: wavetank</title>\n<style>{STYLE}</style>\n</head>\n<body>")?;
    writeln!(out, "<h1>{}</h1>", escaped(page.verdict))?;
    writeln!(
        out,
        "<p class=\"key\">seed {}, digest {:016x}, {} events in {} of virtual time; {} of {} nodes \
         ready; {} pods running, {} ready</p>",
        summary.seed,
        summary.digest,
        number(summary.events),
        short(summary.now),
        summary.nodes.ready,
        summary.nodes.total,
        number(summary.pods.running),
        number(summary.pods.ready)
    )?;
    expectations(out, &summary.expectations)?;
    writeln!(out, "<h2>What happened</h2>\n<ol>")?;
    for line in page.story {
        let class = match line.tone {
            Tone::Headline => "head",
            Tone::Plain => "",
            Tone::Good => "good",
            Tone::Bad => "bad",
        };
        let (time, text) = (escaped(&line.time), escaped(&line.text));
        writeln!(out, "<li class=\"{class}\"><time>{time}</time><span>{text}</span></li>")?;
    }
    writeln!(out, "</ol>")?;
    if !page.pictures.is_empty() {
        writeln!(out, "<h2>Pictures</h2>")?;
    }
    for (picture, svg) in page.pictures {
        let title = escaped(&picture.title);
        let svg = within_page(svg);
        writeln!(out, "<figure role=\"img\" aria-label=\"{title}\">\n{svg}\n</figure>")?;
    }
    workloads(out, &summary.workloads)?;
    services(out, &summary.services)?;
    if !summary.warnings.is_empty() {
        writeln!(out, "<h2>Warnings</h2>\n<ul>")?;
        for warning in summary.warnings.iter().take(ROWS_MAX) {
            writeln!(out, "<li>{}</li>", escaped(warning))?;
        }
        writeln!(out, "</ul>")?;
        more(out, summary.warnings.len())?;
    }
    writeln!(out, "</body>\n</html>")
}

fn more(out: &mut String, total: usize) -> std::fmt::Result {
    if total > ROWS_MAX {
        writeln!(out, "<p>and {} more</p>", number((total - ROWS_MAX) as u64))?;
    }
    Ok(())
}

/// A column of a table, by its title.
#[derive(Clone, Copy)]
enum Column {
    Text(&'static str),
    Number(&'static str),
}

fn head(out: &mut String, title: &str, columns: &[Column]) -> std::fmt::Result {
    write!(out, "<h2>{title}</h2>\n<table>\n<thead><tr>")?;
    for column in columns {
        match column {
            Column::Text(title) => write!(out, "<th>{title}</th>")?,
            Column::Number(title) => write!(out, "<th class=\"n\">{title}</th>")?,
        }
    }
    writeln!(out, "</tr></thead>\n<tbody>")
}

fn tail(out: &mut String, total: usize) -> std::fmt::Result {
    writeln!(out, "</tbody>\n</table>")?;
    more(out, total)
}

fn expectations(out: &mut String, rows: &[ExpectationRow]) -> std::fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = [
        Column::Text(""),
        Column::Text("name"),
        Column::Number("settled at"),
        Column::Text("what was seen"),
    ];
    head(out, "Expectations", &columns)?;
    for row in rows.iter().take(ROWS_MAX) {
        let (class, mark) = if row.passed { ("good", "✓ holds") } else { ("bad", "✗ fails") };
        let at = row.at.map_or_else(|| "end".to_owned(), short);
        let (name, detail) = (escaped(&row.name), escaped(&row.detail));
        writeln!(
            out,
            "<tr><td class=\"{class}\">{mark}</td><td>{name}</td><td class=\"n\">{at}</td>\
             <td>{detail}</td></tr>"
        )?;
    }
    tail(out, rows.len())
}

fn workloads(out: &mut String, rows: &[WorkloadRow]) -> std::fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = [
        Column::Text("namespace"),
        Column::Text("workload"),
        Column::Number("desired"),
        Column::Number("ready"),
        Column::Number("up to date"),
        Column::Number("available"),
    ];
    head(out, "Workloads", &columns)?;
    for row in rows.iter().take(ROWS_MAX) {
        let class = if row.available >= row.desired { "n" } else { "n bad" };
        writeln!(
            out,
            "<tr><td>{}</td><td>{} {}</td><td class=\"n\">{}</td><td class=\"{class}\">{}</td>\
             <td class=\"n\">{}</td><td class=\"{class}\">{}</td></tr>",
            escaped(&row.namespace),
            row.kind,
            escaped(&row.name),
            row.desired,
            row.ready,
            row.updated,
            row.available
        )?;
    }
    tail(out, rows.len())
}

fn services(out: &mut String, rows: &[ServiceRow]) -> std::fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = [
        Column::Text("service"),
        Column::Text("address"),
        Column::Number("endpoints"),
        Column::Number("requests"),
        Column::Number("answered well"),
        Column::Number("errors"),
        Column::Number("p50"),
        Column::Number("p95"),
        Column::Number("p99"),
    ];
    head(out, "Services", &columns)?;
    for row in rows.iter().take(ROWS_MAX) {
        let of = &row.requests;
        write!(
            out,
            "<tr><td>{}/{}</td><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td>",
            escaped(&row.namespace),
            escaped(&row.name),
            row.cluster_ip.as_deref().unwrap_or("none"),
            row.endpoints,
            number(of.total),
            number(of.ok),
            number(of.errors)
        )?;
        for latency in of.latency_us {
            let text = latency.map_or_else(|| "–".to_owned(), super::words::millis);
            write!(out, "<td class=\"n\">{text}</td>")?;
        }
        writeln!(out, "</tr>")?;
    }
    tail(out, rows.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_says_cannot_become_markup() {
        assert_eq!(escaped("<b a=\"'&'\">"), "&lt;b a=&quot;&#39;&amp;&#39;&quot;&gt;");
    }
}
