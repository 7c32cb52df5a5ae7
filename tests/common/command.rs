//! The program as its users have it.

use std::path::Path;

use assert_cmd::Command;

/// What a command said and how it ended.
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub out: String,
    /// What it said of itself.
    pub err: String,
}

/// Runs `wavetank` with these arguments in a folder.
pub fn wavetank(folder: &Path, args: &[&str]) -> Said {
    let output = Command::cargo_bin("wavetank")
        .expect("the program is built")
        .args(args)
        .current_dir(folder)
        .output()
        .expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said {
        code: output.status.code().expect("it ends by itself"),
        out: text(&output.stdout),
        err: text(&output.stderr),
    }
}
