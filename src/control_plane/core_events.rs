//! Events as an API server has them: who said what of which object, how often and when.
//!
//! Owns the way from what components say ([`CoreEvent`]) to stored Events: the memory of each speaker's
//! broadcaster (one file each for client-go's two kinds), names, and the hour after which one is gone. Refuses to
//! know what is worth saying: the words lie with those who decide. Nothing of it influences the run; it is there
//! only where somebody listens, as `wavetank get` and `explain` do when they run a run again. That Events cost
//! their senders requests is another thing, which `controllers::events` counts in every run.
//!
//! ```text
//! component ─ say ─▶ correlator (v1)        ─┐
//!                  └ series (events.k8s.io) ─┴─▶ stored ─ 1 h ─▶ gone
//! ```
//! An Event is stored at the instant at which it is said: that it takes its sender a request, which waits for its
//! client's tokens and may fail, does not delay it here.

mod correlator;
mod lru;
mod series;
pub mod spam;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use crate::api::name::{Name, Text};
use crate::base::hash::StableHasher;
use crate::messages::core_event::{About, CoreEvent, Remark, Source};
use crate::store::Rev;
use crate::time::{SimDuration, SimTime};

use correlator::Correlator;
use series::Broadcaster;

/// How long an Event is kept after it was written last (`--event-ttl`, kube-apiserver 1.36).
const TTL: SimDuration = SimDuration::from_secs(3600);

/// What tells Events about one object apart: about its instant in nanoseconds, never twice the same.
pub type Stamp = u64;

/// A stored Event.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Who speaks.
    pub source: Source,
    /// Of what.
    pub about: About,
    /// What was said last.
    pub remark: Remark,
    /// How often it was said.
    pub count: u32,
    /// When first.
    pub first: SimTime,
    /// When last.
    pub last: SimTime,
    /// Nanoseconds since the start of the run that its name is made of.
    pub stamp: Stamp,
    written: SimTime,
}

/// Which speakers are no more: what their broadcasters remembered is lost.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speakers<'a> {
    /// Controllers of a controller manager.
    Controllers,
    /// A scheduler.
    Scheduler,
    /// The kubelet of the node of this name.
    Kubelet(&'a Name),
}

/// All Events of a run.
#[derive(Clone, Debug, Default)]
pub struct CoreEvents {
    correlators: BTreeMap<Source, Correlator>,
    broadcasters: BTreeMap<Source, Broadcaster>,
    stored: BTreeMap<Stamp, Stored>,
    /// Writes in their order: what is to go after its time.
    writes: VecDeque<(SimTime, Stamp)>,
    stamp: Stamp,
}

impl CoreEvents {
    /// Something was said.
    pub fn hear(&mut self, now: SimTime, mut event: CoreEvent) {
        self.settle(now);
        self.stamp = now.as_nanos().max(self.stamp + 1);
        let stamp = self.stamp;
        match &event.source {
            Source::Core { .. } => {
                let correlator = self.correlators.entry(event.source.clone()).or_default();
                let Some(seen) = correlator.correlate(&mut event, now, stamp) else { return };
                self.write(seen.stamp, now, |held| {
                    let (count, first, last) = (seen.count, seen.first, now);
                    Some(match held {
                        Some(held) => Stored { remark: event.remark, count, last, ..held },
                        None => Stored { count, first, ..fresh(event, now, seen.stamp) },
                    })
                });
            }
            &Source::Series { ref component, instance, action, of } => {
                let speaker = speaker(component, instance);
                let broadcaster = self.broadcasters.entry(speaker).or_default();
                let (series, is_written) = broadcaster.note(&event, (action, of), now, stamp);
                if is_written {
                    self.write(series.stamp, now, |held| {
                        let held = held.unwrap_or_else(|| fresh(event, now, series.stamp));
                        Some(Stored { count: series.count, last: now, ..held })
                    });
                }
            }
        }
    }

    /// Time has come to `now`: what is older than its time is gone.
    pub fn settle(&mut self, now: SimTime) {
        let all = self.broadcasters.values_mut();
        let written: Vec<_> = all.flat_map(|it| it.settle(now)).collect();
        for (series, at) in written {
            self.write(series.stamp, at, |held| {
                Some(Stored { count: series.count, last: series.last, ..held? })
            });
        }
        while let Some(&(at, stamp)) = self.writes.front() {
            if at + TTL > now {
                break;
            }
            self.writes.pop_front();
            if self.stored.get(&stamp).is_some_and(|it| it.written == at) {
                self.stored.remove(&stamp);
            }
        }
    }

    /// A namespace is gone, and its Events with it.
    pub fn namespace_gone(&mut self, namespace: &str) {
        self.stored.retain(|_, it| *it.about.namespace != *namespace);
    }

    /// Speakers ended: new ones know nothing of what they said.
    pub fn ended(&mut self, speakers: Speakers<'_>) {
        match speakers {
            Speakers::Scheduler => self.broadcasters.clear(),
            Speakers::Controllers => {
                self.correlators.retain(|it, _| matches!(it, Source::Core { host: Some(_), .. }));
            }
            Speakers::Kubelet(node) => self.correlators.retain(|it, _| match it {
                Source::Core { host: Some(host), .. } => host != node,
                _ => true,
            }),
        }
    }

    /// The Event of this stamp, if it is still there.
    pub fn get(&self, stamp: Stamp) -> Option<&Stored> {
        self.stored.get(&stamp)
    }

    /// All Events there are, in the order in which they were said first.
    pub fn iter(&self) -> impl Iterator<Item = &Stored> {
        self.stored.values()
    }

    fn write(
        &mut self,
        stamp: Stamp,
        at: SimTime,
        work: impl FnOnce(Option<Stored>) -> Option<Stored>,
    ) {
        if let Some(next) = work(self.stored.remove(&stamp)) {
            self.stored.insert(stamp, Stored { written: at, ..next });
            self.writes.push_back((at, stamp));
        }
    }
}

fn fresh(event: CoreEvent, now: SimTime, stamp: Stamp) -> Stored {
    let CoreEvent { source, about, remark } = event;
    Stored { source, about, remark, count: 1, first: now, last: now, stamp, written: now }
}

/// The speaker alone, whatever it does and of which revision.
fn speaker(component: &Text, instance: u8) -> Source {
    Source::Series { component: component.clone(), instance, action: "", of: Rev::ZERO }
}

/// A hash of the object an Event is about, without the part of it.
fn hash_about(about: &About) -> StableHasher {
    let of_kind = StableHasher::new().text(about.kind.name()).text(&about.namespace);
    about.name.fold(of_kind).word(about.uid.map_or(0, |uid| uid.0))
}
