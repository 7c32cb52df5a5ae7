//! Thresholds: how they are written, when they are met, and for how long
//! (kubelet 1.36 `pkg/kubelet/eviction/helpers.go`).

use std::collections::BTreeMap;

use super::{Observation, Pressure, Signal};
use crate::api::quantity::{Format, Quantity};
use crate::time::{SimDuration, SimTime};

/// An amount of a signal.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Amount {
    /// So much.
    Quantity(Quantity),
    /// A part of the capacity, from 0 to 1: Kubernetes keeps it as a float of 32 bits.
    Part(f32),
}

impl Amount {
    /// How much that is of a capacity: rounded down, with Kubernetes' own floats.
    pub fn of(self, capacity: Quantity) -> Quantity {
        match self {
            Amount::Quantity(quantity) => quantity,
            Amount::Part(part) => {
                let amount = capacity.value() as f64 * f64::from(part);
                Quantity::new(amount as i64, Format::BinarySi)
            }
        }
    }

    /// Whether two amounts are written as the same (`CompareThresholdValue`).
    pub fn is_same(self, other: Amount) -> bool {
        match (self, other) {
            (Amount::Quantity(a), Amount::Quantity(b)) => a.minus(b).is_zero(),
            (Amount::Part(a), Amount::Part(b)) => a.to_bits() == b.to_bits(),
            (Amount::Quantity(_), Amount::Part(_)) | (Amount::Part(_), Amount::Quantity(_)) => {
                false
            }
        }
    }
}

/// A threshold: less than this, and pods go.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Threshold {
    /// What is watched.
    pub signal: Signal,
    /// With less left than this it is met.
    pub value: Amount,
    /// How long it must be met before pods go; zero: a hard one.
    pub grace: SimDuration,
    /// By how much more than the value must be left before it counts as met no longer.
    pub min_reclaim: Option<Amount>,
}

impl Threshold {
    /// Whether pods go at once (`isHardEvictionThreshold`).
    pub fn is_hard(&self) -> bool {
        self.grace.is_zero()
    }

    /// What tells thresholds apart.
    fn key(&self) -> (Signal, SimDuration, String) {
        (self.signal, self.grace, format!("{:?}", self.value))
    }
}

/// A map as a configuration writes it: signals and texts.
pub type Written<'a> = &'a [(&'a str, &'a str)];

/// A kubelet's configuration of eviction as written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Config<'a> {
    /// `enforceNodeAllocatable`.
    pub enforced: &'a [&'a str],
    /// `evictionHard`.
    pub hard: Written<'a>,
    /// `evictionSoft`.
    pub soft: Written<'a>,
    /// `evictionSoftGracePeriod`.
    pub soft_grace: Written<'a>,
    /// `evictionMinimumReclaim`.
    pub min_reclaim: Written<'a>,
}

impl Config<'_> {
    /// What 1.36 has on Linux if nothing is said (`pkg/kubelet/apis/config/v1beta1/defaults_linux.go`).
    pub const DEFAULT: Config<'static> = Config {
        enforced: &["pods"],
        hard: &[
            ("memory.available", "100Mi"),
            ("nodefs.available", "10%"),
            ("nodefs.inodesFree", "5%"),
            ("imagefs.available", "15%"),
            ("imagefs.inodesFree", "5%"),
        ],
        soft: &[],
        soft_grace: &[],
        min_reclaim: &[],
    };

    /// The thresholds it makes: hard ones, soft ones, and those of what pods may take
    /// (`ParseThresholdConfig`).
    ///
    /// # Errors
    /// What is wrong, in kubelet's words.
    pub fn thresholds(&self) -> Result<Vec<Threshold>, String> {
        let hard = statements(self.hard)?;
        let mut soft = statements(self.soft)?;
        let mut graces = Vec::new();
        for (name, written) in self.soft_grace {
            let signal = signal(name)?;
            let grace = SimDuration::parse(written)
                .map_err(|_| format!("time: invalid duration {written:?} for {name}"))?;
            graces.push((signal, grace));
        }
        let reclaims = reclaims(self.min_reclaim)?;
        for threshold in &mut soft {
            let grace = graces.iter().find(|(signal, _)| *signal == threshold.signal);
            let Some((_, grace)) = grace else {
                return Err(format!(
                    "grace period must be specified for the soft eviction threshold {}",
                    threshold.signal.name()
                ));
            };
            threshold.grace = *grace;
        }
        let mut all = hard;
        all.append(&mut soft);
        for threshold in &mut all {
            let found = reclaims.iter().find(|(signal, _)| *signal == threshold.signal);
            threshold.min_reclaim = found.map(|(_, amount)| *amount);
        }
        if self.enforced.contains(&"pods") {
            all = with_allocatable(&all);
        }
        Ok(all)
    }
}

