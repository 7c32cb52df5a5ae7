//! What client-go's tools/record does with the Events of one process before they are sent
//! (`EventCorrelator`, events_cache.go, 1.36).
//!
//! ```text
//! event ─ similar ones combined ─ equal ones counted ─ spam filter ─▶ stored or counted up
//!            10 messages in 600 s                          └─▶ dropped, but counted
//! ```

use super::lru::Lru;
use super::spam::SpamFilter;
use super::{Stamp, hash_about};
use crate::base::hash::StableHasher;
use crate::messages::CoreEvent;
use crate::time::{SimDuration, SimTime};

/// From so many different messages on, Events alike but for it are combined.
const SIMILAR_MAX: usize = 10;
/// As long as no more than this lies between them.
const SIMILAR_WITHIN: SimDuration = SimDuration::from_secs(600);
/// What a combined one begins with.
const COMBINED: &str = "(combined from similar events): ";

/// Messages of Events that are alike but for it.
#[derive(Clone, Debug, Default)]
struct Similar {
    messages: Vec<u64>,
    last: SimTime,
}

/// How often an Event was seen, dropped ones included, and as which it was stored.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Observed {
    pub count: u32,
    pub first: SimTime,
    pub stamp: Stamp,
}

/// The memory of one broadcaster.
#[derive(Clone, Debug, Default)]
pub(super) struct Correlator {
    similar: Lru<u64, Similar>,
    equal: Lru<u64, Observed>,
    spam: SpamFilter<u64>,
}

impl Correlator {
    /// Takes note of an Event, whose message may change; none if it is dropped. `stamp` names it if
    /// it is a new one.
    pub fn correlate(
        &mut self,
        event: &mut CoreEvent,
        now: SimTime,
        stamp: Stamp,
    ) -> Option<Observed> {
        let remark = &mut event.remark;
        let object = hash_about(&event.about);
        let alike = object.text(remark.tone.name()).text(&remark.reason);
        let part = event.about.field.as_deref().unwrap_or_default();
        let own = alike.text(part).text(&remark.message).finish();
        let alike = alike.word(1).finish();
        let message = StableHasher::new().text(&remark.message).finish();
        let is_combined = self.similar.with(alike, |similar| similar.reaches_max(message, now));
        if is_combined {
            remark.message.insert_str(0, COMBINED);
        }
        let observed = self.equal.with(if is_combined { alike } else { own }, |held| {
            if held.count == 0 {
                *held = Observed { count: 0, first: now, stamp };
            }
            held.count += 1;
            *held
        });
        self.spam.passes(object.finish(), now).then_some(observed)
    }
}

impl Similar {
    fn reaches_max(&mut self, message: u64, now: SimTime) -> bool {
        if now.saturating_since(self.last) > SIMILAR_WITHIN {
            self.messages.clear();
        }
        self.last = now;
        if !self.messages.contains(&message) {
            self.messages.push(message);
        }
        if self.messages.len() < SIMILAR_MAX {
            return false;
        }
        // Kubernetes forgets any of them, we the oldest.
        self.messages.remove(0);
        true
    }
}
