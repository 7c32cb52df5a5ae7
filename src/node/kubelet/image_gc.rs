//! Images that nobody uses go when a node's disk gets full (kubelet 1.36 `pkg/kubelet/images/image_gc_manager.go`).

use super::duties::{Duty, next_after};
use super::{Kubelets, Timer};
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::messages::engine::IdleImage;
use crate::messages::{Component, Effects, Fact, Remark, Verb};
use crate::node::NodeIndex;
use crate::time::{SimDuration, SimTime};

/// When images are removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// `imageGCHighThresholdPercent`: from here on, and 100 never.
    pub high: u8,
    /// `imageGCLowThresholdPercent`: down to here.
    pub low: u8,
    /// `imageMinimumGCAge`: none that is younger.
    pub min_age: SimDuration,
    /// `imageMaximumGCAge`: all that are unused for longer, whatever the disk; zero: none.
    pub max_age: SimDuration,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            high: 85,
            low: 80,
            min_age: SimDuration::from_secs(120),
            max_age: SimDuration::ZERO,
        }
    }
}

impl Policy {
    /// The same with these thresholds, in percent of the disk.
    ///
    /// # Errors
    /// In the kubelet's words, if they are none.
    pub fn between(self, high: i64, low: i64) -> Result<Policy, String> {
        let percent = |name: &str, value: i64| {
            let wrong =
                || format!("invalid {name}ThresholdPercent {value}, must be in range [0-100]");
            u8::try_from(value).ok().filter(|it| *it <= 100).ok_or_else(wrong)
        };
        let high = percent("High", high)?;
        let low = percent("Low", low)?;
        if low > high {
            return Err(format!(
                "LowThresholdPercent {low} can not be higher than HighThresholdPercent {high}"
            ));
        }
        Ok(Policy { high, low, ..self })
    }

    /// How many bytes are to go of a disk of `capacity`, of which `available` are free; none while it is not full.
    pub fn excess(&self, capacity: u64, available: u64) -> Option<u64> {
        let used = 100 - (available.min(capacity) as u128 * 100 / capacity.max(1) as u128) as u64;
        let is_full = self.high < 100 && used >= u64::from(self.high);
        let may_stay = u128::from(capacity) * u128::from(100 - self.low) / 100;
        let wanted = (may_stay as u64).saturating_sub(available);
        (is_full && wanted > 0).then_some(wanted)
    }
}

/// Which images go at `now`, and how many bytes come of it: those unused for too long, and for `wanted` bytes the
/// least recently used first, but none that is too young.
pub fn doomed(policy: &Policy, idle: &[IdleImage], wanted: u64, now: SimTime) -> (Vec<u32>, u64) {
    let age = |since: SimTime| now.saturating_since(since);
    let mut order: Vec<&IdleImage> = idle.iter().collect();
    order.sort_by_key(|one| (one.used, one.since, one.image));
    let (mut gone, mut freed) = (Vec::new(), 0);
    for one in order {
        let is_old = !policy.max_age.is_zero() && age(one.used) > policy.max_age;
        let is_needed = freed < wanted && one.used < now && age(one.since) >= policy.min_age;
        if is_old || is_needed {
            gone.push(one.image);
            freed += one.bytes;
        }
    }
    (gone, freed)
}

/// What is said where not enough could go.
pub fn failure(wanted: u64, freed: u64) -> String {
    format!(
        "Failed to garbage collect required amount of images. Attempted to free {wanted} bytes, but only found \
         {freed} bytes eligible to free."
    )
}

impl Kubelets {
    /// Images of a node were looked at because it `wanted` so many bytes, and `freed` so many with them: its next
    /// status tells of fewer, and Events that it was not enough (`GarbageCollect`, `StartGarbageCollection`).
    pub fn images_collected(
        &mut self,
        at: NodeIndex,
        (wanted, freed, images): (u64, u64, usize),
        fx: &mut Effects<Timer>,
    ) {
        let cadence = Duty::Status.cadence(self.luck, &self.nodes[at.row()].meta.name);
        let node = &mut self.nodes[at.row()];
        if images > 0 {
            let name = ObjectName::of(Kind::Node, &node.meta);
            let fact = Fact::new(Component::Kubelet, Verb::ImagesRemoved, name).on(&node.meta.name);
            let cause = fx.fact(fact.with("images", images as i64).with("bytes", freed as i64));
            node.images_changed = Some(cause);
            fx.arm_at(next_after(cadence, fx.now()), Timer::Status(at));
        }
        let has_failed = freed < wanted;
        let again = std::mem::replace(&mut node.images_failed, has_failed) && has_failed;
        if has_failed {
            let text = || failure(wanted, freed);
            fx.say(|| Some(node.event(Remark::warning("FreeDiskSpaceFailed", text()))));
            if again {
                fx.say(|| Some(node.event(Remark::warning("ImageGCFailed", text()))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn idle(image: u32, bytes: u64, since: u64, used: u64) -> IdleImage {
        IdleImage { image, bytes, since: SimTime::from_secs(since), used: SimTime::from_secs(used) }
    }

    #[test]
    fn a_disk_is_full_from_the_high_threshold_and_emptied_to_the_low_one() {
        let policy = Policy::default();
        assert_eq!(policy.excess(1000, 151), Some(49), "84.9 % count as 85");
        assert_eq!(policy.excess(1000, 160), None);
        assert_eq!(policy.excess(1000, 150), Some(50));
        assert_eq!(policy.excess(1000, 0), Some(200));
        assert_eq!(Policy { high: 100, ..policy }.excess(1000, 0), None, "off");
    }

    #[test]
    fn the_least_recently_used_go_first_and_the_young_stay() {
        let policy = Policy::default();
        let now = SimTime::from_secs(1000);
        let all = [idle(1, 10, 0, 500), idle(2, 20, 0, 100), idle(3, 30, 950, 950)];
        assert_eq!(doomed(&policy, &all, 15, now), (vec![2], 20));
        assert_eq!(doomed(&policy, &all, 90, now), (vec![2, 1], 30), "not enough");
        let old = Policy { max_age: SimDuration::from_secs(600), ..policy };
        assert_eq!(doomed(&old, &all, 0, now), (vec![2], 20), "unused for too long");
    }
}
