//! How fast an autoscaler may move: what it recommended before, what it did, and the bounds these
//! set to what it does next. Pure rules (`horizontal.go`: `stabilizeRecommendation`,
//! `convertDesiredReplicas…`, `storeScaleEvent`, kube-controller-manager 1.36).

use crate::api::autoscaling::{Behavior, PolicyKind, ScalingRules, SelectPolicy};
use crate::time::{SimDuration, SimTime};

/// A number that was worked out, before anything held it back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recommendation {
    /// The number.
    pub replicas: i32,
    /// When.
    pub at: SimTime,
}

/// A change that was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScaleEvent {
    /// By how many, in its direction.
    pub change: i32,
    /// When.
    pub at: SimTime,
    /// Whether it lies before every period that matters: its place may be taken.
    pub is_outdated: bool,
}

/// What is remembered of one autoscaler. It is lost with its controller manager.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    /// What was recommended.
    pub recommendations: Vec<Recommendation>,
    /// What was added.
    pub ups: Vec<ScaleEvent>,
    /// What was taken away.
    pub downs: Vec<ScaleEvent>,
}

/// Why a number was kept from what it would be, or was not: reason and message of a condition.
pub type Limit = (&'static str, &'static str);

const WITHIN_RANGE: Limit =
    ("DesiredWithinRange", "the desired count is within the acceptable range");
const SCALE_UP_LIMIT: Limit =
    ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate");
const SCALE_DOWN_LIMIT: Limit = (
    "ScaleDownLimit",
    "the desired replica count is decreasing faster than the maximum scale rate",
);
const TOO_MANY: Limit =
    ("TooManyReplicas", "the desired replica count is more than the maximum replica count");
const TOO_FEW: Limit =
    ("TooFewReplicas", "the desired replica count is less than the minimum replica count");
const UP_STABILIZED: Limit = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
);
const DOWN_STABILIZED: Limit = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
);

/// Lowest and highest number an autoscaler may come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bounds {
    /// `minReplicas`.
    pub min: i32,
    /// `maxReplicas`.
    pub max: i32,
}

/// A number and what came of it: whether earlier recommendations held it back, and bounds and rates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Normalized {
    /// What earlier recommendations leave of it.
    pub stabilized: i32,
    /// Why they did, if they did.
    pub stabilizing: Option<Limit>,
    /// What bounds and rates leave of that.
    pub replicas: i32,
    /// Why, or that they did not.
    pub limiting: Limit,
}

fn before(at: SimTime, window: SimDuration, now: SimTime) -> bool {
    at + window < now
}

fn after(at: SimTime, window: SimDuration, now: SimTime) -> bool {
    at + window > now
}

impl Memory {
    /// Puts a recommendation in the place of the one at `old`, or after all others.
    fn note(&mut self, replicas: i32, now: SimTime, old: Option<usize>) {
        let new = Recommendation { replicas, at: now };
        match old {
            Some(at) => self.recommendations[at] = new,
            None => self.recommendations.push(new),
        }
    }

    /// Without `behavior`: the highest recommendation of `window` counts
    /// (`stabilizeRecommendation`).
    pub fn stabilize(&mut self, desired: i32, window: SimDuration, now: SimTime) -> i32 {
        let is_old = |one: &Recommendation| before(one.at, window, now);
        let recent = self.recommendations.iter().filter(|one| !is_old(one));
        let highest = recent.map(|one| one.replicas).fold(desired, i32::max);
        let old = self.recommendations.iter().rposition(is_old);
        self.note(desired, now, old);
        highest
    }

    /// With `behavior`: up no further than the lowest, down no further than the highest
    /// recommendation of each window (`stabilizeRecommendationWithBehaviors`).
    pub fn stabilize_both_ways(
        &mut self,
        (current, desired): (i32, i32),
        (up, down): (SimDuration, SimDuration),
        now: SimTime,
    ) -> i32 {
        let (mut lowest, mut highest, mut old) = (desired, desired, None);
        for (at, one) in self.recommendations.iter().enumerate() {
            if after(one.at, up, now) {
                lowest = lowest.min(one.replicas);
            }
            if after(one.at, down, now) {
                highest = highest.max(one.replicas);
            }
            if before(one.at, up, now) && before(one.at, down, now) {
                old = Some(at);
            }
        }
        self.note(desired, now, old);
        current.max(lowest).min(highest)
    }

    /// A change was made (`storeScaleEvent`). Without `behavior` nobody asks.
    pub fn scaled(&mut self, behavior: Option<&Behavior>, (from, to): (i32, i32), now: SimTime) {
        let Some(behavior) = behavior else { return };
        let (events, rules, change) = match to > from {
            true => (&mut self.ups, &behavior.up, to - from),
            false => (&mut self.downs, &behavior.down, from - to),
        };
        store(events, Some(rules), change, now);
    }

