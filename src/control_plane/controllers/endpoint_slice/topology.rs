//! Topology-aware hints: endpoints shared out among zones in proportion to the CPU of their nodes
//! (annotation `service.kubernetes.io/topology-mode: Auto`; Kubernetes 1.36
//! staging/src/k8s.io/endpointslice/topologycache). Floating point as there.
//!
//! Owns the shares of the zones, and how the hints of each such Service are spread; refuses to know
//! the slices as they are stored. Where Go picks among equals by the order of a map, the first by name
//! is taken.
//!
//! ```text
//! nodes ─▶ CPU ratio of each zone ─▶ allocation (least, most, wanted) ─▶ each endpoint for its own zone
//!     └ too little is known, or too few endpoints ─▶ no hints     ─▶ zones with too many give to others
//! ```

use std::collections::BTreeMap;

use super::hints::{Slices, Spot};
use crate::api::ip_family::IpFamily;
use crate::api::meta::Labels;
use crate::api::name::Text;
use crate::api::node::{Node, TAINT_CONTROL_PLANE, ZONE_LABEL};
use crate::api::service::{Hint, NodeHint, Service};
use crate::base::id::Id;
use crate::messages::Remark;

/// By how much more than its share an endpoint may get.
const OVERLOAD: f64 = 0.2;
/// Labels of nodes that do not count.
const EXCLUDED: [&str; 2] = [TAINT_CONTROL_PLANE, "node-role.kubernetes.io/master"];
const MODE: &str = "service.kubernetes.io/topology-mode";
const OLD_MODE: &str = "service.kubernetes.io/topology-aware-hints";

/// So many endpoints of each zone.
pub type Counts = BTreeMap<Text, i64>;

/// How many endpoints a zone should get.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Allocation {
    /// With less each would be overloaded.
    pub least: i64,
    /// With more some other zone would have too few.
    pub most: i64,
    /// Its share.
    pub wanted: f64,
}

/// Why, where the Service asks for no hints any more.
pub const DISABLED: &str = "Topology Aware Hints has been disabled";

/// What a sync has to say about hints, as the Event's message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notice {
    /// `TopologyAwareHintsEnabled`.
    Enabled,
    /// `TopologyAwareHintsDisabled`, and why.
    Disabled(String),
}

impl Notice {
    /// Its Event.
    pub fn remark(&self) -> Remark {
        match self {
            Notice::Enabled => Remark::normal("TopologyAwareHintsEnabled", self.message()),
            Notice::Disabled(_) => Remark::warning("TopologyAwareHintsDisabled", self.message()),
        }
    }

    /// The message of its Event.
    pub fn message(&self) -> String {
        let text = match self {
            Notice::Enabled => "Topology Aware Hints has been enabled",
            Notice::Disabled(why) => why,
        };
        format!("{text}, addressType: IPv4")
    }
}

/// Whether a Service's annotations ask for hints.
pub fn is_auto(annotations: &Labels) -> bool {
    let mode = annotations.get(OLD_MODE).or_else(|| annotations.get(MODE));
    mode.is_some_and(|mode| matches!(&**mode, "Auto" | "auto"))
}

/// The CPU of each zone in thousandths: of nodes that are ready and no masters. `None` if the zone or
/// the CPU of one is not known, or all lie in one zone.
pub fn cpu_by_zone<'a>(nodes: impl Iterator<Item = &'a Node>) -> Option<BTreeMap<Text, i64>> {
    let mut zones: BTreeMap<Text, i64> = BTreeMap::new();
    for node in nodes {
        let labels = &node.meta.labels;
        if !node.is_ready() || EXCLUDED.iter().any(|label| labels.contains_key(*label)) {
            continue;
        }
        let cpu = node.allocatable.cpu_milli;
        let zone = labels.get(ZONE_LABEL).filter(|zone| !zone.is_empty() && cpu > 0)?;
        *zones.entry(zone.clone()).or_default() += cpu;
    }
    (zones.len() > 1).then_some(zones)
}

/// Each zone's share of all.
pub fn ratios(cpu: &BTreeMap<Text, i64>) -> BTreeMap<Text, f64> {
    let total = cpu.values().sum::<i64>() as f64;
    cpu.iter().map(|(zone, &own)| (zone.clone(), own as f64 / total)).collect()
}

fn least(wanted: f64) -> i64 {
    (wanted * (1.0 / (1.0 + OVERLOAD))).ceil() as i64
}

