//! What happens to programs that do not behave: that ignore SIGTERM, that want more memory or more processor than
//! they may have.

use super::cycle::{between, end_of, started};
use super::machine::wait;
use super::{Amount, Halted, Place, side_by_side};
use crate::calibration::sitting::Sample;
use crate::scenario::profile::{Ceiling, Oom, Phase};
use crate::time::SimDuration;

/// The grace of programs that ignore SIGTERM, in seconds.
const GRACE: u32 = 1;
/// The most memory a program may have that wants all.
const MEMORY: i64 = 32 << 20;
/// Quotas in thousandths of a core, and threads that want a core each.
const QUOTAS: [(u32, u32); 4] = [(100, 1), (200, 1), (500, 2), (1000, 2)];

/// Stops programs that do not listen; what is kept is the time beyond their grace.
pub(super) fn ignored(
    place: &Place<'_>,
    in_flight: u32,
    count: u32,
) -> Result<Vec<Sample>, Halted> {
    let work = || {
        let client = place.client().clone();
        let mut samples = Vec::new();
        for _ in 0..count {
            place.go_on()?;
            let sandbox = place.runtime.sandbox(&place.name("deaf"));
            let pod = client.run_pod_sandbox(&sandbox)?.value;
            let container = place.container("deaf", &["stop=never"]);
            let (id, _) = started(&client, (&pod, &sandbox), &container, &mut |_, _| {})?;
            let took = client.stop_container(&id, GRACE)?.took;
            let took = took.saturating_sub(SimDuration::from_secs(GRACE.into()));
            samples.push(Sample { phase: Phase::StopIgnored, in_flight, took });
            // Another one lives when its sandbox goes.
            let container = place.container("alive", &[]);
            started(&client, (&pod, &sandbox), &container, &mut |_, _| {})?;
            let took = client.stop_pod_sandbox(&pod)?.took;
            samples.push(Sample { phase: Phase::StopPodSandboxLive, in_flight, took });
            client.remove_pod_sandbox(&pod)?;
        }
        Ok(samples)
    };
    side_by_side(in_flight, &work)
}

/// Runs programs out of their memory.
pub(super) fn oom(place: &Place<'_>, runs: u32, samples: &mut Vec<Sample>) -> Result<Oom, Halted> {
    let client = place.client();
    let mut found = Oom { runs, seen: 0 };
    for _ in 0..runs {
        place.go_on()?;
        let sandbox = place.runtime.sandbox(&place.name("hoard"));
        let pod = client.run_pod_sandbox(&sandbox)?.value;
        let mut container = place.container("hoard", &["memory=0:0:268435456:200"]);
        container.memory_limit = MEMORY;
        let (id, _) = started(client, (&pod, &sandbox), &container, &mut |_, _| {})?;
        let (told, seen) = end_of(client, &id)?;
        found.seen += u32::from(told.exit_code == 137 && told.reason == "OOMKilled");
        let took = between(told.finished, seen);
        samples.push(Sample { phase: Phase::OomToSeen, in_flight: 1, took });
        client.stop_pod_sandbox(&pod)?;
        client.remove_pod_sandbox(&pod)?;
    }
    Ok(found)
}

/// Holds programs back that want all they can have.
pub(super) fn quota(
    place: &Place<'_>,
    amount: Amount,
    samples: &mut Vec<Sample>,
) -> Result<Vec<Ceiling>, Halted> {
    let client = place.client();
    let mut found = Vec::new();
    for (quota, threads) in QUOTAS {
        place.go_on()?;
        let sandbox = place.runtime.sandbox(&place.name("held"));
        let pod = client.run_pod_sandbox(&sandbox)?.value;
        let wanted = u64::from(threads) * 1_000_000_000;
        let mut container = place.container("held", &[&format!("burn=0:{wanted}:{wanted}:0")]);
        container.cpu_limit_milli = quota.into();
        let (id, _) = started(client, (&pod, &sandbox), &container, &mut |_, _| {})?;
        // The first periods go to its start.
        wait(SimDuration::from_millis(300));
        let before = client.container_stats(&id)?.value;
        wait(amount.watched);
        let after = client.container_stats(&id)?.value;
        let span = between(before.at, after.at).as_nanos().max(1);
        let used = after.cpu_nanos.saturating_sub(before.cpu_nanos) * 1000 / span;
        found.push(Ceiling { quota, threads, used: used as u32 });
        for _ in 0..amount.execs {
            let exec = client.exec_sync(&id, &["/program".to_owned(), "true".to_owned()], 30)?;
            let (phase, took) = (Phase::ExecUnderQuota, exec.took);
            samples.push(Sample { phase, in_flight: 1, took });
        }
        client.stop_container(&id, 0)?;
        client.stop_pod_sandbox(&pod)?;
        client.remove_pod_sandbox(&pod)?;
    }
    Ok(found)
}