fn signal(name: &str) -> Result<Signal, String> {
    Signal::named(name).ok_or_else(|| format!("unsupported eviction signal {name}"))
}

/// Signals and values (`parseThresholdStatements`); 0% and 100% switch one off.
fn statements(written: Written<'_>) -> Result<Vec<Threshold>, String> {
    let mut found = Vec::with_capacity(written.len());
    for (name, text) in written {
        let signal = signal(name)?;
        if matches!(*text, "0%" | "100%") {
            continue;
        }
        let value = if text.ends_with('%') {
            let part = percentage(text)?;
            if part < 0.0 {
                return Err(format!("eviction percentage threshold {name} must be >= 0%: {text}"));
            }
            if part > 1.0 {
                return Err(format!(
                    "eviction percentage threshold {name} must be <= 100%: {text}"
                ));
            }
            Amount::Part(part)
        } else {
            let quantity = Quantity::parse(text).map_err(|error| error.to_string())?;
            if quantity.signum() <= 0 {
                return Err(format!("eviction threshold {name} must be positive: {text}"));
            }
            Amount::Quantity(quantity)
        };
        found.push(Threshold { signal, value, grace: SimDuration::ZERO, min_reclaim: None });
    }
    Ok(found)
}

/// `parseMinimumReclaims`.
fn reclaims(written: Written<'_>) -> Result<Vec<(Signal, Amount)>, String> {
    let mut found = Vec::with_capacity(written.len());
    for (name, text) in written {
        let signal = signal(name)?;
        let amount = if text.ends_with('%') {
            let part = percentage(text)?;
            if part <= 0.0 {
                return Err(format!(
                    "eviction percentage minimum reclaim {name} must be positive: {text}"
                ));
            }
            Amount::Part(part)
        } else {
            let quantity = Quantity::parse(text).map_err(|error| error.to_string())?;
            if quantity.signum() < 0 {
                return Err(format!("negative eviction minimum reclaim specified for {name}"));
            }
            Amount::Quantity(quantity)
        };
        found.push((signal, amount));
    }
    Ok(found)
}

/// A percentage as a part (`parsePercentage`).
///
/// # Errors
/// What is no percentage.
pub fn percentage(text: &str) -> Result<f32, String> {
    let wrong = || format!("strconv.ParseFloat: parsing {text:?}: invalid syntax");
    let number: f32 = text.trim_end_matches('%').parse().map_err(|_| wrong())?;
    Ok(number / 100.0)
}

/// Each hard threshold of the node's memory stands besides for the memory that pods may take
/// (`addAllocatableThresholds`).
pub fn with_allocatable(thresholds: &[Threshold]) -> Vec<Threshold> {
    let memory =
        thresholds.iter().filter(|it| it.signal == Signal::MemoryAvailable && it.is_hard());
    let more = memory.map(|it| Threshold { signal: Signal::AllocatableMemory, ..*it });
    thresholds.iter().copied().chain(more).collect()
}

/// Where containers' own layers lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Layout {
    /// All on one disk, or layers with the rest and only images apart.
    WithNode,
    /// Layers with images on a disk of their own.
    WithImages,
}

/// Thresholds of the containers' disk follow those of the disk it is on, whatever is written of them
/// (`UpdateContainerFsThresholds`); gives which of them were written in vain.
pub fn with_container_fs(
    thresholds: &[Threshold],
    layout: Layout,
) -> (Vec<Threshold>, Vec<String>) {
    let is_own =
        |it: &&Threshold| matches!(it.signal, Signal::ContainerFs | Signal::ContainerFsInodes);
    let ignored = thresholds.iter().filter(is_own).map(|it| {
        let kind = if it.is_hard() { "hard" } else { "soft" };
        format!("found {} for {kind} eviction. ignoring", it.signal.name())
    });
    let source = match layout {
        Layout::WithNode => [Signal::NodeFs, Signal::NodeFsInodes],
        Layout::WithImages => [Signal::ImageFs, Signal::ImageFsInodes],
    };
    let follows = thresholds.iter().filter_map(|it| {
        let at = source.iter().position(|signal| *signal == it.signal)?;
        let signal = [Signal::ContainerFs, Signal::ContainerFsInodes][at];
        Some(Threshold { signal, ..*it })
    });
    let kept = thresholds.iter().filter(|it| !is_own(it)).copied();
    (kept.chain(follows).collect(), ignored.collect())
}

