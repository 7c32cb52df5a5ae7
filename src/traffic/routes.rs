//! Where connections to a Service go, as each node's kube-proxy has it programmed.
//!
//! Owns the versions of the EndpointSlices of every Service somebody calls, for as long as any proxy may
//! go by them, and what each node's proxy makes of them; refuses to know when a proxy programs a change
//! (the world says: a function of node and change).
//!
//! ```text
//! slice written --> its log of versions --(node's proxy programmed it by now?)--> the node's view: a list
//!                                                                                 good until the next one is
//! ```
//! A view is worked out when a request leaves the node, and held until the instant the next version counts
//! there, or something changed. Nodes that see the same versions share one list.
//!
//! A node cut off from the API servers keeps what it had programmed by then. When it reaches one again, it
//! lists anew, and what it missed counts from its next sync on.
use std::collections::VecDeque;
use std::sync::Arc;

use super::plan::PortName;
use crate::api::meta::Uid;
use crate::api::name::Text;
use crate::api::node::Node;
use crate::api::service::{
    Endpoint, EndpointPort, EndpointSlice, Exposure, Hint, NodeHint, ServicePort,
};
use crate::base::Id;
use crate::node::NodeIndex;
use crate::node::kube_proxy::choose::{Candidate, Here, TrafficPolicy, usable};
use crate::time::SimTime;

/// A version of an EndpointSlice: what a proxy's lag is keyed by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version {
    /// When it was committed.
    pub at: SimTime,
    /// The slice.
    pub uid: Uid,
    /// Which version it is, counted from 1.
    pub nth: u32,
}

/// Whether a node's proxy hears of changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Link {
    /// It does, from the start.
    Whole,
    /// It has not since this instant.
    Cut(SimTime),
    /// It did not from the first instant on; what it missed counts from the second on.
    Healed(SimTime, SimTime),
}

impl Link {
    /// From when on a version counts on a node that would have it programmed at `programmed`.
    pub fn counts_from(self, programmed: SimTime) -> SimTime {
        match self {
            Link::Whole => programmed,
            Link::Cut(since) | Link::Healed(since, _) if programmed <= since => programmed,
            Link::Cut(_) => SimTime::MAX,
            Link::Healed(_, again) => programmed.max(again),
        }
    }
}

/// What the Service says of connections to it.
#[derive(Clone, PartialEq, Debug)]
pub struct ServiceRules {
    /// How it can be reached.
    pub exposure: Exposure,
    /// Which endpoints connections from inside may use.
    pub internal: TrafficPolicy,
    /// Which endpoints connections from outside may use.
    pub external: TrafficPolicy,
    /// Its ports.
    pub ports: Vec<ServicePort>,
}

/// One version of a slice, as far as the port called matters.
#[derive(Clone, Debug)]
struct Slice {
    version: Version,
    endpoints: Arc<[Endpoint]>,
    hints: Arc<[Hint]>,
    ports: Arc<[EndpointPort]>,
    /// The fact of its commit.
    cause: u64,
}

/// The versions of one slice, oldest first: those that may still count somewhere.
#[derive(Clone, Debug)]
struct SliceLog {
    id: Id<EndpointSlice>,
    versions: VecDeque<Slice>,
}

/// Where connections may go.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct List {
    /// Programs, by number; each is as likely.
    pub targets: Vec<u32>,
    /// Whether there are endpoints that connections of this policy may not use.
    pub has_others: bool,
    /// The fact of the latest version it comes from.
    pub cause: u64,
    /// The versions it comes from.
    versions: Vec<(Uid, u32)>,
    /// From where it holds.
    within: Within,
}

/// From where a list of endpoints holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
enum Within {
    /// From everywhere.
    #[default]
    Cluster,
    /// From this zone: hints count.
    Zone(Text),
    /// From this node: the policy is local, or hints name nodes.
    Node(Id<Node>),
}

/// What one node's proxy goes by.
#[derive(Clone, Debug)]
struct View {
    list: Arc<List>,
    changes: u32,
    expires: SimTime,
}

/// From where the list holds that comes of these slices at a node of a zone.
fn within(seen: &[&Slice], policy: TrafficPolicy, node: Id<Node>, zone: &Text) -> Within {
    let mut hints = seen.iter().flat_map(|slice| slice.hints.iter());
    if policy == TrafficPolicy::Local || hints.clone().any(|hint| hint.node == NodeHint::Own) {
        return Within::Node(node);
    }
    match hints.next() {
        Some(_) => Within::Zone(zone.clone()),
        None => Within::Cluster,
    }
}

