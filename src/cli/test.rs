//! `wavetank test`.

mod annotations;
mod find;
mod junit;
mod tell;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::args::{Format, TestArgs};
use super::inputs::{self, KeepNothing};
use super::{Code, Failure, print_findings, progress, say};
use crate::runs::{self, Seeds, Trouble, Verdict, many};
use crate::scenario::Loaded;

/// One test: what is read together, and what came of its seeds.
struct Case {
    files: Vec<PathBuf>,
    loaded: Loaded,
    seeds: Seeds,
}

impl Case {
    /// What it is called: its scenario's file if there are many tests.
    fn name(&self) -> String {
        let files: Vec<String> = self.files.iter().map(|it| it.display().to_string()).collect();
        files.join(" ")
    }
}

pub(super) fn test(args: &TestArgs) -> Result<Code, Failure> {
    let seeds = args.seeds.as_deref().map(Seeds::parse).transpose().map_err(Failure::usage)?;
    if args.jobs == Some(0) {
        return Err(Failure::usage("--jobs 0: expected at least 1"));
    }
    let cases = cases(args, seeds)?;
    let interrupt = progress::interrupt();
    let tests: Vec<runs::Test> = cases
        .iter()
        .map(|case| runs::Test {
            plan: Arc::new(case.loaded.plan.clone()),
            expectations: case.loaded.expectations.clone(),
            seeds: case.seeds.clone(),
        })
        .collect();
    let verdicts = many(&tests, args.jobs.unwrap_or(0), &interrupt, &|_| {}).map_err(failure)?;
    let outcome: Vec<(&Case, &[Verdict])> =
        cases.iter().zip(verdicts.iter().map(Vec::as_slice)).collect();
    match args.input.output {
        Format::Json => say(tell::json(&outcome).pretty().trim_end()),
        Format::Text => tell::text(&outcome, args),
    }
    if is_in_actions() {
        annotations::print(&outcome);
    }
    if interrupt.load(Ordering::Relaxed) {
        return Ok(Code::Interrupted);
    }
    if let Some(path) = &args.junit {
        junit::write(path, &outcome)?;
    }
    let all = verdicts.iter().flatten().all(|it| it.has_passed);
    Ok(if all { Code::Fine } else { Code::Failed })
}

/// Reads all tests; what is wrong with any of them is told before anything runs.
fn cases(args: &TestArgs, seeds: Option<Seeds>) -> Result<Vec<Case>, Failure> {
    let mut cases = Vec::new();
    let mut is_wrong = false;
    for files in find::tests(&args.input.files)? {
        let overrides = args.end.over(args.input.overrides()?, args.seed)?;
        let loaded = inputs::load(
            (&files, args.input.scheduler_config.as_ref()),
            overrides,
            &mut KeepNothing,
        )?;
        if !args.input.quiet || loaded.has_errors() {
            print_findings(&loaded.findings);
        }
        is_wrong |= loaded.has_errors();
        let seeds = seeds.clone().unwrap_or(Seeds(loaded.plan.seed..=loaded.plan.seed));
        cases.push(Case { files, loaded, seeds });
    }
    if is_wrong {
        return Err(Failure::said(Code::Input));
    }
    Ok(cases)
}

fn failure(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Threads(why) => Failure::machine(why),
        Trouble::Bug(seed) => {
            let message = format!("this is a bug of wavetank: seed {seed}; nothing was written");
            Failure { code: Code::Bug, message: Some(message) }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "cli looks at the environment")]
fn is_in_actions() -> bool {
    std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true")
}
