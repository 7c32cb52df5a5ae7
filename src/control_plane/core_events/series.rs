//! What client-go's tools/events does with the Events of one process (`eventBroadcasterImpl`, 1.36):
//! nothing is dropped or combined; of equal ones the second begins a series, which is written again
//! now and then.

use super::{Stamp, hash_about};
use crate::base::FastMap;
use crate::messages::CoreEvent;
use crate::store::Rev;
use crate::time::{SimDuration, SimTime};

/// How often series are looked at, and how long one lives on without news (`finishTime`).
const FINISH: SimDuration = SimDuration::from_secs(6 * 60);
/// How often living ones are written (`refreshTime`).
const REFRESH: SimDuration = SimDuration::from_secs(30 * 60);

/// Equal Events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Series {
    pub stamp: Stamp,
    pub count: u32,
    pub last: SimTime,
}

/// The memory of one broadcaster.
#[derive(Clone, Debug, Default)]
pub(super) struct Broadcaster {
    series: FastMap<u64, Series>,
    /// Up to when it is settled.
    settled: SimTime,
}

impl Broadcaster {
    /// Takes note of an Event: how many equal ones there are, and whether that is written at once.
    pub fn note(
        &mut self,
        event: &CoreEvent,
        (action, of): (&str, Rev),
        now: SimTime,
        stamp: Stamp,
    ) -> (Series, bool) {
        let key = hash_about(&event.about)
            .text(event.remark.tone.name())
            .text(&event.remark.reason)
            .text(action)
            .word(of.0)
            .finish();
        let fresh = Series { stamp, count: 0, last: now };
        let series = self.series.entry(key).or_insert(fresh);
        (series.count, series.last) = (series.count + 1, now);
        (*series, series.count <= 2)
    }

    /// Time has come to `now`: which series were written since it was asked last.
    pub fn settle(&mut self, now: SimTime) -> Vec<(Series, SimTime)> {
        let mut written = Vec::new();
        let mut next = after(self.settled, FINISH).min(after(self.settled, REFRESH));
        while next <= now {
            if next.as_nanos().is_multiple_of(REFRESH.as_nanos()) {
                let living = self.series.values().filter(|it| it.count > 1);
                written.extend(living.map(|it| (*it, next)));
            }
            if next.as_nanos().is_multiple_of(FINISH.as_nanos()) {
                self.series.retain(|_, it| {
                    let is_over = it.last + FINISH < next;
                    if is_over && it.count > 1 {
                        written.push((*it, next));
                    }
                    !is_over
                });
            }
            self.settled = next;
            next = after(next, FINISH).min(after(next, REFRESH));
        }
        written.sort_by_key(|(it, at)| (*at, it.stamp));
        written
    }
}

/// The first multiple of `step` after `at`.
fn after(at: SimTime, step: SimDuration) -> SimTime {
    let steps = at.as_nanos() / step.as_nanos() + 1;
    SimTime::from_nanos(steps * step.as_nanos())
}
