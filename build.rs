//! Under the feature `linux-runtime`: builds the program that the images of wavetank hold, as one static
//! file that the library embeds. Without the feature there is nothing to do.

#![allow(
    clippy::disallowed_methods,
    reason = "cargo tells a build script what to do by the environment alone"
)]

use std::env;
use std::path::PathBuf;
use std::process::Command;

const SOURCE: &str = "src/node/container_engine/linux/program.rs";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={SOURCE}");
    if env::var_os("CARGO_FEATURE_LINUX_RUNTIME").is_none() {
        return;
    }
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("linux") {
        panic!("the feature linux-runtime needs Linux");
    }
    let var = |name: &str| env::var(name).expect("cargo sets it");
    let out = PathBuf::from(var("OUT_DIR")).join("program");
    let mut rustc = Command::new(var("RUSTC"));
    rustc.args(["--edition", "2024", "--crate-name", "program", "--target", &var("TARGET")]);
    rustc.args(["-C", "target-feature=+crt-static", "-C", "opt-level=s", "-C", "panic=abort"]);
    rustc.args(["-C", "strip=symbols", "-C", "lto=fat", "-C", "codegen-units=1"]);
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg("-C").arg(format!("linker={linker}"));
    }
    let status = rustc.arg("-o").arg(&out).arg(SOURCE).status();
    assert!(
        status.as_ref().is_ok_and(|status| status.success()),
        "the program of the images cannot be built ({status:?}): it needs a static C library \
         (Debian: libc6-dev)"
    );
}