/// Puts memory first and what evicting gives nothing back of last (`byEvictionPriority`): not a strict
/// order, so it is Go's insertion sort that decides among equals.
pub fn sort_by_priority(thresholds: &mut [Threshold]) {
    let goes_first = |it: &Threshold| it.signal.pressure() == Pressure::Memory;
    for at in 1..thresholds.len() {
        let mut at = at;
        while at > 0 && goes_first(&thresholds[at]) {
            thresholds.swap(at, at - 1);
            at -= 1;
        }
    }
}

/// What was observed, by signal.
pub type Observations = BTreeMap<Signal, Observation>;

/// What must be left before a threshold counts as not met.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Measure {
    /// Its value.
    Value,
    /// Its value and what must be reclaimed beyond it.
    WithReclaim,
}

/// The thresholds that are met (`thresholdsMet`).
pub fn met(
    thresholds: &[Threshold],
    observations: &Observations,
    measure: Measure,
) -> Vec<Threshold> {
    let is_met = |threshold: &&Threshold| {
        let Some(seen) = observations.get(&threshold.signal) else { return false };
        let mut value = threshold.value.of(seen.capacity);
        if let (Measure::WithReclaim, Some(more)) = (measure, threshold.min_reclaim) {
            value = value.plus(more.of(seen.capacity));
        }
        value.minus(seen.available).signum() > 0
    };
    thresholds.iter().filter(is_met).copied().collect()
}

/// The thresholds of which something new was observed (`thresholdsUpdatedStats`).
pub fn updated(
    thresholds: &[Threshold],
    observations: &Observations,
    before: &Observations,
) -> Vec<Threshold> {
    let is_new = |threshold: &&Threshold| {
        let Some(seen) = observations.get(&threshold.signal) else { return false };
        before.get(&threshold.signal).is_none_or(|last| seen.at.is_none() || seen.at > last.at)
    };
    thresholds.iter().filter(is_new).copied().collect()
}

/// Since when thresholds are met.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Since {
    held: Vec<(Threshold, SimTime)>,
}

impl Since {
    /// Those that are met, each since it was first seen so (`thresholdsFirstObservedAt`).
    pub fn now_met(&self, met: &[Threshold], now: SimTime) -> Since {
        let since = |threshold: &Threshold| {
            let held = self.held.iter().find(|(held, _)| held.key() == threshold.key());
            held.map_or(now, |(_, since)| *since)
        };
        Since { held: met.iter().map(|threshold| (*threshold, since(threshold))).collect() }
    }

    /// Says that a threshold is met since an instant.
    pub fn set(&mut self, threshold: Threshold, since: SimTime) {
        self.held.push((threshold, since));
    }

    /// Since when each is met.
    pub fn iter(&self) -> impl Iterator<Item = &(Threshold, SimTime)> {
        self.held.iter()
    }

    /// Those that are met for their whole grace period (`thresholdsMetGracePeriod`).
    pub fn over_grace(&self, now: SimTime) -> Vec<Threshold> {
        let is_over = |(threshold, since): &&(Threshold, SimTime)| {
            now.saturating_since(*since) >= threshold.grace
        };
        self.held.iter().filter(is_over).map(|(threshold, _)| *threshold).collect()
    }
}

/// The conditions that thresholds which are met bring about (`nodeConditions`).
pub fn pressures(met: &[Threshold]) -> Vec<Pressure> {
    let mut found: Vec<_> = met.iter().map(|threshold| threshold.signal.pressure()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// When conditions were last seen (`nodeConditionsLastObservedAt`).
pub fn last_seen(
    pressures: &[Pressure],
    before: &BTreeMap<Pressure, SimTime>,
    now: SimTime,
) -> BTreeMap<Pressure, SimTime> {
    let mut seen = before.clone();
    seen.extend(pressures.iter().map(|pressure| (*pressure, now)));
    seen
}

/// The conditions seen within a period (`nodeConditionsObservedSince`).
pub fn seen_within(
    seen: &BTreeMap<Pressure, SimTime>,
    period: SimDuration,
    now: SimTime,
) -> Vec<Pressure> {
    let is_within = |(_, at): &(&Pressure, &SimTime)| now.saturating_since(**at) < period;
    seen.iter().filter(is_within).map(|(pressure, _)| *pressure).collect()
}