    /// The recommendation `desired` within what `behavior` and `bounds` leave of it.
    pub fn normalize(
        &mut self,
        behavior: Option<&Behavior>,
        (current, desired): (i32, i32),
        bounds: Bounds,
        down_window: SimDuration,
        now: SimTime,
    ) -> Normalized {
        let Some(behavior) = behavior else {
            let stabilized = self.stabilize(desired, down_window, now);
            let (replicas, limiting) = bounded(current, stabilized, bounds);
            let stabilizing = (stabilized != desired).then_some(DOWN_STABILIZED);
            return Normalized { stabilized, stabilizing, replicas, limiting };
        };
        let window = |rules: &ScalingRules, own| {
            rules.window_seconds.map_or(own, |seconds| SimDuration::from_secs(seconds.into()))
        };
        let windows =
            (window(&behavior.up, SimDuration::ZERO), window(&behavior.down, down_window));
        let stabilized = self.stabilize_both_ways((current, desired), windows, now);
        let why = if desired >= current { UP_STABILIZED } else { DOWN_STABILIZED };
        let (replicas, limiting) = self.rated(behavior, (current, stabilized), bounds, now);
        let stabilizing = (stabilized != desired).then_some(why);
        Normalized { stabilized, stabilizing, replicas, limiting }
    }

    /// Within what the policies of `behavior` allow (`convertDesiredReplicasWithBehaviorRate`).
    pub fn rated(
        &self,
        behavior: &Behavior,
        (current, desired): (i32, i32),
        bounds: Bounds,
        now: SimTime,
    ) -> (i32, Limit) {
        if desired > current {
            let limit = self.up_limit(&behavior.up, current, now).max(current);
            let (most, why) = match bounds.max > limit {
                true => (limit, SCALE_UP_LIMIT),
                false => (bounds.max, TOO_MANY),
            };
            if desired > most {
                return (most, why);
            }
        } else if desired < current {
            let limit = self.down_limit(&behavior.down, current, now).min(current);
            let (least, why) = match bounds.min < limit {
                true => (limit, SCALE_DOWN_LIMIT),
                false => (bounds.min, TOO_FEW),
            };
            if desired < least {
                return (least, why);
            }
        }
        (desired, WITHIN_RANGE)
    }

    /// How many there were when the last `seconds` began.
    fn at_start_of(&self, seconds: u32, current: i32, now: SimTime) -> i32 {
        current - changed_within(seconds, &self.ups, now)
            + changed_within(seconds, &self.downs, now)
    }

    fn up_limit(&self, rules: &ScalingRules, current: i32, now: SimTime) -> i32 {
        let proposals = rules.policies.iter().map(|policy| {
            let start = self.at_start_of(policy.period_seconds, current, now);
            match policy.kind {
                PolicyKind::Pods => start.saturating_add(policy.value),
                // Rounded up: else a small number would never grow.
                PolicyKind::Percent => {
                    (f64::from(start) * (1.0 + f64::from(policy.value) / 100.0)).ceil() as i32
                }
            }
        });
        match rules.select {
            SelectPolicy::Disabled => current,
            SelectPolicy::Min => proposals.min().unwrap_or(i32::MAX),
            SelectPolicy::Max => proposals.max().unwrap_or(i32::MIN),
        }
    }

    fn down_limit(&self, rules: &ScalingRules, current: i32, now: SimTime) -> i32 {
        let proposals = rules.policies.iter().map(|policy| {
            let start = self.at_start_of(policy.period_seconds, current, now);
            match policy.kind {
                PolicyKind::Pods => start.saturating_sub(policy.value),
                PolicyKind::Percent => {
                    (f64::from(start) * (1.0 - f64::from(policy.value) / 100.0)) as i32
                }
            }
        });
        match rules.select {
            SelectPolicy::Disabled => current,
            SelectPolicy::Min => proposals.max().unwrap_or(i32::MIN),
            SelectPolicy::Max => proposals.min().unwrap_or(i32::MAX),
        }
    }
}

/// How much `events` changed within the last `seconds` (`getReplicasChangePerPeriod`).
pub fn changed_within(seconds: u32, events: &[ScaleEvent], now: SimTime) -> i32 {
    let period = SimDuration::from_secs(seconds.into());
    events.iter().filter(|event| after(event.at, period, now)).map(|event| event.change).sum()
}

/// Stores a change in the place of the last one that matters to no policy of `rules`, or after all
/// others. Without rules nothing is stored.
pub fn store(
    events: &mut Vec<ScaleEvent>,
    rules: Option<&ScalingRules>,
    change: i32,
    now: SimTime,
) {
    let Some(rules) = rules else { return };
    let longest = rules.policies.iter().map(|policy| policy.period_seconds).max().unwrap_or(0);
    let longest = SimDuration::from_secs(longest.into());
    for event in events.iter_mut() {
        event.is_outdated |= before(event.at, longest, now);
    }
    let new = ScaleEvent { change, at: now, is_outdated: false };
    match events.iter().rposition(|event| event.is_outdated) {
        Some(at) => events[at] = new,
        None => events.push(new),
    }
}

/// Without `behavior`: within the bounds, and up no further than to twice as many or four
/// (`convertDesiredReplicasWithRules`).
pub fn bounded(current: i32, desired: i32, bounds: Bounds) -> (i32, Limit) {
    let limit = current.saturating_mul(2).max(4);
    let (most, why) = match bounds.max > limit {
        true => (limit, SCALE_UP_LIMIT),
        false => (bounds.max, TOO_MANY),
    };
    if desired < bounds.min {
        (bounds.min, TOO_FEW)
    } else if desired > most {
        (most, why)
    } else {
        (desired, WITHIN_RANGE)
    }
}
