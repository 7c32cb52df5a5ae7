//! YAML in a stream: documents apart at `---`, and the items of a large list one by one.
//!
//! kubectl's dumps are one `List` whose `items:` stand at the left edge, each item's `- ` at one fixed
//! indentation. Nothing inside an item can stand at or left of its dash (block style indents what it
//! holds), so such a list can be cut as text. Documents below the limit are never cut, and a list of
//! another form is held whole.

use super::Limits;
use super::sink::{ItemKind, Piece, Sink};
use super::source::{Problem, Source};
use crate::api::yaml;

/// What a line at the left edge says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Line {
    /// `---`, and whether the document begins on the same line.
    Begin { content: bool },
    /// Nothing, a comment, a directive, or `...`: kubectl cuts at `---` alone.
    Empty,
    /// Anything else.
    Content,
}

fn line_kind(line: &[u8]) -> Line {
    let mark = |mark: &[u8]| {
        let rest = line.strip_prefix(mark)?;
        rest.first().is_none_or(u8::is_ascii_whitespace).then(|| rest.trim_ascii())
    };
    if let Some(rest) = mark(b"---") {
        return Line::Begin { content: !(rest.is_empty() || rest.starts_with(b"#")) };
    }
    if mark(b"...").is_some() {
        return Line::Empty;
    }
    match line.trim_ascii().first() {
        None | Some(b'#') => Line::Empty,
        Some(_) if line.starts_with(b"%") => Line::Empty,
        Some(_) => Line::Content,
    }
}

/// The end of the line that begins at `at`, its break included; nothing at the end of the input.
fn line_end(source: &mut Source<'_>, at: usize) -> Result<Option<usize>, Problem> {
    match source.first_byte_from(at, |byte| byte == b'\n')? {
        Some((end, _)) => Ok(Some(end + 1)),
        None if at < source.bytes().len() => Ok(Some(source.bytes().len())),
        None => Ok(None),
    }
}

/// The next document, or what is left of white space and comments.
pub(super) fn document(
    source: &mut Source<'_>,
    sink: &mut Sink<'_, '_>,
    limits: &Limits,
) -> Result<(), Problem> {
    let (mut at, mut content, mut begun, mut tried) = (0, false, false, false);
    let after = loop {
        let Some(end) = line_end(source, at)? else { break at };
        match line_kind(&source.bytes()[at..end]) {
            Line::Begin { .. } if content => break at,
            Line::Begin { content: on_line } => {
                if begun {
                    // An empty document before this line.
                    source.consume(at);
                    at = 0;
                    continue_with(&mut begun, &mut content, on_line);
                    at += line_end(source, at)?.unwrap_or(0);
                    continue;
                }
                continue_with(&mut begun, &mut content, on_line);
            }
            Line::Empty => {}
            Line::Content => content = true,
        }
        at = end;
        if at > limits.stream_from_bytes && !tried {
            tried = true;
            if let Some(list) = find_list(&source.bytes()[..at]) {
                return items(source, sink, limits, list);
            }
        }
        if at > limits.document_bytes_max {
            return Err(Problem::DocumentTooLarge(limits.document_bytes_max));
        }
    };
    if content {
        let start = source.place();
        if let Some(text) = sink.utf8(&source.bytes()[..at], start) {
            sink.yaml(Piece { text, start });
        }
    }
    source.consume(after);
    Ok(())
}

fn continue_with(begun: &mut bool, content: &mut bool, on_line: bool) {
    *begun = true;
    *content = on_line;
}

/// A list that can be cut: where `items:` begins, where the first item's line begins, and the
/// indentation of the dashes.
#[derive(Clone, Copy)]
struct List {
    key: usize,
    first: usize,
    indent: usize,
}

fn find_list(bytes: &[u8]) -> Option<List> {
    let mut at = 0;
    let mut key = None;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        if let Some(key) = key {
            if is_blank(line) {
                at += line.len();
                continue;
            }
            let indent = indentation(line);
            return is_dash(line, indent).then_some(List { key, first: at, indent });
        }
        if let Some(rest) = line.strip_prefix(b"items:") {
            if !is_blank(rest) {
                return None;
            }
            key = Some(at);
        }
        at += line.len();
    }
    None
}

fn indentation(line: &[u8]) -> usize {
    line.iter().take_while(|&&byte| byte == b' ').count()
}

/// Whether a line is blank or a comment.
fn is_blank(line: &[u8]) -> bool {
    matches!(line.trim_ascii().first(), None | Some(b'#'))
}

fn is_dash(line: &[u8], indent: usize) -> bool {
    let rest = &line[indent..];
    rest.first() == Some(&b'-') && rest.get(1).is_none_or(u8::is_ascii_whitespace)
}

/// Gives out the items of a list one by one; then what stands behind them is read for its faults.
fn items(
    source: &mut Source<'_>,
    sink: &mut Sink<'_, '_>,
    limits: &Limits,
    list: List,
) -> Result<(), Problem> {
    sink.begin();
    let start = source.place();
    let mut kind = ItemKind::default();
    if let Some(text) = sink.utf8(&source.bytes()[..list.key], start) {
        match yaml::parse(text) {
            Ok(header) => kind = ItemKind::of_list(&header),
            Err(error) => sink.text_error(None, error.at.offset_by(start), error.message),
        }
    }
    source.consume(list.first);
    let mut number = 0;
    while let Some(end) = item_end(source, list.indent, limits)? {
        let start = source.place();
        if let Some(text) = sink.utf8(&source.bytes()[..end], start) {
            sink.yaml_item(Piece { text, start }, number, &kind);
        }
        source.consume(end);
        number += 1;
        if sink.has_given_up() {
            return Ok(());
        }
    }
    trailer(source, sink, limits)
}

/// The end of the item whose dash stands on the first line; nothing if there is no dash.
fn item_end(
    source: &mut Source<'_>,
    indent: usize,
    limits: &Limits,
) -> Result<Option<usize>, Problem> {
    let mut at = 0;
    while let Some(end) = line_end(source, at)? {
        let line = &source.bytes()[at..end];
        let dash = indentation(line) == indent && is_dash(line, indent);
        if at == 0 {
            if !dash {
                return Ok(None);
            }
        } else if !is_blank(line) && indentation(line) <= indent {
            return Ok(Some(at));
        }
        at = end;
        if at > limits.document_bytes_max {
            return Err(Problem::DocumentTooLarge(limits.document_bytes_max));
        }
    }
    Ok((at > 0).then_some(at))
}

fn trailer(
    source: &mut Source<'_>,
    sink: &mut Sink<'_, '_>,
    limits: &Limits,
) -> Result<(), Problem> {
    let mut at = 0;
    let after = loop {
        let Some(end) = line_end(source, at)? else { break at };
        match line_kind(&source.bytes()[at..end]) {
            Line::Begin { .. } => break at,
            Line::Empty | Line::Content => at = end,
        }
        if at > limits.document_bytes_max {
            return Err(Problem::DocumentTooLarge(limits.document_bytes_max));
        }
    };
    let start = source.place();
    if let Some(text) = sink.utf8(&source.bytes()[..at], start)
        && let Err(error) = yaml::parse(text)
    {
        sink.text_error(None, error.at.offset_by(start), error.message);
    }
    source.consume(after);
    Ok(())
}
