//! What came of tests, for people and for programs.

use super::super::args::TestArgs;
use super::super::say;
use super::Case;
use crate::record::Json;
use crate::runs::{Link, Verdict};

pub(super) fn text(outcome: &[(&Case, &[Verdict])], args: &TestArgs) {
    for (case, verdicts) in outcome {
        if outcome.len() > 1 {
            say(case.name());
        }
        for verdict in *verdicts {
            one(case, verdict, args);
        }
    }
    let all: Vec<&Verdict> = outcome.iter().flat_map(|(_, verdicts)| *verdicts).collect();
    let good = all.iter().filter(|it| it.has_passed).count();
    let expects = outcome.iter().any(|(case, _)| !case.loaded.expectations.is_empty());
    let word = if expects { "passed" } else { "converged" };
    say(format_args!("{good} of {} {word}", all.len()));
}

fn one(case: &Case, verdict: &Verdict, args: &TestArgs) {
    let Verdict { seed, digest, ended_at, .. } = verdict;
    let expects = !case.loaded.expectations.is_empty();
    if verdict.has_passed {
        if args.input.quiet {
            return;
        }
        match verdict.converged_at {
            _ if expects => {
                say(format_args!("seed {seed}: passed, {ended_at} s, digest {digest:016x}"))
            }
            Some(at) => say(format_args!("seed {seed}: converged at {at} s, digest {digest:016x}")),
            None => {}
        }
        return;
    }
    if expects {
        say(format_args!("seed {seed}: FAILED, {ended_at} s, digest {digest:016x}"));
    } else if verdict.converged_at.is_none() {
        say(format_args!("seed {seed}: did not converge in {ended_at} s, digest {digest:016x}"));
    } else {
        say(format_args!("seed {seed}: FAILED, digest {digest:016x}"));
    }
    let mut chains = verdict.chains.iter();
    for row in verdict.expectations.iter().filter(|row| !row.passed) {
        say(format_args!("  {}: {}", row.name, row.detail));
        for line in chains.next().map_or_else(Vec::new, |links| chain(links)) {
            say(format_args!("    {line}"));
        }
    }
    for (step, why) in &verdict.missed {
        say(format_args!("  step {step:?} did nothing: {why}"));
    }
    say(format_args!("  replay: {}", replay(case, args, *seed)));
}

/// A chain of causes, a line a fact, the first cause first.
pub(super) fn chain(links: &[Link]) -> Vec<String> {
    let line = |link: &Link| {
        let Link { at, fact, .. } = link;
        let mut line = format!("{at} s  {}  {} {}", fact.component.name(), fact.object, fact.verb);
        if let Some(node) = &fact.node {
            line += &format!(" on {node}");
        }
        for (key, value) in &fact.values {
            line += &format!(" {key}={value}");
        }
        if let Some(message) = &fact.message {
            line += &format!(": {message}");
        }
        line
    };
    links.iter().map(line).collect()
}

/// Flags of this command that say nothing of a run, and whether a value follows them.
const DROPPED: [(&str, bool); 8] = [
    ("--seeds", true),
    ("--seed", true),
    ("--jobs", true),
    ("--junit", true),
    ("--output", true),
    ("-o", true),
    ("--quiet", false),
    ("-q", false),
];

/// The command that runs one seed of a test again.
fn replay(case: &Case, args: &TestArgs, seed: u64) -> String {
    let mut words = vec!["wavetank".to_owned(), "run".to_owned()];
    words.extend(case.files.iter().map(|file| quoted(&file.display().to_string())));
    let given: Vec<String> = args.input.files.iter().map(|it| it.display().to_string()).collect();
    let mut rest = std::env::args().skip(1).skip_while(|word| word != "test").skip(1);
    while let Some(word) = rest.next() {
        let flag = word.split_once('=').map_or(word.as_str(), |(flag, _)| flag);
        match DROPPED.iter().find(|(known, _)| *known == flag) {
            Some((_, takes_value)) => {
                if *takes_value && flag == word {
                    rest.next();
                }
            }
            None if given.contains(&word) => {}
            None => words.push(quoted(&word)),
        }
    }
    words.push(format!("--seed {seed}"));
    words.join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    if word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./=:,".contains(c)) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

pub(super) fn json(outcome: &[(&Case, &[Verdict])]) -> Json {
    let runs = outcome.iter().flat_map(|(case, verdicts)| verdicts.iter().map(|it| run(case, it)));
    Json::map([("runs", Json::List(runs.collect()))])
}

fn run(case: &Case, it: &Verdict) -> Json {
    let mut chains = it.chains.iter();
    let expectations = it.expectations.iter().map(|row| {
        let links = if row.passed { None } else { chains.next() };
        let causes = links.map_or_else(Vec::new, |links| {
            links.iter().map(|link| Json::count(link.number)).collect()
        });
        Json::map([
            ("name", Json::text(&row.name)),
            ("passed", Json::Bool(row.passed)),
            ("at_seconds", Json::or_null(row.at.map(Json::Seconds))),
            ("detail", Json::text(&row.detail)),
            ("causes", Json::List(causes)),
        ])
    });
    let missed = it
        .missed
        .iter()
        .map(|(step, why)| Json::map([("step", Json::text(&**step)), ("why", Json::text(&**why))]));
    Json::map([
        ("test", Json::text(case.name())),
        ("seed", Json::count(it.seed)),
        ("passed", Json::Bool(it.has_passed)),
        ("converged", Json::Bool(it.converged_at.is_some())),
        ("converged_at_seconds", Json::or_null(it.converged_at.map(Json::Seconds))),
        ("virtual_seconds", Json::Seconds(it.ended_at)),
        ("events", Json::count(it.events)),
        ("digest", Json::text(format!("{:016x}", it.digest))),
        ("expectations", Json::List(expectations.collect())),
        ("missed", Json::List(missed.collect())),
    ])
}
