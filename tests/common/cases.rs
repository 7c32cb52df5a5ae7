//! Recorded cases of a scheduler, as they lie in files.

use std::io::Read;
use std::path::Path;

use serde_json::Value;

/// The case in a file of JSON, compressed or not.
#[expect(clippy::disallowed_methods, reason = "recorded cases lie in files")]
pub fn read(path: &Path) -> Value {
    let bytes = std::fs::read(path).expect("a case");
    let mut text = String::new();
    if path.extension().is_some_and(|ending| ending == "gz") {
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip");
    } else {
        text = String::from_utf8(bytes).expect("text");
    }
    serde_json::from_str(&text).expect("a case")
}
