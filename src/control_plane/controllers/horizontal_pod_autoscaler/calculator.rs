//! From what a metric shows to a number of replicas: pure rules (`replica_calculator.go` and
//! `metrics/utilization.go`, kube-controller-manager 1.36). Floats where Kubernetes has them; only
//! division, multiplication and rounding up, which are exact on every platform.

use std::collections::BTreeMap;

use super::pods::{Groups, PodFacts, Sample, Samples, Timing, group};
use crate::api::autoscaling::MetricValue;
use crate::api::name::Text;
use crate::time::{SimDuration, SimTime};

/// How far the ratio of what is to what is wanted may lie from one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Tolerances {
    /// Below one.
    pub down: f64,
    /// Above one.
    pub up: f64,
}

impl Default for Tolerances {
    /// A tenth either way (`--horizontal-pod-autoscaler-tolerance`).
    fn default() -> Tolerances {
        Tolerances { down: 0.1, up: 0.1 }
    }
}

impl Tolerances {
    /// Whether nothing is to be done about `ratio`.
    fn hold(self, ratio: f64) -> bool {
        1.0 - self.down <= ratio && ratio <= 1.0 + self.up
    }
}

/// How many replicas a metric asks for, and what it showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// The number.
    pub replicas: i32,
    /// What was seen, as the status shows it.
    pub shown: MetricValue,
}

/// What a metric with a figure for each pod is worked out from.
#[derive(Clone, Debug)]
pub struct PerPod<'a, K> {
    /// `spec.replicas` of the target.
    pub current: i32,
    /// How far off nothing is done.
    pub tolerances: Tolerances,
    /// The pods the target selects.
    pub pods: &'a [PodFacts<K>],
    /// What was measured, of pods that may be gone too.
    pub samples: Samples<K>,
    /// Which resource it is; `None`: none.
    pub resource: Option<&'a str>,
    /// Spans of starting pods.
    pub timing: Timing,
    /// Now.
    pub now: SimTime,
}

/// What a ratio came from.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Measured {
    ratio: f64,
    shown: MetricValue,
}

/// A number of replicas from a float, rounded up and held within what a number of replicas can be.
fn rounded_up(replicas: f64) -> i32 {
    // A cast from float saturates; a quotient of nothing by nothing is nothing.
    replicas.ceil() as i32
}

