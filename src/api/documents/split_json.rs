//! JSON in a stream: where a document ends, and the items of a large list one by one.

use super::Limits;
use super::sink::{ItemKind, Piece, Sink};
use super::source::{Problem, Source};
use crate::api::json::{self, End, EndFinder};
use crate::api::tree::DEPTH_MAX;

/// The document that begins at the source's first byte, a `{`.
pub(super) fn document(
    source: &mut Source<'_>,
    sink: &mut Sink<'_, '_>,
    limits: &Limits,
) -> Result<(), Problem> {
    match find_end(source, 0, EndFinder::default(), limits.stream_from_bytes)? {
        Found::At(end) => whole(source, sink, end),
        Found::TooDeep(at) => too_deep(source, sink, at),
        Found::Never => whole(source, sink, source.bytes().len()),
        Found::TooLong => {
            sink.begin();
            large(source, sink, limits)
        }
    }
}

enum Found {
    /// The value ends before this offset.
    At(usize),
    /// It nests too deep at this offset.
    TooDeep(usize),
    /// The input ends before it does.
    Never,
    /// It is longer than asked.
    TooLong,
}

fn find_end(
    source: &mut Source<'_>,
    from: usize,
    mut finder: EndFinder,
    bytes_max: usize,
) -> Result<Found, Problem> {
    let mut seen = from;
    loop {
        match finder.look(&source.bytes()[seen..]) {
            End::At(at) => return Ok(Found::At(seen + at)),
            End::TooDeep(at) => return Ok(Found::TooDeep(seen + at)),
            End::NotYet => seen = source.bytes().len(),
        }
        if seen - from > bytes_max {
            return Ok(Found::TooLong);
        }
        if !source.more()? {
            return Ok(Found::Never);
        }
    }
}

/// A document held whole. What may follow it: white space, another document, a line `---`.
fn whole(source: &mut Source<'_>, sink: &mut Sink<'_, '_>, end: usize) -> Result<(), Problem> {
    let follows = source.first_byte_from(end, |byte| !byte.is_ascii_whitespace())?;
    let joined = match follows {
        None | Some((_, b'{')) => false,
        Some((at, b'-')) => !source.bytes()[end..at].contains(&b'\n'),
        Some(_) => true,
    };
    let text_end = if joined { line_block_end(source, end)? } else { end };
    let start = source.place();
    sink.begin();
    if let Some(text) = sink.utf8(&source.bytes()[..text_end], start) {
        sink.json_or_yaml(Piece { text, start });
    }
    source.consume(text_end);
    Ok(())
}

/// The start of the next line `---`, or the end: something that is neither white nor a document stands
/// behind a document, so the two are one text that cannot be right as JSON.
fn line_block_end(source: &mut Source<'_>, from: usize) -> Result<usize, Problem> {
    while source.more()? {}
    let bytes = &source.bytes()[from..];
    let end = bytes.windows(4).position(|window| window == b"\n---");
    Ok(end.map_or(source.bytes().len(), |at| from + at + 1))
}

fn too_deep(source: &mut Source<'_>, sink: &mut Sink<'_, '_>, at: usize) -> Result<(), Problem> {
    source.consume(at);
    sink.begin();
    sink.text_error(None, source.place(), format!("nested deeper than {DEPTH_MAX} levels"));
    sink.give_up();
    Ok(())
}

/// A large document: a list is read item by item, anything else is held if it may.
fn large(source: &mut Source<'_>, sink: &mut Sink<'_, '_>, limits: &Limits) -> Result<(), Problem> {
    let Some(items) = items_start(source, limits)? else {
        return match find_end(source, 0, EndFinder::default(), limits.document_bytes_max)? {
            Found::TooLong => Err(Problem::DocumentTooLarge(limits.document_bytes_max)),
            Found::TooDeep(at) => too_deep(source, sink, at),
            Found::At(end) => one_large(source, sink, end),
            Found::Never => one_large(source, sink, source.bytes().len()),
        };
    };
    let header =
        format!("{}\"items\":null}}", String::from_utf8_lossy(&source.bytes()[..items.key]));
    let kind = json::parse(&header).map(|list| ItemKind::of_list(&list)).unwrap_or_default();
    source.consume(items.inside);
    for at in 0.. {
        let next = source.first_byte_from(0, |byte| !byte.is_ascii_whitespace() && byte != b',')?;
        match next {
            Some((offset, b'{')) => source.consume(offset),
            Some((offset, b']')) => {
                source.consume(offset + 1);
                return trailer(source, sink, limits);
            }
            Some((offset, _)) => {
                source.consume(offset);
                sink.text_error(Some(at), source.place(), "not valid JSON: expected an object");
                sink.give_up();
                return Ok(());
            }
            None => return cut_off(source, sink),
        }
        match find_end(source, 0, EndFinder::default(), limits.document_bytes_max)? {
            Found::At(end) => {
                let start = source.place();
                if let Some(text) = sink.utf8(&source.bytes()[..end], start) {
                    sink.json_item(Piece { text, start }, at, &kind);
                }
                source.consume(end);
            }
            Found::TooDeep(offset) => return too_deep(source, sink, offset),
            Found::Never => return cut_off(source, sink),
            Found::TooLong => return Err(Problem::DocumentTooLarge(limits.document_bytes_max)),
        }
    }
    Ok(())
}

