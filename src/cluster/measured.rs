//! The metrics APIs of this cluster, asked at an instant: what programs use as metrics-server last saw it,
//! and the figures the plan gives.
//!
//! metrics-server reaches a kubelet as the control plane does: of a node that is not heard it knows
//! nothing from its next scrape on, and that scrape is served late.

use std::cell::{OnceCell, RefCell};

use smallvec::SmallVec;

use super::heartbeats::Renewals;
use super::nodes::Nodes;
use super::usage;
use crate::api::autoscaling::{MetricName, ObjectRef};
use crate::api::meta::Labels;
use crate::api::pod::{Phase, Pod};
use crate::api::rules::selector::Selector;
use crate::api::service::Service;
use crate::base::FastMap;
use crate::base::id::Id;
use crate::control_plane::metrics_server::{Metrics, Owner, Pods, Scrapes, Series, Share};
use crate::messages::MetricsApi;
use crate::messages::metrics::{Absent, Bound, ContainerSample, Figure, PodSample};
use crate::store::Store;
use crate::time::{SimDuration, SimTime};
use crate::traffic::Traffic;

/// Nano-cores in a thousandth of a core.
const NANO_PER_MILLI: u64 = 1_000_000;

/// What requests of clients are measured as, where the plan gives no figure of that name: a pods metric of
/// those who serve, and a metric of their Service. How many a second over the latest two minutes, as the
/// walkthrough of the Prometheus adapter has it.
const REQUESTS: &str = "http_requests";
const REQUESTS_WINDOW: SimDuration = SimDuration::from_secs(120);

/// All that is measured, at one instant.
pub(super) struct Measured<'a> {
    pub(super) store: &'a Store,
    pub(super) nodes: &'a Nodes,
    pub(super) traffic: Option<&'a Traffic>,
    pub(super) renewals: &'a Renewals,
    pub(super) plan: &'a Metrics,
    /// The scrapes that are served now, once somebody asked.
    pub(super) served: OnceCell<Option<Scrapes>>,
    /// How many ready pods share a series, once somebody asked.
    pub(super) sharing: RefCell<FastMap<usize, u64>>,
}