/// What each zone should get of `count` endpoints.
///
/// # Errors
/// Why nothing can be promised.
pub fn allocations(
    ratios: Option<&BTreeMap<Text, f64>>,
    count: usize,
) -> Result<BTreeMap<Text, Allocation>, String> {
    let Some(ratios) = ratios else {
        let why = "Insufficient Node information: allocatable CPU or zone not specified on one or \
                   more nodes";
        return Err(why.to_owned());
    };
    let zones = ratios.len();
    if zones < 2 {
        return Err("Nodes only ready in one zone".to_owned());
    }
    if zones > count {
        return Err(format!("Insufficient number of endpoints ({count} endpoints, {zones} zones)"));
    }
    let mut all = BTreeMap::new();
    let mut left = count as i64;
    for (zone, ratio) in ratios {
        let wanted = ratio * count as f64;
        let least = least(wanted);
        left -= least;
        let wanted = wanted.max(least as f64);
        all.insert(zone.clone(), Allocation { least, most: least, wanted });
    }
    if left < 0 {
        return Err(format!(
            "Unable to allocate minimum required endpoints to each zone without exceeding \
             overload threshold ({count} endpoints, {zones} zones)"
        ));
    }
    all.values_mut().for_each(|one| one.most += left);
    Ok(all)
}

/// Which zones give endpoints away and which get some, and how many.
pub fn giving_and_receiving(
    allocations: &BTreeMap<Text, Allocation>,
    allocated: &Counts,
) -> (Counts, Counts) {
    let (mut surplus, mut lack) = (BTreeMap::new(), BTreeMap::new());
    for (zone, allocation) in allocations {
        let more = allocated.get(zone).copied().unwrap_or(0) as f64 - allocation.wanted;
        if more > 0.0 {
            surplus.insert(zone.clone(), more);
        } else if more < 0.0 {
            lack.insert(zone.clone(), -more);
        }
    }
    let (mut giving, mut receiving) = (Counts::new(), Counts::new());
    while let (Some((giver, gives)), Some((taker, takes))) = (most(&surplus), most(&lack)) {
        if (gives < 1.0 && takes < 1.0) || gives < 0.5 || takes < 0.5 {
            break;
        }
        *giving.entry(giver.clone()).or_default() += 1;
        *receiving.entry(taker.clone()).or_default() += 1;
        surplus.insert(giver, gives - 1.0);
        lack.insert(taker, takes - 1.0);
    }
    (giving, receiving)
}

fn most(zones: &BTreeMap<Text, f64>) -> Option<(Text, f64)> {
    let mut found: Option<(&Text, f64)> = None;
    for (zone, &count) in zones {
        if count > found.map_or(0.0, |(_, most)| most) {
            found = Some((zone, count));
        }
    }
    found.map(|(zone, count)| (zone.clone(), count))
}

fn only_for(zone: &Text) -> Hint {
    Hint { zone: Some(zone.clone()), node: NodeHint::None }
}

fn take_one(counts: &mut Counts, zone: &Text) {
    match counts.get_mut(zone) {
        Some(count) if *count > 1 => *count -= 1,
        _ => drop(counts.remove(zone)),
    }
}

/// Hands endpoints of giving zones to receiving ones; by how many the hints of each zone change.
pub fn redistribute<'a>(
    spots: impl Iterator<Item = &'a mut Spot>,
    mut giving: Counts,
    mut receiving: Counts,
) -> Counts {
    let mut moved = Counts::new();
    for spot in spots.filter(|spot| spot.is_ready) {
        let Some(giver) = spot.zone.clone().filter(|zone| giving.contains_key(zone)) else {
            continue;
        };
        let Some(taker) = receiving.keys().next().cloned() else { break };
        spot.hint = only_for(&taker);
        take_one(&mut giving, &giver);
        take_one(&mut receiving, &taker);
        *moved.entry(taker).or_default() += 1;
        *moved.entry(giver).or_default() -= 1;
    }
    moved
}

/// How many endpoints of a slice are for each zone; `None` if it must be written anew.
pub fn hints_by_zone(
    spots: &[Spot],
    allocated: &Counts,
    allocations: &BTreeMap<Text, Allocation>,
) -> Option<Counts> {
    let mut counts = Counts::new();
    for spot in spots.iter().filter(|spot| spot.is_ready) {
        let zone = spot.hint.zone.as_ref().filter(|zone| allocations.contains_key(*zone))?;
        *counts.entry(zone.clone()).or_default() += 1;
    }
    let is_too_much = |(zone, count): (&Text, &i64)| {
        let before = allocated.get(zone);
        before.is_some_and(|before| before + count > allocations[zone].most)
    };
    (!counts.iter().any(is_too_much)).then_some(counts)
}

