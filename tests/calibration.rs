//! Measuring for real, by the command line. Where there is no root or no containerd each test says that it was
//! skipped, and why.
#![cfg(feature = "linux-runtime")]

mod common {
    pub mod command;
    pub mod containers;
}

use common::command::wavetank;
use common::containers::can;
use tempfile::TempDir;

/// Under a minute on a quiet machine: it is the form that CI can afford, so its figures are worth little, and only
/// what must be equal is looked at.
#[test]
fn a_machine_is_measured_and_the_model_does_what_it_does() {
    if !can() {
        return;
    }
    let folder = TempDir::new().expect("a folder");
    let work = folder.path().join("work").display().to_string();
    let said = wavetank(folder.path(), &["calibrate", "--quick", "--out", "here", "--work", &work]);
    assert_eq!(said.code, 0, "{}", said.err);
    for file in ["here/profile.yaml", "here/samples.csv", "here/plots/startContainer.svg"] {
        assert!(folder.path().join(file).exists(), "{file}");
    }
    assert!(said.out.contains("memory: 1 of 1 programs showed 137 and OOMKilled"), "{}", said.out);

    let only = "start-one-cold,out-of-memory,slow-stop";
    let args = ["validate", "--profile", "here/profile.yaml", "--repeats", "1", "--only", only];
    let said = wavetank(folder.path(), &[&args[..], &["--work", &work, "--factor", "50"]].concat());
    assert!(said.out.contains("3 of 3 runs: order of events"), "{}{}", said.out, said.err);
    assert_eq!(said.code, 0, "{}", said.out);
    assert!(!folder.path().join("work").exists(), "nothing of it is left");
}
