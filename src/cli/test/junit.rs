//! JUnit XML: a suite a test, a case an expectation and seed.

use std::fs;
use std::io;
use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::super::Failure;
use super::super::inputs::words;
use super::Case;
use super::tell;
use crate::runs::Verdict;

/// Writes the whole report, or none.
#[expect(clippy::disallowed_methods, reason = "cli writes files")]
pub(super) fn write(path: &Path, outcome: &[(&Case, &[Verdict])]) -> Result<(), Failure> {
    let failed = |error: &io::Error| {
        Failure::machine(format!("{}: cannot be written: {}", path.display(), words(error)))
    };
    let text = report(outcome).to_string().map_err(|error| Failure::machine(error.to_string()))?;
    // What is there and no file of its own (a device, a pipe, a link to one) is written to, not replaced.
    if fs::symlink_metadata(path).is_ok_and(|it| !it.is_file()) {
        return fs::write(path, text).map_err(|error| failed(&error));
    }
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("junit");
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
    written.map_err(|error| {
        // Nothing may be left of it; nothing else can be done about a failure here.
        let _ = fs::remove_file(&beside);
        failed(&error)
    })
}

fn report(outcome: &[(&Case, &[Verdict])]) -> Report {
    let mut report = Report::new("wavetank");
    for (case, verdicts) in outcome {
        let mut suite = TestSuite::new(case.name());
        for verdict in *verdicts {
            suite.add_test_cases(cases(case, verdict));
        }
        report.add_test_suite(suite);
    }
    report
}

fn cases(case: &Case, verdict: &Verdict) -> Vec<TestCase> {
    let seed = verdict.seed;
    let mut chains = verdict.chains.iter();
    let mut cases: Vec<TestCase> = Vec::new();
    let mut add = |name: String, why: Option<(&str, String)>| {
        let mut status = TestCaseStatus::success();
        if let Some((message, description)) = why {
            status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(message).set_description(description);
        }
        let mut one = TestCase::new(name, status);
        one.set_classname(&*case.loaded.plan.name);
        cases.push(one);
    };
    for row in &verdict.expectations {
        let why = (!row.passed).then(|| {
            let chain = chains.next().map_or_else(Vec::new, |chain| tell::chain(chain));
            (row.detail.as_str(), chain.join("\n"))
        });
        add(format!("{}, seed {seed}", row.name), why);
    }
    if verdict.expectations.is_empty() {
        let why = verdict
            .converged_at
            .is_none()
            .then(|| ("the cluster did not converge", format!("in {} s", verdict.ended_at)));
        add(format!("converged, seed {seed}"), why);
    }
    for (step, why) in &verdict.missed {
        add(format!("step {step}, seed {seed}"), Some(("it did nothing", why.to_string())));
    }
    cases
}
