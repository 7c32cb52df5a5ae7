//! `wavetank test`.

use std::sync::atomic::Ordering;

use super::args::{Format, TestArgs};
use super::inputs::{self, KeepNothing};
use super::{Code, Failure, print_findings, progress, say};
use crate::record::Json;
use crate::runs::{Seeds, Verdict, many};

pub(super) fn test(args: &TestArgs) -> Result<Code, Failure> {
    let overrides = args.end.over(args.input.overrides()?, args.seed)?;
    let seeds = args.seeds.as_deref().map(Seeds::parse).transpose().map_err(Failure::usage)?;
    if args.jobs == Some(0) {
        return Err(Failure::usage("--jobs 0: expected at least 1"));
    }
    let loaded = inputs::load(&args.input, overrides, &mut KeepNothing)?;
    if !args.input.quiet || loaded.has_errors() {
        print_findings(&loaded.findings);
    }
    if loaded.has_errors() {
        return Err(Failure::said(Code::Input));
    }
    let seeds = seeds.unwrap_or(Seeds(loaded.plan.seed..=loaded.plan.seed));
    let interrupt = progress::interrupt();
    let jobs = args.jobs.unwrap_or(0);
    let verdicts =
        many(&loaded.plan, &seeds, jobs, &interrupt, &|_| {}).map_err(Failure::machine)?;
    match args.input.output {
        Format::Json => say(json(&verdicts).pretty().trim_end()),
        Format::Text => tell(&verdicts, args),
    }
    if interrupt.load(Ordering::Relaxed) {
        return Ok(Code::Interrupted);
    }
    let all = verdicts.iter().all(|it| it.converged_at.is_some());
    Ok(if all { Code::Fine } else { Code::NotConverged })
}

fn tell(verdicts: &[Verdict], args: &TestArgs) {
    for verdict in verdicts {
        let Verdict { seed, digest, ended_at, .. } = verdict;
        match verdict.converged_at {
            Some(at) if !args.input.quiet => {
                say(format_args!("seed {seed}: converged at {at} s, digest {digest:016x}"));
            }
            Some(_) => {}
            None => {
                say(format_args!(
                    "seed {seed}: did not converge in {ended_at} s, digest {digest:016x}"
                ));
                say(format_args!("  replay: {}", replay(*seed)));
            }
        }
    }
    let good = verdicts.iter().filter(|it| it.converged_at.is_some()).count();
    say(format_args!("{good} of {} converged", verdicts.len()));
}

/// The command that runs one seed of this command again.
fn replay(seed: u64) -> String {
    let mut words = vec!["wavetank".to_owned(), "run".to_owned()];
    let mut rest = std::env::args().skip(1).skip_while(|word| word != "test").skip(1);
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--seeds" | "--seed" | "--jobs" => {
                rest.next();
            }
            _ if ["--seeds=", "--seed=", "--jobs="].iter().any(|it| word.starts_with(it)) => {}
            _ if word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,".contains(c)) => {
                words.push(word);
            }
            _ => words.push(format!("'{}'", word.replace('\'', "'\\''"))),
        }
    }
    words.push(format!("--seed {seed}"));
    words.join(" ")
}

fn json(verdicts: &[Verdict]) -> Json {
    let rows = verdicts
        .iter()
        .map(|it| {
            Json::map([
                ("seed", Json::count(it.seed)),
                ("converged", Json::Bool(it.converged_at.is_some())),
                ("converged_at_seconds", Json::or_null(it.converged_at.map(Json::Seconds))),
                ("virtual_seconds", Json::Seconds(it.ended_at)),
                ("events", Json::count(it.events)),
                ("digest", Json::text(format!("{:016x}", it.digest))),
            ])
        })
        .collect();
    Json::map([("runs", Json::List(rows))])
}