impl Measured<'_> {
    fn scrapes(&self, now: SimTime) -> Option<Scrapes> {
        let server = self.plan.server?;
        let is_held_up = |at| self.renewals.is_any_mute(at);
        *self.served.get_or_init(|| server.served(now, is_held_up))
    }

    /// What the pod's programs used between two scrapes; nothing if one of its containers was not seen
    /// in both.
    fn scraped(&self, of: Bound, now: SimTime) -> Option<PodSample> {
        let Bound { pod: id, node, containers: count } = of;
        let server = self.plan.server?;
        let scrapes = self.scrapes(now)?;
        let node = self.nodes.of(node?)?;
        let hears = |at| self.renewals.hears(node, at);
        if !hears(scrapes.last) || scrapes.before.is_some_and(|at| !hears(at)) {
            return None;
        }
        let mut containers = SmallVec::new();
        let mut from = None;
        let mut holds_until =
            match self.renewals.changed_at(node) > scrapes.before.unwrap_or_default() {
                true => SimTime::ZERO,
                false => SimTime::MAX,
            };
        for container in 0..count {
            let Some(program) = self.nodes.engines.running(id, container) else { continue };
            let since = scrapes.window(program.since, server.period)?;
            let over = (since, scrapes.last);
            let around = (self.nodes, self.traffic);
            let used = usage::of_program(&program, around, (node, id, container), over)?;
            let (cpu, memory) = (used.nano_cores(), used.memory);
            containers.push(ContainerSample { container, cpu, memory });
            from.get_or_insert(since);
            let serves = self.traffic.is_some_and(|it| it.spent(id, container, now).is_some());
            let is_short = usage::may_be_short((self.nodes, self.traffic), node, since);
            holds_until = match serves || is_short {
                true => SimTime::ZERO,
                false => holds_until.min(program.bends_after(since)),
            };
        }
        let window = scrapes.last - from?;
        Some(PodSample { at: scrapes.last, window, containers, holds_until })
    }

    /// What a scenario says this pod uses.
    fn fed(&self, pod: &Pod, now: SimTime) -> Option<PodSample> {
        let mut sample: Option<PodSample> = None;
        for (number, series) in self.plan.series.iter().enumerate() {
            let Owner::Usage { pods, every } = &series.of else { continue };
            if !selects(pods, pod) {
                continue;
            }
            // It is written anew each so often, for pods that are ready.
            let at = SimTime::ZERO + *every * (now.as_nanos() / every.as_nanos().max(1));
            let amount = self.share(number, series, pods, at)?;
            let sample = sample.get_or_insert_with(|| PodSample {
                at,
                window: *every,
                containers: SmallVec::from_slice(&[ContainerSample {
                    container: pod.spec.init_containers.len() as u16,
                    cpu: 0,
                    memory: 0,
                }]),
                holds_until: SimTime::MAX,
            });
            let amount = u64::try_from(amount).unwrap_or(0);
            match &*series.name {
                "cpu" => sample.containers[0].cpu = amount.saturating_mul(NANO_PER_MILLI),
                _ => sample.containers[0].memory = amount / 1000,
            }
            sample.holds_until = sample.holds_until.min(series.holds_until(at));
        }
        sample.filter(|_| pod.is_ready())
    }

    /// A pod's part of a series, in thousandths; none if nobody is there to have one.
    fn share(&self, number: usize, series: &Series, pods: &Pods, at: SimTime) -> Option<i64> {
        let amount = series.at(at);
        if pods.share == Share::Each {
            return Some(amount);
        }
        let mut known = self.sharing.borrow_mut();
        let ready = *known.entry(number).or_insert_with(|| {
            let all = self.store.table::<Pod>().iter();
            all.filter(|(_, pod)| selects(pods, pod) && pod.is_ready()).count() as u64
        });
        // As `MilliValue` rounds what each pod is measured to have.
        (ready > 0).then(|| (amount as u64).div_ceil(ready) as i64)
    }

    /// Whether a scenario says of some pods what they use.
    fn is_fed(&self) -> bool {
        self.plan.series.iter().any(|it| matches!(it.of, Owner::Usage { .. }))
    }

    fn has_custom(&self) -> bool {
        self.plan.series.iter().any(|it| matches!(it.of, Owner::Pods(_) | Owner::Object { .. }))
    }

    /// Traffic, if a figure stands for its requests. They have no labels of their own.
    fn requests(&self, metric: &MetricName) -> Option<&Traffic> {
        let is_given = self.plan.series.iter().any(|it| *it.name == *REQUESTS);
        let is_meant = !is_given && is_asked_for(metric, REQUESTS, &Labels::new());
        self.traffic.filter(|_| is_meant)
    }

    /// Requests a second to all pods behind a Service.
    fn requests_to(
        &self,
        traffic: &Traffic,
        namespace: &str,
        service: &str,
        now: SimTime,
    ) -> Result<Figure, Absent> {
        let found = self.store.find::<Service>(namespace, service);
        let service = found.and_then(|id| self.store.get(id)).ok_or(Absent::NoMetric)?;
        let labels = service.spec.selector.as_ref().ok_or(Absent::NoMetric)?;
        let selector = Selector::of_labels(labels);
        let is_behind = |id| {
            self.store.get(id).is_some_and(|pod: &Pod| {
                *pod.meta.namespace == *namespace && selector.matches(&pod.meta.labels)
            })
        };
        let sum = traffic.rate_of(is_behind, REQUESTS_WINDOW, now).ok_or(Absent::NoMetric)?;
        Ok(figure_of(sum))
    }
}

fn selects(pods: &Pods, pod: &Pod) -> bool {
    *pods.namespace == *pod.meta.namespace
        && pods.selector.matches(&pod.meta.labels)
        && !pod.meta.is_terminating()
        && pod.status.phase == Phase::Running
}

/// What changes with every request.
fn figure_of(rate: u64) -> Figure {
    Figure { value: i64::try_from(rate).unwrap_or(i64::MAX), holds_until: SimTime::ZERO }
}

