//! Pulls of images of several shapes, from a registry of our own on loopback: no network is in them.

use std::sync::atomic::{AtomicBool, Ordering};

use super::machine::spent;
use super::{Amount, Halted, Images};
use crate::calibration::pulls::PullSample;
use crate::calibration::sitting::{Sample, Sitting};
use crate::node::container_engine::linux::{Filling, LinuxRuntime, PROGRAM, Recipe};
use crate::scenario::profile::Phase;

/// 2^20 bytes.
const MEBIBYTE: u64 = 1 << 20;
/// Mebibytes, files and layers of the images, the small ones first.
const SHAPES: [(u64, u32, u32); 8] = [
    (0, 0, 0),
    (1, 1, 1),
    (16, 4, 1),
    (8, 500, 1),
    (64, 16, 1),
    (64, 16, 4),
    (16, 2000, 1),
    (32, 6000, 1),
];
/// How many of them are small.
const FEW: usize = 4;

/// Pulls each image several times, and again while it is there; the second value is how many thousandths of the
/// time the engine's own process worked.
pub(super) fn pulls(
    runtime: &LinuxRuntime,
    amount: Amount,
    interrupt: &AtomicBool,
) -> Result<(Sitting, u32), Halted> {
    let shapes = match amount.images {
        Images::Few => &SHAPES[..FEW],
        Images::All => &SHAPES[..],
    };
    let mut found = Sitting::default();
    let (mut took_all, mut worked) = (0, 0);
    for (number, (mebibytes, files, layers)) in shapes.iter().copied().enumerate() {
        let filling = Filling { bytes: mebibytes * MEBIBYTE, files, layers };
        let name = format!("wavetank/filled-{number}:1");
        let image = runtime.offer(&Recipe { filling, ..Recipe::program(&name, &["run"]) })?;
        let client = runtime.client().clone();
        let process = runtime.daemon_id();
        // The first of all pulls finds caches cold that are warm ever after.
        for pull in 0..amount.pulls + u32::from(number == 0) {
            if interrupt.load(Ordering::Relaxed) {
                return Err(Halted::Interrupted);
            }
            let before = process.and_then(spent);
            let took = client.pull_image(&image)?.took;
            let after = process.and_then(spent);
            if number > 0 || pull > 0 {
                let bytes = filling.bytes + PROGRAM.len() as u64;
                let files = u64::from(files) + 1;
                found.pulls.push(PullSample { bytes, files, took });
                took_all += took.as_nanos();
                worked +=
                    after.zip(before).map_or(0, |(after, before)| after.saturating_sub(before));
            }
            let mut keep = |phase, took| found.samples.push(Sample { phase, in_flight: 1, took });
            keep(Phase::PullPresent, client.pull_image(&image)?.took);
            keep(Phase::RemoveImage, client.remove_image(&image)?.took);
        }
    }
    let work = worked.saturating_mul(1000) / took_all.max(1);
    Ok((found, work.min(1000) as u32))
}