fn one_large(source: &mut Source<'_>, sink: &mut Sink<'_, '_>, end: usize) -> Result<(), Problem> {
    let start = source.place();
    if let Some(text) = sink.utf8(&source.bytes()[..end], start) {
        sink.json_or_yaml(Piece { text, start });
    }
    source.consume(end);
    Ok(())
}

/// What stands behind the items: the rest of the list object.
fn trailer(
    source: &mut Source<'_>,
    sink: &mut Sink<'_, '_>,
    limits: &Limits,
) -> Result<(), Problem> {
    match find_end(source, 0, EndFinder::inside_one(), limits.document_bytes_max)? {
        Found::At(end) => {
            let rest = String::from_utf8_lossy(&source.bytes()[..end]).into_owned();
            let place = source.place();
            source.consume(end);
            if let Err(error) = json::parse(&format!("{{\"items\":null{rest}")) {
                sink.text_error(None, place, error.message);
            }
            Ok(())
        }
        Found::TooDeep(at) => too_deep(source, sink, at),
        Found::Never => cut_off(source, sink),
        Found::TooLong => Err(Problem::DocumentTooLarge(limits.document_bytes_max)),
    }
}

fn cut_off(source: &mut Source<'_>, sink: &mut Sink<'_, '_>) -> Result<(), Problem> {
    source.consume(source.bytes().len());
    sink.text_error(None, source.place(), "not valid JSON: the file ends inside a value");
    sink.give_up();
    Ok(())
}

/// Where the key `items` of the outer object begins, and the inside of its list.
struct Items {
    key: usize,
    inside: usize,
}

/// Walks the outer object's keys up to `items`; nothing if it is not there or no list, or the text is
/// not what JSON looks like (the parser will say so).
fn items_start(source: &mut Source<'_>, limits: &Limits) -> Result<Option<Items>, Problem> {
    let token = |byte: u8| !byte.is_ascii_whitespace() && byte != b',' && byte != b':';
    let mut at = 1;
    loop {
        let Some((key, b'"')) = source.first_byte_from(at, token)? else { return Ok(None) };
        let Some(key_end) = string_end(source, key, limits)? else { return Ok(None) };
        let Some((value, first)) = source.first_byte_from(key_end, token)? else { return Ok(None) };
        if first == b'[' && &source.bytes()[key..key_end] == b"\"items\"" {
            return Ok(Some(Items { key, inside: value + 1 }));
        }
        at = match first {
            b'{' | b'[' => {
                match find_end(source, value, EndFinder::default(), limits.document_bytes_max)? {
                    Found::At(end) => end,
                    _ => return Ok(None),
                }
            }
            b'"' => match string_end(source, value, limits)? {
                Some(end) => end,
                None => return Ok(None),
            },
            _ => match source.first_byte_from(value, |byte| matches!(byte, b',' | b'}'))? {
                Some((end, b',')) => end,
                _ => return Ok(None),
            },
        };
    }
}

/// The end of the string that begins at `at`.
fn string_end(
    source: &mut Source<'_>,
    at: usize,
    limits: &Limits,
) -> Result<Option<usize>, Problem> {
    let mut end = at + 1;
    loop {
        let quote = source.first_byte_from(end, |byte| byte == b'"' || byte == b'\\')?;
        match quote {
            Some((found, b'"')) => return Ok(Some(found + 1)),
            Some((found, _)) => end = found + 2,
            None => return Ok(None),
        }
        if end - at > limits.document_bytes_max {
            return Ok(None);
        }
    }
}