/// Whether hints spread as `counts` leave some zone with too few endpoints.
pub fn is_overloaded(counts: &Counts, ratios: Option<&BTreeMap<Text, f64>>) -> bool {
    let Some(ratios) = ratios else { return !counts.is_empty() };
    let total = counts.values().sum::<i64>() as f64;
    let too_few = |(zone, ratio): (&Text, &f64)| {
        counts.get(zone).copied().unwrap_or(0) < least(total * ratio)
    };
    ratios.iter().any(too_few)
}

/// What is known of zones, and how the hints of each Service are spread (`TopologyCache`).
#[derive(Clone, Debug, Default)]
pub struct Topology {
    ratios: Option<BTreeMap<Text, f64>>,
    /// By Service and the family its slices hold.
    spread: BTreeMap<(Id<Service>, IpFamily), Counts>,
    /// Whether nodes changed since the ratios were worked out.
    is_stale: bool,
}

impl Topology {
    /// What is known where zones have these shares.
    pub fn new(ratios: Option<BTreeMap<Text, f64>>) -> Topology {
        Topology { ratios, spread: BTreeMap::new(), is_stale: false }
    }

    /// A node came, went, or changed its zone or whether it is ready.
    pub(super) fn node_changed(&mut self) {
        self.is_stale = true;
    }

    /// Whether any Service has hints of this kind.
    pub(super) fn is_used(&self) -> bool {
        !self.spread.is_empty()
    }

    /// Works the ratios out anew if nodes changed.
    pub(super) fn refresh<'a>(&mut self, nodes: impl Iterator<Item = &'a Node>) {
        if std::mem::take(&mut self.is_stale) {
            self.ratios = cpu_by_zone(nodes).as_ref().map(ratios);
        }
    }

    /// Services some zone of which has too few endpoints by now.
    pub(super) fn overloaded(&self) -> impl Iterator<Item = Id<Service>> + '_ {
        let all = self.spread.iter();
        all.filter(|(_, counts)| is_overloaded(counts, self.ratios.as_ref()))
            .map(|(&(id, _), _)| id)
    }

    /// Slices of a Service have no such hints (any more); whether they had.
    pub fn forget(&mut self, service: Id<Service>, family: IpFamily) -> bool {
        self.spread.remove(&(service, family)).is_some()
    }

    /// A Service is gone.
    pub(super) fn forget_all(&mut self, service: Id<Service>) {
        for family in [IpFamily::V4, IpFamily::V6] {
            self.forget(service, family);
        }
    }

    /// Shares the endpoints of a Service out among the zones, or takes the hints away.
    pub fn add_hints(
        &mut self,
        (service, family): (Id<Service>, IpFamily),
        slices: &mut Slices,
    ) -> Option<Notice> {
        match self.share_out(slices) {
            Ok(counts) => {
                let before = self.spread.insert((service, family), counts);
                before.is_none().then_some(Notice::Enabled)
            }
            Err(why) => {
                self.forget(service, family);
                slices.clear();
                Some(Notice::Disabled(why))
            }
        }
    }

    fn share_out(&self, slices: &mut Slices) -> Result<Counts, String> {
        let allocations = allocations(self.ratios.as_ref(), slices.ready())?;
        let mut allocated = Counts::new();
        slices.touch(|spots| match hints_by_zone(spots, &allocated, &allocations) {
            None => true,
            Some(counts) => {
                for (zone, count) in counts {
                    *allocated.entry(zone).or_default() += count;
                }
                false
            }
        });
        for spot in slices.written().flatten().filter(|spot| spot.is_ready) {
            let Some(zone) = spot.zone.as_ref().filter(|zone| !zone.is_empty()) else {
                return Err("One or more endpoints do not have a zone specified".to_owned());
            };
            *allocated.entry(zone.clone()).or_default() += 1;
            spot.hint = only_for(zone);
        }
        let (giving, receiving) = giving_and_receiving(&allocations, &allocated);
        let moved = redistribute(slices.written().flatten(), giving, receiving);
        for (zone, change) in moved {
            *allocated.entry(zone).or_default() += change;
        }
        match allocated.is_empty() {
            true => Err("No hints allocated for zones".to_owned()),
            false => Ok(allocated),
        }
    }
}