/// Lists kept for other nodes to share.
const SHARED_MAX: usize = 8;
/// Versions of a slice that may pile up before it is looked which ones count nowhere any more.
const VERSIONS_MAX: usize = 8;

/// One port of one Service that somebody calls.
#[derive(Clone, Debug)]
pub struct Callee {
    /// The Service: namespace and name.
    pub service: (Text, Text),
    /// The port, as clients name it.
    pub port: PortName,
    /// What the Service says; `None` while there is none.
    pub rules: Option<ServiceRules>,
    /// The latest fact about the Service itself.
    pub cause: u64,
    slices: Vec<SliceLog>,
    /// Changes so far of anything a view comes from.
    changes: u32,
    views: [Vec<Option<View>>; 2],
    shared: Vec<Arc<List>>,
}

/// Where a connection comes from, as policies tell it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// From a node or a pod.
    Inside,
    /// By a load balancer.
    Outside,
}

/// What a view needs to know of its node.
#[derive(Clone, Copy, Debug)]
pub struct Site {
    /// The node.
    pub at: NodeIndex,
    /// Its object.
    pub id: Id<Node>,
    /// Whether its proxy hears of changes.
    pub link: Link,
}

/// What working out a view asks of others.
pub trait Ask {
    /// When a node's proxy has programmed a version, if nothing cuts it off before.
    fn programmed_at(&self, node: NodeIndex, version: Version) -> SimTime;
    /// The zone of a node, empty if it names none.
    fn zone(&self, node: Id<Node>) -> Text;
    /// The number of the program behind an endpoint's port.
    fn server(&mut self, endpoint: &Endpoint, port: u16) -> u32;
}

impl Callee {
    /// A port nobody has heard of yet.
    pub fn new(service: (Text, Text), port: PortName) -> Callee {
        Callee {
            service,
            port,
            rules: None,
            cause: 0,
            slices: Vec::new(),
            changes: 0,
            views: Default::default(),
            shared: Vec::new(),
        }
    }

    /// Something changed that views come from.
    pub fn touch(&mut self) {
        self.changes += 1;
        self.shared.clear();
    }

    /// The name of the Service's port, if it has the one that is called.
    pub fn port_name(&self) -> Option<&Text> {
        let ports = &self.rules.as_ref()?.ports;
        let found = ports.iter().find(|port| match &self.port {
            PortName::Number(number) => port.port == *number,
            PortName::Name(name) => port.name == *name,
        });
        found.map(|port| &port.name)
    }

    /// The policy that holds for connections of this direction.
    pub fn policy(&self, direction: Direction) -> TrafficPolicy {
        match (&self.rules, direction) {
            (None, _) => TrafficPolicy::Cluster,
            (Some(rules), Direction::Inside) => rules.internal,
            (Some(rules), Direction::Outside) => rules.external,
        }
    }

    /// A slice was written, or is gone.
    pub fn slice(
        &mut self,
        id: Id<EndpointSlice>,
        version: Version,
        new: Option<&EndpointSlice>,
        cause: u64,
    ) {
        let (endpoints, hints, ports) = match new {
            Some(slice) => (slice.endpoints.clone(), slice.hints.clone(), slice.ports.clone()),
            None => Default::default(),
        };
        let log = match self.slices.iter().position(|log| log.id == id) {
            Some(at) => &mut self.slices[at],
            None => {
                self.slices.push(SliceLog { id, versions: VecDeque::new() });
                self.slices.last_mut().expect("one was pushed")
            }
        };
        log.versions.push_back(Slice { version, endpoints, hints, ports, cause });
        self.touch();
    }

    /// Lets go of versions that count on none of `sites` any more.
    pub fn prune(&mut self, now: SimTime, sites: &[Site], ask: &impl Ask) {
        for log in &mut self.slices {
            if log.versions.len() < VERSIONS_MAX {
                continue;
            }
            let counts = |slice: &Slice, site: &Site| {
                site.link.counts_from(ask.programmed_at(site.at, slice.version)) <= now
            };
            // The newest version that all go by makes the older ones useless.
            let settled =
                log.versions.iter().rposition(|it| sites.iter().all(|site| counts(it, site)));
            log.versions.drain(..settled.unwrap_or(0));
        }
        // A slice that is gone everywhere is one empty version.
        self.slices.retain(|log| log.versions.len() > 1 || !log.versions[0].ports.is_empty());
    }

