//! `wavetank test`: which files are tests, what is printed, JUnit, annotations.

#![expect(clippy::disallowed_methods, reason = "the tests make files of their own")]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use quick_junit::{Report, TestCaseStatus};
use tempfile::TempDir;

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: 'app:1'}]}
---
apiVersion: wavetank.dev/v1alpha1
kind: Scenario
metadata: {name: s}
spec:
  timeline: [{at: 60s, name: gone, fault: node-crash, target: node/n-0, for: 5m}]
  expect:
  - {name: up, eventually: \"deployment('web').available == 3\", within: 1m}
";
const STAYS: &str = "  - {name: stays, always: \"deployment('web').available >= 3\", of: gone}\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("a file");
    }
    folder
}

/// Exit code, stdout and stderr.
fn test(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::cargo_bin("wavetank").expect("the program");
    let output = command.current_dir(folder).arg("test").args(args).env("GITHUB_ACTIONS", "true");
    let output = output.output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
}

#[test]
fn every_scenario_below_a_folder_is_a_test_but_for_two_kinds_of_folders() {
    let failing = format!("{WEB}{STAYS}");
    let folder = folder(&[
        ("d/a.yaml", WEB),
        ("d/deep/b.yaml", WEB),
        ("d/manifest.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n"),
        ("d/with/c.yaml", &failing),
        ("d/bench/d.yaml", &failing),
        ("none/manifest.yaml", "apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n"),
    ]);
    let (code, out, err) = test(folder.path(), &["d", "--seeds", "1..2"]);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("d/a.yaml\n") && out.contains("d/deep/b.yaml\n"), "{out}");
    assert!(out.ends_with("4 of 4 passed\n"), "{out}");
    let (code, _, err) = test(folder.path(), &["none"]);
    assert_eq!(code, 2);
    assert!(err.contains("none: no file with a Scenario"), "{err}");
}

#[test]
fn a_failing_seed_says_why_and_how_to_see_it_again() {
    let folder = folder(&[("s.yaml", &format!("{WEB}{STAYS}"))]);
    let args = |jobs| ["s.yaml", "--seeds", "1..4", "--jobs", jobs, "--junit", "out.xml"];
    let (code, out, err) = test(folder.path(), &args("1"));
    assert_eq!(code, 1, "{out}{err}");
    assert!(out.contains("  stays: deployment('web').available was 2 at 10"), "{out}");
    assert!(out.contains("Node/n-0 node-unknown"), "{out}");
    assert!(out.contains("  replay: wavetank run s.yaml --seed 4\n"), "{out}");
    assert!(out.ends_with("0 of 4 passed\n"), "{out}");
    let line = format!("{WEB}{STAYS}").lines().count();
    assert!(
        err.contains(&format!("::error file=s.yaml,line={line},title=stays::seed 1: ")),
        "{err}"
    );
    assert!(err.contains("(and 3 more seeds)"), "{err}");

    let text = fs::read_to_string(folder.path().join("out.xml")).expect("the report");
    let report = Report::deserialize_from_str(&text).expect("JUnit XML");
    let suite = &report.test_suites[0];
    assert_eq!((suite.test_cases.len(), report.test_suites.len()), (8, 1));
    let failed = suite
        .test_cases
        .iter()
        .filter(|case| matches!(case.status, TestCaseStatus::NonSuccess { .. }));
    assert_eq!(failed.count(), 4);
    assert_eq!(test(folder.path(), &args("4")), (code, out, err));
    assert_eq!(fs::read_to_string(folder.path().join("out.xml")).expect("the report"), text);
    let names = fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(names, 2, "nothing else is left");
}

/// As `--junit /dev/stdout`, which is such a link too.
#[cfg(unix)]
#[test]
fn what_is_no_file_of_its_own_is_written_to_and_not_replaced() {
    let folder = folder(&[("s.yaml", WEB), ("real.xml", "old")]);
    let link = folder.path().join("link.xml");
    std::os::unix::fs::symlink("real.xml", &link).expect("a link");
    let (code, _, err) = test(folder.path(), &["s.yaml", "--junit", "link.xml"]);
    assert_eq!(code, 0, "{err}");
    assert!(link.is_symlink(), "it is still a link");
    let text = fs::read_to_string(folder.path().join("real.xml")).expect("a report");
    assert!(text.contains("<testsuite"), "{text}");
}

#[test]
fn a_report_that_cannot_be_written_is_exit_4_and_wrong_input_exit_2_before_anything_runs() {
    let wrong = format!("{WEB}  - {{name: bad, always: \"deployment('web').redy == 3\"}}\n");
    let folder = folder(&[("s.yaml", WEB), ("wrong.yaml", &wrong)]);
    let (code, _, err) = test(folder.path(), &["s.yaml", "--junit", "nowhere/out.xml"]);
    assert_eq!(code, 4, "{err}");
    assert!(err.contains("nowhere/out.xml: cannot be written"), "{err}");
    let (code, out, err) = test(folder.path(), &["wrong.yaml", "--junit", "out.xml"]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    assert!(err.contains("column 19: deployment has no field \"redy\""), "{err}");
    assert!(!folder.path().join("out.xml").exists());
}
