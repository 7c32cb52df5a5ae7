//! The bytes of an input: unpacked, decoded to UTF-8, counted, and held only as far as needed.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

use super::Limits;
use crate::api::diagnostic::Position;

/// How much is read at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// How far a file is looked at to tell text from anything else.
const LOOK_BYTES: usize = 8 << 10;

/// Why an input cannot be read on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// The reader failed.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
    /// Larger than `--max-input`.
    #[error("larger than --max-input allows ({})", bytes_text(*.0))]
    TooLarge(u64),
    /// One document too large to be held.
    #[error("a document larger than {} that is no plain list of items", bytes_text(*.0 as u64))]
    DocumentTooLarge(usize),
    /// No text.
    #[error("a binary file, neither YAML nor JSON")]
    Binary,
    /// Not a byte in it.
    #[error("the file is empty")]
    Empty,
}

fn bytes_text(bytes: u64) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if bytes >= 1 << shift && bytes.trailing_zeros() >= shift {
            return format!("{} {unit}", bytes >> shift);
        }
    }
    format!("{bytes} bytes")
}

/// The input as a window of bytes that slides forward.
pub(super) struct Source<'r> {
    input: Box<dyn Read + 'r>,
    buffer: Vec<u8>,
    start: usize,
    place: Position,
    read_bytes: u64,
    read_bytes_max: u64,
    ended: bool,
}

impl<'r> Source<'r> {
    /// Looks at the first bytes to see what is packed and encoded how.
    pub(super) fn open(input: impl Read + 'r, limits: &Limits) -> Result<Source<'r>, Problem> {
        // One byte more than allowed, so that going over is noticed.
        let raw: Box<dyn Read + 'r> =
            Box::new(input.take(limits.input_bytes_max.saturating_add(1)));
        let (head, raw) = look(raw)?;
        let raw: Box<dyn Read + 'r> =
            if head.starts_with(&[0x1f, 0x8b]) { Box::new(MultiGzDecoder::new(raw)) } else { raw };
        let (head, mut raw) = look(raw)?;
        match head.as_slice() {
            [] => return Err(Problem::Empty),
            [0xff, 0xfe, ..] => raw = Box::new(Utf16::new(raw, u16::from_le_bytes)),
            [0xfe, 0xff, ..] => raw = Box::new(Utf16::new(raw, u16::from_be_bytes)),
            _ => {}
        }
        let mut source = Source {
            input: raw,
            buffer: Vec::new(),
            start: 0,
            place: Position::START,
            read_bytes: 0,
            read_bytes_max: limits.input_bytes_max,
            ended: false,
        };
        while source.bytes().len() < LOOK_BYTES && source.more()? {}
        if source.bytes().starts_with("\u{feff}".as_bytes()) {
            source.start = 3;
        }
        let seen = &source.bytes()[..source.bytes().len().min(LOOK_BYTES)];
        if seen.contains(&0) {
            return Err(Problem::Binary);
        }
        Ok(source)
    }

    /// What is held and not yet consumed.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Where the first of [`Self::bytes`] stands in the file.
    pub(super) fn place(&self) -> Position {
        self.place
    }

    /// Reads another piece behind the bytes held; false at the end.
    pub(super) fn more(&mut self) -> Result<bool, Problem> {
        if self.ended {
            return Ok(false);
        }
        if self.start > CHUNK_BYTES {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let held = self.buffer.len();
        self.buffer.resize(held + CHUNK_BYTES, 0);
        let got = read_some(&mut self.input, &mut self.buffer[held..]);
        self.buffer.truncate(held + *got.as_ref().unwrap_or(&0));
        let got = got?;
        self.read_bytes += got as u64;
        if self.read_bytes > self.read_bytes_max {
            return Err(Problem::TooLarge(self.read_bytes_max));
        }
        self.ended = got == 0;
        Ok(!self.ended)
    }

    /// Lets go of the first `bytes`.
    pub(super) fn consume(&mut self, bytes: usize) {
        let gone = &self.buffer[self.start..self.start + bytes];
        let lines = gone.iter().filter(|&&byte| byte == b'\n').count();
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let last = gone.iter().rposition(|&byte| byte == b'\n').map_or(gone, |at| &gone[at + 1..]);
        // Bytes that continue a character do not count.
        let columns = count(last.iter().filter(|&&byte| byte & 0xc0 != 0x80).count());
        if lines > 0 {
            self.place = Position { line: self.place.line.saturating_add(count(lines)), column: 1 };
        }
        self.place.column = self.place.column.saturating_add(columns);
        self.start += bytes;
    }

    /// The offset of the first byte that is not white, and the byte.
    pub(super) fn first_byte(&mut self) -> Result<Option<(usize, u8)>, Problem> {
        self.first_byte_from(0, |byte| !byte.is_ascii_whitespace())
    }

    /// The offset of the first byte from `at` on that `wanted` takes, and the byte.
    pub(super) fn first_byte_from(
        &mut self,
        at: usize,
        wanted: impl Fn(u8) -> bool,
    ) -> Result<Option<(usize, u8)>, Problem> {
        let mut at = at;
        loop {
            if let Some(more) =
                self.bytes().get(at..).unwrap_or_default().iter().position(|&b| wanted(b))
            {
                return Ok(Some((at + more, self.bytes()[at + more])));
            }
            at = at.max(self.bytes().len());
            if !self.more()? {
                return Ok(None);
            }
        }
    }
}

fn read_some(input: &mut dyn Read, into: &mut [u8]) -> io::Result<usize> {
    loop {
        match input.read(into) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// The first bytes, and the input with them put back.
fn look<'r>(mut input: Box<dyn Read + 'r>) -> Result<(Vec<u8>, Box<dyn Read + 'r>), Problem> {
    let mut head = vec![0; 4];
    let mut held = 0;
    while held < head.len() {
        match read_some(&mut input, &mut head[held..])? {
            0 => break,
            got => held += got,
        }
    }
    head.truncate(held);
    Ok((head.clone(), Box::new(io::Cursor::new(head).chain(input))))
}

/// UTF-16 to UTF-8; what is no character becomes U+FFFD.
struct Utf16<'r> {
    input: Box<dyn Read + 'r>,
    unit: fn([u8; 2]) -> u16,
    raw: Vec<u8>,
    out: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<'r> Utf16<'r> {
    fn new(input: Box<dyn Read + 'r>, unit: fn([u8; 2]) -> u16) -> Utf16<'r> {
        Utf16 { input, unit, raw: Vec::new(), out: Vec::new(), given: 0, ended: false }
    }

    fn refill(&mut self) -> io::Result<()> {
        let held = self.raw.len();
        self.raw.resize(held + CHUNK_BYTES, 0);
        let got = read_some(&mut self.input, &mut self.raw[held..])?;
        self.raw.truncate(held + got);
        self.ended = got == 0;
        let mut units: Vec<u16> =
            self.raw.chunks_exact(2).map(|pair| (self.unit)([pair[0], pair[1]])).collect();
        // Half a pair waits for its other half.
        if !self.ended && units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) {
            units.pop();
        }
        self.raw.drain(..units.len() * 2);
        let text: String = char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect();
        self.out = text.into_bytes();
        self.given = 0;
        Ok(())
    }
}

impl Read for Utf16<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.out.len() && !self.ended {
            self.refill()?;
        }
        let size = into.len().min(self.out.len() - self.given);
        into[..size].copy_from_slice(&self.out[self.given..self.given + size]);
        self.given += size;
        Ok(size)
    }
}