    /// Where connections from a node may go at `now`, and until when that holds.
    #[inline]
    pub fn view(
        &mut self,
        now: SimTime,
        site: Site,
        direction: Direction,
        ask: &mut impl Ask,
    ) -> (&List, SimTime) {
        let (way, row) = (direction as usize, site.at.row());
        let is_fresh = self.views[way].get(row).is_some_and(|view| {
            view.as_ref().is_some_and(|it| it.changes == self.changes && now < it.expires)
        });
        if !is_fresh {
            self.refresh(now, site, direction, ask);
        }
        let view = self.views[way][row].as_ref().expect("it was just worked out");
        (&view.list, view.expires)
    }

    fn refresh(&mut self, now: SimTime, site: Site, direction: Direction, ask: &mut impl Ask) {
        let policy = self.policy(direction);
        let mut expires = SimTime::MAX;
        let mut seen: Vec<&Slice> = Vec::with_capacity(self.slices.len());
        for log in &self.slices {
            let mut newest = None;
            for slice in &log.versions {
                let from = site.link.counts_from(ask.programmed_at(site.at, slice.version));
                if from <= now {
                    newest = Some(slice);
                } else {
                    expires = expires.min(from);
                }
            }
            seen.extend(newest);
        }
        let versions: Vec<_> = seen.iter().map(|it| (it.version.uid, it.version.nth)).collect();
        let zone = ask.zone(site.id);
        let within = within(&seen, policy, site.id, &zone);
        let is_same = |list: &&Arc<List>| list.versions == versions && list.within == within;
        let list = match self.shared.iter().find(is_same) {
            Some(list) => list.clone(),
            None => {
                let here = Here { node: site.id, zone: &zone };
                let kept = List { versions, within, ..List::default() };
                let list = Arc::new(self.list(&seen, kept, policy, here, ask));
                if self.shared.len() == SHARED_MAX {
                    self.shared.remove(0);
                }
                self.shared.push(list.clone());
                list
            }
        };
        let views = &mut self.views[direction as usize];
        if views.len() <= site.at.row() {
            views.resize(site.at.row() + 1, None);
        }
        views[site.at.row()] = Some(View { list, changes: self.changes, expires });
    }

    fn list(
        &self,
        seen: &[&Slice],
        mut list: List,
        policy: TrafficPolicy,
        here: Here<'_>,
        ask: &mut impl Ask,
    ) -> List {
        list.cause = seen.iter().map(|slice| slice.cause).max().unwrap_or(self.cause);
        let Some(name) = self.port_name() else { return list };
        let serving = seen.iter().filter_map(|slice| {
            let found = slice.ports.iter().find(|one| one.name == *name)?;
            Some((slice, found.port))
        });
        let is_headless = self.rules.as_ref().is_some_and(|it| it.exposure == Exposure::Headless);
        let all = serving.clone().flat_map(|(slice, _)| {
            let all = slice.endpoints.iter().enumerate();
            all.map(|(at, endpoint)| Candidate { endpoint, hint: slice.hints.get(at) })
        });
        // An endpoint's port is that of the slice it lies in.
        let port_of = |endpoint: &Endpoint| {
            let holds = |(slice, _): &(&&Slice, u16)| {
                slice.endpoints.as_ptr_range().contains(&std::ptr::from_ref(endpoint))
            };
            serving.clone().find(holds).map_or(0, |(_, port)| port)
        };
        if is_headless {
            // DNS answers with the addresses of ready pods; no proxy is asked.
            list.targets.extend(
                all.map(|one| one.endpoint)
                    .filter(|one| one.conditions.ready)
                    .map(|one| ask.server(one, port_of(one))),
            );
            return list;
        }
        list.targets
            .extend(usable(all.clone(), policy, here).map(|one| ask.server(one, port_of(one))));
        list.has_others = usable(all, TrafficPolicy::Cluster, here).next().is_some();
        list
    }

    /// The programs that any list refers to.
    pub fn servers(&self) -> impl Iterator<Item = u32> + '_ {
        let held = self.views.iter().flatten().flatten().map(|view| &view.list);
        held.chain(&self.shared).flat_map(|list| list.targets.iter().copied())
    }
}
