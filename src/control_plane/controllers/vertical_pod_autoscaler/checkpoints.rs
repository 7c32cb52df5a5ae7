//! The checkpoints there are, and those to be written or deleted (vertical-pod-autoscaler
//! pkg/recommender/checkpoint, pkg/recommender/input/cluster_feeder.go).
//!
//! Owns which object keeps what; refuses to know what is kept.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Known;
use super::histogram::Kept;
use super::usage::Record;
use crate::api::kind::Kind;
use crate::api::misc::Other;
use crate::api::name::Text;
use crate::api::object::Object;
use crate::api::vertical::checkpoint::{Checkpoint, Weights};
use crate::base::id::Id;
use crate::control_plane::controllers::cron_job::Calendar;
use crate::messages::request::Propagation;
use crate::messages::{Call, Part};
use crate::store::Change;
use crate::time::{SimDuration, SimTime};

/// `--checkpoints-gc-interval`.
const COLLECTING: SimDuration = SimDuration::from_secs(600);

/// Namespace, autoscaler, container.
type Key = (Text, Text, Text);

#[derive(Clone, Debug)]
struct Held {
    key: Key,
    /// What it keeps, if somebody else wrote it and it was not gone on from so far.
    found: Option<Box<Record>>,
}

/// All checkpoints.
#[derive(Clone, Debug, Default)]
pub struct Checkpoints {
    held: BTreeMap<Id<Other>, Held>,
    by_key: BTreeMap<Key, Id<Other>>,
    /// Writes under way, and those of new ones that were not seen yet.
    writing: BTreeMap<u32, Key>,
    made: BTreeSet<Key>,
    last_serial: u32,
    collected: SimTime,
}

/// What is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// The autoscaler's namespace.
    pub namespace: &'a Text,
    /// Its name.
    pub vertical: &'a Text,
    /// The container's.
    pub container: &'a Text,
    /// What is to be kept.
    pub record: &'a Record,
}

impl Checkpoints {
    /// The process starts.
    pub fn begin(&mut self, now: SimTime) {
        self.collected = now;
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// One changed.
    pub fn changed(&mut self, change: &Change<'_, Other>, calendar: Calendar) {
        let Some(new) = change.new else {
            if let Some(held) = self.held.remove(&change.id) {
                self.by_key.remove(&held.key);
            }
            return;
        };
        if self.held.contains_key(&change.id) {
            return;
        }
        let Some((vertical, container)) = Checkpoint::names(new) else { return };
        let key = (new.meta.namespace.clone(), vertical, container);
        let is_ours = self.made.remove(&key);
        let found = Checkpoint::of(new).filter(|_| !is_ours);
        let found = found.map(|it| Box::new(record(&it, calendar)));
        self.by_key.insert(key.clone(), change.id);
        self.held.insert(change.id, Held { key, found });
    }

    /// What is kept of an autoscaler's containers and was not gone on from so far.
    pub fn take_found(&mut self, namespace: &Text, vertical: &Text) -> Vec<(Text, Record)> {
        let start = (namespace.clone(), vertical.clone(), Text::default());
        let all = self.by_key.range(start..);
        let all = all.take_while(|((space, name, _), _)| space == namespace && name == vertical);
        let mut taken = Vec::new();
        for ((_, _, container), id) in all {
            let found = self.held.get_mut(id).and_then(|held| held.found.take());
            taken.extend(found.map(|record| (container.clone(), *record)));
        }
        taken
    }

    /// The call that keeps something, unless another one for it is under way.
    pub fn write(
        &mut self,
        written: &Written<'_>,
        calendar: Calendar,
        now: SimTime,
        known: Known<'_>,
    ) -> Option<(u32, Call)> {
        let Written { namespace, vertical, container, record } = *written;
        let key = (namespace.clone(), vertical.clone(), container.clone());
        if self.made.contains(&key) || self.writing.values().any(|it| *it == key) {
            return None;
        }
        let checkpoint = checkpoint(vertical, container, record, calendar);
        let held = self.by_key.get(&key).and_then(|&id| Some((id, known.view.get(id)?)));
        let next = checkpoint.object(namespace, held.map(|(_, it)| it), calendar.at(now));
        let object = Object::Other(Box::new(next));
        let call = match held {
            Some((id, _)) => Call::Update { id: id.into(), object, base: None, part: Part::Main },
            None => {
                self.made.insert(key.clone());
                Call::Create(object)
            }
        };
        Some((self.send(key), call))
    }

    /// Calls that delete checkpoints of autoscalers that are gone, when it is time to look for them.
    pub fn orphans(
        &mut self,
        now: SimTime,
        is_there: impl Fn(&Text, &Text) -> bool,
    ) -> Vec<(u32, Call)> {
        if now.saturating_since(self.collected) <= COLLECTING {
            return Vec::new();
        }
        self.collected = now;
        let all = self.held.iter().filter(|(_, held)| !is_there(&held.key.0, &held.key.1));
        let all: Vec<(Id<Other>, Key)> = all.map(|(&id, held)| (id, held.key.clone())).collect();
        let delete = |(id, key): (Id<Other>, Key)| {
            let call = Call::Delete {
                kind: Kind::Other,
                id: id.into(),
                uid: None,
                grace_seconds: None,
                propagation: Propagation::Background,
            };
            (self.send(key), call)
        };
        all.into_iter().map(delete).collect()
    }

    fn send(&mut self, key: Key) -> u32 {
        self.last_serial = self.last_serial.wrapping_add(1);
        self.writing.insert(self.last_serial, key);
        self.last_serial
    }

    /// The answer to a call.
    pub fn reply(&mut self, serial: u32, is_done: bool) {
        // What was made is seen later; until then it is not made again.
        if let Some(key) = self.writing.remove(&serial)
            && !is_done
        {
            self.made.remove(&key);
        }
    }
}

/// An instant of the calendar, in nanoseconds from the start of the run.
fn nanos(at: Timestamp, calendar: Calendar) -> i64 {
    let start = i128::from(calendar.epoch_seconds) * 1_000_000_000;
    i64::try_from(at.as_nanosecond().saturating_sub(start)).unwrap_or(i64::MIN)
}

/// The other way round.
fn instant(nanos: i64, calendar: Calendar) -> Timestamp {
    let start = i128::from(calendar.epoch_seconds) * 1_000_000_000;
    Timestamp::from_nanosecond(start + i128::from(nanos)).unwrap_or(Timestamp::MIN)
}

fn record(checkpoint: &Checkpoint, calendar: Calendar) -> Record {
    let kept = |weights: &Weights| Kept {
        reference: weights.reference.map_or(0, |at| nanos(at, calendar)),
        buckets: weights.buckets.clone(),
        total: weights.total,
    };
    let span = checkpoint.span;
    Record {
        cpu: kept(&checkpoint.cpu),
        memory: kept(&checkpoint.memory),
        span: span.map(|(first, last)| (nanos(first, calendar), nanos(last, calendar))),
        samples: checkpoint.samples,
    }
}

fn checkpoint(
    vertical: &Text,
    container: &Text,
    record: &Record,
    calendar: Calendar,
) -> Checkpoint {
    let weights = |kept: &Kept| Weights {
        reference: Some(instant(kept.reference, calendar)),
        buckets: kept.buckets.clone(),
        total: kept.total,
    };
    let span = record.span;
    Checkpoint {
        vertical: vertical.clone(),
        container: container.clone(),
        span: span.map(|(first, last)| (instant(first, calendar), instant(last, calendar))),
        samples: record.samples,
        cpu: weights(&record.cpu),
        memory: weights(&record.memory),
    }
}