fn is_asked_for(metric: &MetricName, name: &str, labels: &Labels) -> bool {
    *metric.name == *name && metric.selector.as_ref().is_none_or(|it| it.matches(labels))
}

impl MetricsApi for Measured<'_> {
    fn usage(&self, id: Id<Pod>, now: SimTime) -> Result<Option<PodSample>, Absent> {
        let is_fed = self.is_fed();
        if self.plan.server.is_none() && !is_fed {
            return Err(Absent::NoServer);
        }
        let Some(pod) = self.store.get(id) else { return Ok(None) };
        if is_fed && let Some(sample) = self.fed(pod, now) {
            return Ok(Some(sample));
        }
        Ok(self.scraped(Bound::of(id, pod), now))
    }

    fn usage_of(&self, of: Bound, now: SimTime) -> Result<Option<PodSample>, Absent> {
        if of.node.is_none() || self.plan.server.is_none() || self.is_fed() {
            return self.usage(of.pod, now);
        }
        // The pod itself need not be read.
        let stands = self.store.table::<Pod>().stands(of.pod);
        Ok(if stands { self.scraped(of, now) } else { None })
    }

    fn look_ahead(&self, pods: &[Bound]) {
        let all = || pods.iter().map(|one| one.pod);
        let standing = all().filter(|&id| self.store.table::<Pod>().stands(id));
        std::hint::black_box(standing.count());
        self.nodes.engines.look_ahead(all());
    }

    fn of_pod(
        &self,
        metric: &MetricName,
        id: Id<Pod>,
        now: SimTime,
    ) -> Result<Option<Figure>, Absent> {
        if let Some(traffic) = self.requests(metric) {
            return Ok(traffic.rate(id, REQUESTS_WINDOW, now).map(figure_of));
        }
        if !self.has_custom() {
            return Err(Absent::NoServer);
        }
        let mut is_known = false;
        let pod = self.store.get(id);
        for (number, series) in self.plan.series.iter().enumerate() {
            let Owner::Pods(pods) = &series.of else { continue };
            if !is_asked_for(metric, &series.name, &series.labels) {
                continue;
            }
            is_known = true;
            if let Some(pod) = pod
                && selects(pods, pod)
                && (pods.share == Share::Each || pod.is_ready())
            {
                let value = self.share(number, series, pods, now);
                let holds_until = series.holds_until(now);
                return Ok(value.map(|value| Figure { value, holds_until }));
            }
        }
        if is_known { Ok(None) } else { Err(Absent::NoMetric) }
    }

    fn of_object(
        &self,
        metric: &MetricName,
        namespace: &str,
        object: &ObjectRef,
        now: SimTime,
    ) -> Result<Figure, Absent> {
        if let Some(traffic) = self.requests(metric)
            && object.kind.eq_ignore_ascii_case("Service")
        {
            return self.requests_to(traffic, namespace, &object.name, now);
        }
        if !self.has_custom() {
            return Err(Absent::NoServer);
        }
        let is_it = |series: &&Series| match &series.of {
            Owner::Object { kind, namespace: home, name } => {
                is_asked_for(metric, &series.name, &series.labels)
                    && object.kind.eq_ignore_ascii_case(kind)
                    && (&**home, name) == (namespace, &object.name)
            }
            _ => false,
        };
        let found = self.plan.series.iter().find(is_it).ok_or(Absent::NoMetric)?;
        Ok(Figure { value: found.at(now), holds_until: found.holds_until(now) })
    }

    fn external(
        &self,
        metric: &MetricName,
        _namespace: &str,
        now: SimTime,
    ) -> Result<Vec<Figure>, Absent> {
        let outside = || self.plan.series.iter().filter(|it| it.of == Owner::Outside);
        if outside().next().is_none() {
            return Err(Absent::NoServer);
        }
        let asked = outside().filter(|it| is_asked_for(metric, &it.name, &it.labels));
        Ok(asked.map(|it| Figure { value: it.at(now), holds_until: it.holds_until(now) }).collect())
    }
}
