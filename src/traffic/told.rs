//! What the world tells traffic: Services and slices as they are written, pods, machines, links, and
//! programs as they really run.

use smallvec::SmallVec;

use super::clients::{Caller, Callers};
use super::requests::{Outcome, Reason, State};
use super::routes::{Link, ServiceRules, Site, Version};
use super::servers::{Doors, Load};
use super::{Around, Origin, Traffic};
use crate::api::meta::Uid;
use crate::api::pod::Pod;
use crate::api::service::EndpointSlice;
use crate::base::Id;
use crate::node::NodeIndex;
use crate::time::SimTime;

/// What happened to a program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// It began; it will hang at this instant (never, for most).
    Began(SimTime),
    /// It was told to stop.
    Leaving,
    /// It ended.
    Ended,
}

/// Something happened to a program, by a fact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct News {
    /// The pod.
    pub pod: Id<Pod>,
    /// The container, init containers counted first.
    pub container: u16,
    /// What happened.
    pub change: Change,
    /// The latest fact upstream.
    pub cause: u64,
}

/// Servers of pods that are gone, kept until there are so many.
const GONE_MAX: usize = 64;

impl Traffic {
    /// A Service was written, or is gone.
    pub fn service(
        &mut self,
        namespace: &str,
        name: &str,
        rules: Option<&ServiceRules>,
        cause: u64,
    ) {
        for callee in &mut self.callees {
            if *callee.service.0 == *namespace && *callee.service.1 == *name {
                callee.rules = rules.cloned();
                callee.cause = cause;
                callee.touch();
            }
        }
    }

    /// A slice of a Service was written, or is gone.
    pub fn slice<A: Around>(
        &mut self,
        now: SimTime,
        (namespace, service): (&str, &str),
        (id, version): (Id<EndpointSlice>, Version),
        new: Option<&EndpointSlice>,
        cause: u64,
        around: &A,
    ) {
        self.now = now;
        let sites: Vec<Site> = self.nodes.iter().map(|node| node.site).collect();
        for at in 0..self.callees.len() {
            let (callee, servers) = self.callee(at, around);
            if *callee.service.0 == *namespace && *callee.service.1 == *service {
                callee.slice(id, version, new, cause);
                callee.prune(servers.now, &sites, &servers);
            }
        }
    }

    /// Whether any client sends from pods, so that it must hear of them.
    pub fn has_callers(&self) -> bool {
        self.clients.iter().any(|client| matches!(client.callers, Callers::Pods(_)))
    }

    /// A pod is ready on a node, or (`None`) is not any more.
    pub fn caller(&mut self, pod: &Pod, at: Option<NodeIndex>) {
        let at = at.filter(|at| self.nodes.get(at.row()).is_some_and(|node| node.is_on));
        for client in &mut self.clients {
            let (Origin::Pods { namespace, labels }, Callers::Pods(list)) =
                (&client.plan.from, &mut client.callers)
            else {
                continue;
            };
            let matches = *namespace == pod.meta.namespace
                && labels.iter().all(|(key, value)| pod.meta.labels.get(key) == Some(value));
            let uid: Uid = pod.meta.uid;
            let caller = |node| Caller { uid, node, ip: pod.status.ip };
            match (list.binary_search_by_key(&uid, |one| one.uid), at.filter(|_| matches)) {
                (Ok(found), Some(node)) => list[found] = caller(node),
                (Ok(found), None) => {
                    list.remove(found);
                }
                (Err(place), Some(node)) => list.insert(place, caller(node)),
                (Err(_), None) => {}
            }
        }
    }

    /// A pod is gone from the store: what is known of its programs is let go some time.
    pub fn pod_gone(&mut self, pod: Id<Pod>) {
        if self.by_pod.contains_key(&pod) {
            self.gone.push(pod);
            if self.gone.len() > GONE_MAX.max(self.servers.len() / 2) {
                self.sweep();
            }
        }
    }

    /// Lets go of servers of pods that are gone and that nothing refers to.
    fn sweep(&mut self) {
        let mut is_used = vec![false; self.servers.len()];
        let mut mark = |at: u32| {
            if let Some(used) = is_used.get_mut(at as usize) {
                *used = true;
            }
        };
        self.callees.iter().flat_map(|callee| callee.servers()).for_each(&mut mark);
        self.requests.iter().for_each(|(_, request)| mark(request.server));
        let connections = self.clients.iter().flat_map(|client| &client.connections);
        connections.for_each(|connection| mark(connection.server));
        for pod in std::mem::take(&mut self.gone) {
            let Some(servers) = self.by_pod.get(&pod) else { continue };
            if servers.iter().any(|&at| is_used[at as usize]) {
                self.gone.push(pod);
                continue;
            }
            for at in self.by_pod.remove(&pod).into_iter().flatten() {
                self.servers[at as usize] = None;
                self.vacant.push(at);
            }
        }
        let servers = &self.servers;
        self.told.retain(|&(_, _, at), _| servers.get(at as usize).is_none_or(Option::is_some));
    }

