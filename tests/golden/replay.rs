//! Recordings replayed: each of its runs by one of ours, with what was done when it was done.

use wavetank::api::kind::Kind;
use wavetank::messages::Verb;

use super::derive::{Derived, derive};
use super::ours::{Ours, play};
use super::recording::{Recording, Run};
use super::rows::Beside;
use super::verdict::{Verdict, compare};

/// Runs of ours for a recording of fewer.
const RUNS: usize = 3;
/// The same where there are so many pods that a run takes long.
const LONG_RUNS: usize = 1;
const MANY_PODS: f64 = 250.0;

/// One of ours beside the recorded run it follows.
struct Played<'r> {
    run: Run<'r>,
    derived: Derived,
    ours: Ours,
}

/// The pods there are when a run of the same beginning comes to its first action.
fn look_ahead(derived: &Derived) -> Vec<String> {
    let (ours, _) = play(&derived.text, derived.begin, derived.begin, derived.slowness);
    let mut pods = Vec::new();
    for it in ours.moments.iter().filter(|it| it.fact.object.kind == Kind::Pod) {
        let name = it.fact.object.name.to_string();
        match it.fact.verb {
            Verb::Created => pods.push(name),
            Verb::Deleted => pods.retain(|it| *it != name),
            _ => {}
        }
    }
    pods
}

fn replay<'r>(recording: &'r Recording, run: Run<'r>, seed: u64) -> Result<Played<'r>, String> {
    let mut derived = derive(recording, run, seed, &[])?;
    if derived.asks {
        let pods = look_ahead(&derived);
        derived = derive(recording, run, seed, &pods)?;
    }
    let (ours, _) = play(&derived.text, derived.begin, derived.end, derived.slowness);
    Ok(Played { run, derived, ours })
}

/// Replays a recording and compares.
///
/// # Errors
/// What of it nobody understands.
pub fn judge(recording: &Recording) -> Result<Verdict, String> {
    let runs = recording.runs();
    let pods = runs.iter().filter_map(|it| it.most_pods()).fold(0.0, f64::max);
    let count = if pods > MANY_PODS { LONG_RUNS } else { runs.len().max(RUNS) };
    let played: Result<Vec<Played<'_>>, String> =
        (0..count).map(|at| replay(recording, runs[at % runs.len()], at as u64 + 1)).collect();
    let played = played?;
    let beside: Vec<Beside<'_>> = played
        .iter()
        .map(|it| Beside {
            ours: &it.ours,
            run: it.run,
            begin: it.derived.begin,
            lease: it.derived.lease,
            until: it.derived.scaled_down,
        })
        .collect();
    Ok(compare(recording, &beside))
}