/// `sum / count` as Go divides integers; `count` is not zero.
fn share(sum: i128, count: usize) -> i64 {
    (sum / count.max(1) as i128).clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

fn in_percent<K: Ord>(
    samples: &Samples<K>,
    requests: &BTreeMap<K, i64>,
    target: i32,
) -> Result<Measured, Text> {
    let (mut used, mut asked, mut count) = (0_i128, 0_i128, 0_usize);
    let mut requests = requests.iter().peekable();
    for (pod, sample) in samples {
        // Both are in order; what has no request is no pod of ours.
        while requests.next_if(|(known, _)| *known < pod).is_some() {}
        let Some((_, request)) = requests.next_if(|(known, _)| *known == pod) else { continue };
        used += i128::from(sample.value);
        asked += i128::from(*request);
        count += 1;
    }
    if asked == 0 {
        return Err("no metrics returned matched known pods".into());
    }
    let percent = (used * 100 / asked).clamp(i32::MIN.into(), i32::MAX.into()) as i32;
    let average = Some(share(used, count));
    Ok(Measured {
        ratio: f64::from(percent) / f64::from(target),
        shown: MetricValue { utilization: Some(percent), average, value: None },
    })
}

fn on_average<K>(samples: &Samples<K>, target: i64) -> Measured {
    let sum = samples.values().map(|sample| i128::from(sample.value)).sum();
    let average = share(sum, samples.len());
    Measured {
        ratio: average as f64 / target as f64,
        shown: MetricValue { average: Some(average), ..MetricValue::default() },
    }
}

impl<K: Ord + Copy> PerPod<'_, K> {
    /// What is asked for by a target in percent of the pods' requests (`GetResourceReplicas`).
    ///
    /// # Errors
    /// There are no pods, nothing was measured of one that counts, or some request is not there:
    /// Kubernetes' words.
    pub fn by_percent(
        mut self,
        target: i32,
        requests: impl FnOnce() -> Result<BTreeMap<K, i64>, Text>,
    ) -> Result<Proposal, Text> {
        let groups = self.grouped()?;
        let requests = requests()?;
        let measured = in_percent(&self.samples, &requests, target)?;
        let fallback = i64::from(target.max(100));
        let missing =
            |pod: &K| requests.get(pod).copied().unwrap_or(0).saturating_mul(fallback) / 100;
        self.settle(&groups, measured, missing, |samples| in_percent(samples, &requests, target))
    }

    /// What is asked for by a target for each pod, in thousandths (`calcPlainMetricReplicas`).
    ///
    /// # Errors
    /// There are no pods, or nothing was measured of one that counts: Kubernetes' words.
    pub fn by_average(mut self, target: i64) -> Result<Proposal, Text> {
        let groups = self.grouped()?;
        let measured = on_average(&self.samples, target);
        self.settle(&groups, measured, |_| target, |samples| Ok(on_average(samples, target)))
    }

    /// Groups the pods and forgets samples that do not count.
    fn grouped(&mut self) -> Result<Groups<K>, Text> {
        if self.pods.is_empty() {
            return Err("no pods returned by selector while calculating replica count".into());
        }
        let groups = group(self.pods, &self.samples, self.resource, self.timing, self.now);
        for pod in groups.ignored.iter().chain(&groups.unready) {
            self.samples.remove(pod);
        }
        if self.samples.is_empty() {
            return Err("did not receive metrics for targeted pods (pods might be unready)".into());
        }
        Ok(groups)
    }

    /// From the first ratio to a number. Pods of which nothing is known must not turn the direction:
    /// they are taken to use what holds it back.
    fn settle(
        mut self,
        groups: &Groups<K>,
        measured: Measured,
        missing: impl Fn(&K) -> i64,
        again: impl FnOnce(&Samples<K>) -> Result<Measured, Text>,
    ) -> Result<Proposal, Text> {
        let Measured { ratio, shown } = measured;
        let (current, tolerances) = (self.current, self.tolerances);
        let proposal = |replicas| Ok(Proposal { replicas, shown });
        let goes_up_with_unready = !groups.unready.is_empty() && ratio > 1.0;
        if !goes_up_with_unready && groups.missing.is_empty() {
            if tolerances.hold(ratio) {
                return proposal(current);
            }
            return proposal(rounded_up(ratio * groups.ready as f64));
        }
        let filled = |value| Sample { value, at: SimTime::ZERO, window: SimDuration::ZERO };
        for pod in &groups.missing {
            if ratio < 1.0 {
                self.samples.insert(*pod, filled(missing(pod)));
            } else if ratio > 1.0 {
                self.samples.insert(*pod, filled(0));
            }
        }
        if goes_up_with_unready {
            self.samples.extend(groups.unready.iter().map(|&pod| (pod, filled(0))));
        }
        let next = again(&self.samples)?.ratio;
        let turns = (ratio < 1.0 && next > 1.0) || (ratio > 1.0 && next < 1.0);
        if tolerances.hold(next) || turns {
            return proposal(current);
        }
        let replicas = rounded_up(next * self.samples.len() as f64);
        if (next < 1.0 && replicas > current) || (next > 1.0 && replicas < current) {
            return proposal(current);
        }
        proposal(replicas)
    }
}

/// What is asked for by a figure of the whole and its target, in thousandths
/// (`GetObjectMetricReplicas`, `GetExternalMetricReplicas`).
///
/// # Errors
/// The target selects no pods.
pub fn by_value<K>(
    (current, tolerances): (i32, Tolerances),
    usage: i64,
    target: i64,
    pods: &[PodFacts<K>],
) -> Result<Proposal, Text> {
    let ratio = usage as f64 / target as f64;
    let shown = MetricValue { value: Some(usage), ..MetricValue::default() };
    let replicas = if current == 0 {
        rounded_up(ratio)
    } else if tolerances.hold(ratio) {
        current
    } else if pods.is_empty() {
        let why = "no pods returned by selector while calculating replica count";
        return Err(format!("unable to calculate ready pods: {why}").into());
    } else {
        let ready = pods.iter().filter(|pod| pod.is_ready()).count();
        rounded_up(ratio * ready as f64)
    };
    Ok(Proposal { replicas, shown })
}

/// What is asked for by a figure of the whole and a target for each pod, in thousandths
/// (`GetObjectPerPodMetricReplicas`, `GetExternalPerPodMetricReplicas`); `current` is how many
/// replicas the target says it has.
pub fn by_share((current, tolerances): (i32, Tolerances), usage: i64, target: i64) -> Proposal {
    let ratio = usage as f64 / (target as f64 * f64::from(current));
    let replicas = match tolerances.hold(ratio) {
        true => current,
        false => rounded_up(usage as f64 / target as f64),
    };
    let each = match current {
        // A cast from float saturates.
        1.. => (usage as f64 / f64::from(current)).ceil() as i64,
        _ => 0,
    };
    let shown = MetricValue { average: Some(each), ..MetricValue::default() };
    Proposal { replicas, shown }
}

/// What several series show together; more than can be counted counts as the most there is.
pub fn sum(series: &[i64]) -> i64 {
    series.iter().fold(0, |sum, value| sum.saturating_add(*value))
}