    /// Nodes a load balancer sends connections to, in order.
    pub fn set_entries(&mut self, entries: Vec<NodeIndex>) {
        self.entries = Some(entries);
    }

    /// A node lies in another zone now: hints mean others.
    pub fn zone_changed(&mut self) {
        self.callees.iter_mut().for_each(|callee| callee.touch());
    }

    /// Nodes changed: a load balancer may send connections to others.
    pub fn forget_entries(&mut self) {
        self.entries = None;
    }

    /// Whether it must be told by which nodes connections come in.
    pub fn wants_entries(&self) -> bool {
        self.entries.is_none()
    }

    /// Something happened to a program.
    pub fn program<A: Around>(&mut self, now: SimTime, news: News, around: &A) {
        self.now = now;
        let known: SmallVec<[u32; 1]> = self.by_pod.get(&news.pod).cloned().unwrap_or_default();
        for at in known {
            let Some(server) = &mut self.servers[at as usize] else { continue };
            if server.program.container != news.container {
                continue;
            }
            server.cause = news.cause;
            match news.change {
                Change::Began(hangs) => server.begin(now, hangs),
                Change::Leaving if server.program.doors == Doors::Open => {
                    server.program.doors = Doors::Leaving;
                }
                Change::Leaving => {}
                Change::Ended => {
                    self.end_server(at, Doors::Shut);
                    for row in self.inside(at) {
                        self.cut_short(row, news.cause, around);
                    }
                }
            }
        }
    }

    /// The program of a container may take something else from now on.
    pub fn reload(&mut self, pod: Id<Pod>, container: u16, load: &Load) {
        let known: SmallVec<[u32; 1]> = self.by_pod.get(&pod).cloned().unwrap_or_default();
        for at in known {
            let Some(server) = &mut self.servers[at as usize] else { continue };
            if server.program.container == container {
                server.program.load = load.clone();
            }
        }
    }

    /// Requests inside a program, in the order they were sent.
    fn inside(&self, server: u32) -> Vec<u32> {
        let is_inside = |state| matches!(state, State::Inside | State::Abandoned);
        let found =
            self.requests.iter().filter(|(_, it)| it.server == server && is_inside(it.state));
        let mut rows: Vec<_> = found.map(|(row, request)| (request.sent, row)).collect();
        rows.sort_unstable();
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// The program of a request ended.
    fn cut_short<A: Around>(&mut self, row: u32, cause: u64, around: &A) {
        let request = self.requests.row(row);
        if request.state == State::Abandoned {
            request.state = State::Over;
            self.requests.release(row);
        } else {
            self.respond(row, Outcome::Reset, Reason::Ended, cause, around);
        }
    }

    /// A machine dies, or runs again. Its programs are gone without a word; those that run later are told
    /// one by one.
    pub fn power(&mut self, now: SimTime, node: NodeIndex, is_on: bool, cause: u64) {
        self.now = now;
        let row = &mut self.nodes[node.row()];
        (row.is_on, row.cause) = (is_on, cause);
        if is_on {
            // Those that do not run there are not there: the node says so now.
            let here = self.servers.iter_mut().flatten().filter(|it| it.program.node == node);
            here.filter(|it| it.program.doors == Doors::Silent)
                .for_each(|it| it.program.doors = Doors::Shut);
            return;
        }
        for client in &mut self.clients {
            if let Callers::Pods(list) = &mut client.callers {
                list.retain(|one| one.node != node);
            }
        }
        for at in 0..self.servers.len() as u32 {
            let Some(server) = &mut self.servers[at as usize] else { continue };
            if server.program.node != node || server.program.doors == Doors::Silent {
                continue;
            }
            server.cause = cause;
            self.end_server(at, Doors::Silent);
            for row in self.inside(at) {
                let request = self.requests.row(row);
                if request.state == State::Abandoned {
                    request.state = State::Over;
                    self.requests.release(row);
                } else {
                    self.lose(row, Reason::DeadNode, cause);
                }
            }
        }
    }

    /// Links changed: which nodes' proxies hear of changes now.
    pub fn links<A: Around>(
        &mut self,
        now: SimTime,
        cause: u64,
        hears: impl Fn(NodeIndex) -> bool,
        around: &A,
    ) {
        self.now = now;
        self.net_cause = cause;
        let mut has_changed = false;
        for row in &mut self.nodes {
            let node = row.site.at;
            let link = match (row.site.link, hears(node)) {
                (Link::Whole | Link::Healed(..), false) => Link::Cut(now),
                (Link::Cut(since), true) => {
                    row.heals += 1;
                    let uid = Uid(row.name.stable_hash());
                    let listed = Version { at: now, uid, nth: row.heals };
                    Link::Healed(since, around.programmed_at(node, listed))
                }
                (link, _) => link,
            };
            has_changed |= link != row.site.link;
            row.site.link = link;
        }
        if has_changed {
            self.callees.iter_mut().for_each(|callee| callee.touch());
        }
    }
}
