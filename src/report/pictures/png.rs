//! A PNG of 8-bit RGB, from the pixels (ISO/IEC 15948).

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

/// The filter that holds the difference to the row above: pictures are mostly flat.
const FILTER_UP: u8 = 2;

/// The file's bytes. `pixels` are rows of `width` times three bytes.
pub fn encode(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let row = width as usize * 3;
    let mut filtered = Vec::with_capacity(pixels.len() + height as usize);
    let mut above = vec![0_u8; row];
    for line in pixels.chunks_exact(row.max(1)) {
        filtered.push(FILTER_UP);
        filtered.extend(line.iter().zip(&above).map(|(here, up)| here.wrapping_sub(*up)));
        above.copy_from_slice(line);
    }
    let mut packed = ZlibEncoder::new(Vec::new(), Compression::new(6));
    // Writing into memory cannot fail.
    let _ = packed.write_all(&filtered);
    let data = packed.finish().unwrap_or_default();

    let mut header = Vec::with_capacity(13);
    header.extend(width.to_be_bytes());
    header.extend(height.to_be_bytes());
    // Eight bits, RGB, deflate, adaptive filters, no interlace.
    header.extend([8, 2, 0, 0, 0]);

    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (name, body) in [(b"IHDR", &header), (b"IDAT", &data), (b"IEND", &Vec::new())] {
        let mut sum = Crc::new();
        sum.update(name);
        sum.update(body);
        file.extend((body.len() as u32).to_be_bytes());
        file.extend(name);
        file.extend(body);
        file.extend(sum.sum().to_be_bytes());
    }
    file
}

/// Makes a picture half as wide and high, each pixel the mean of four: edges become smooth.
pub fn halve(width: u32, height: u32, pixels: &[u8]) -> Vec<u8> {
    let (w, h) = (width as usize / 2, height as usize / 2);
    let row = width as usize * 3;
    let mut out = Vec::with_capacity(w * h * 3);
    for y in 0..h {
        for x in 0..w {
            for channel in 0..3 {
                let at = 2 * y * row + 6 * x + channel;
                let sum = [at, at + 3, at + row, at + row + 3].map(|at| u16::from(pixels[at]));
                out.push((sum.iter().sum::<u16>() / 4) as u8);
            }
        }
    }
    out
}
