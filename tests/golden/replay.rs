//! Recordings replayed: each of its runs by one of ours, with what was done when it was done.

use std::collections::BTreeMap;

use wavetank::api::kind::Kind;
use wavetank::control_plane::election;
use wavetank::messages::Verb;

use super::derive::{Derived, derive};
use super::ours::{Ours, play};
use super::recording::{Recording, Run};
use super::rows::Beside;
use super::verdict::{Chance, Verdict, chance, compare};

/// Runs of ours for a recording of fewer.
const RUNS: usize = 3;
/// The same where there are so many pods that a run takes long.
const LONG_RUNS: usize = 1;
const MANY_PODS: f64 = 250.0;

/// Of how many times as many the middle one is taken where the machine was now slow, now not.
const MIDDLE: usize = 3;
/// Runs where times hang on chance.
const CHANCE_RUNS: usize = 8;

/// Seeds that are tried for one in which chance fell as recorded.
const TRIES: u64 = 40;
const STRIDE: u64 = 100;

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

/// Of each Lease that changed hands, whether it did so a whole lease or more after its API server was
/// there again.
type Hands = BTreeMap<String, bool>;

/// Whether a follower had seen the last renewal before nobody answered it any more is chance, and tells
/// whether it takes over at its first look afterwards or a lease later.
fn hands(from: f64, changes: impl Iterator<Item = (f64, String)>) -> Hands {
    let lease = election::Settings::default().lease.as_nanos() as f64 / 1e9;
    changes.map(|(at, lock)| (lock, at - from >= lease)).collect()
}

/// The same as [`replay`], by the first seed of a few with which Leases change hands as recorded, if the
/// recording tells of an outage of all API servers that a lease does not outlast.
fn replay_alike<'r>(
    recording: &'r Recording,
    run: Run<'r>,
    seed: u64,
) -> Result<Played<'r>, String> {
    let taken = run.seen("Lease").filter(|it| it.0 > 0.0 && it.2.contains_key("holder"));
    let taken: Vec<(f64, String)> = taken.map(|it| (it.0, it.1.to_owned())).collect();
    let back = run.outage().filter(|_| !taken.is_empty());
    let Some(back) = back else { return replay(recording, run, seed) };
    let wanted = hands(back, taken.into_iter());
    let mut played = replay(recording, run, seed)?;
    for more in 1..TRIES {
        let leaders = played.ours.moments.iter().filter(|it| it.at >= 0.0);
        let leaders = leaders.filter(|it| it.fact.verb == Verb::Leader);
        let found = leaders.map(|it| (it.at, it.fact.object.name.to_string()));
        if hands(back, found) == wanted {
            break;
        }
        played = replay(recording, run, seed + more * STRIDE)?;
    }
    Ok(played)
}

/// Replays a recording and compares.
///
/// # Errors
/// What of it nobody understands.
pub fn judge(recording: &Recording) -> Result<Verdict, String> {
    let runs = recording.runs();
    let pods = runs.iter().filter_map(|it| it.most_pods()).fold(0.0, f64::max);
    let chance = chance(&runs);
    let count = match chance {
        _ if pods > MANY_PODS => LONG_RUNS,
        Chance::Drawn => CHANCE_RUNS,
        _ => runs.len().max(RUNS),
    };
    let all = if chance == Chance::Noise && count > LONG_RUNS { count * MIDDLE } else { count };
    let played: Result<Vec<Played<'_>>, String> =
        (0..all).map(|at| replay_alike(recording, runs[at % runs.len()], at as u64 + 1)).collect();
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
    Ok(compare(recording, &beside, count))
}
