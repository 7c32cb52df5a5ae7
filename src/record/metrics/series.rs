//! What a series measures, and its values: integers, written as decimals.

use std::fmt;

use crate::time::SimTime;

/// What is measured. The order is that of `metrics.csv`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Metric {
    /// Pods in phase Pending.
    PodsPending,
    /// Running pods that are not ready.
    PodsNotReady,
    /// Ready pods.
    PodsReady,
    /// Pods marked for deletion and not yet gone.
    PodsTerminating,
    /// Pods in phase Succeeded.
    PodsSucceeded,
    /// Pods in phase Failed.
    PodsFailed,
    /// Nodes that are ready.
    NodesReady,
    /// Machines that were asked for and whose nodes are not registered yet.
    NodesBooting,
    /// Pods a workload wants.
    Desired,
    /// Ready pods of a workload.
    Ready,
    /// Available pods of a workload.
    Available,
    /// CPU that pods request, as a share of what the node offers.
    CpuRequested,
    /// Memory that pods request, as a share of what the node offers.
    MemoryRequested,
    /// Requests sent.
    RequestRate,
    /// The share of finished requests that were answered well.
    SuccessRatio,
    /// Median latency of good answers.
    LatencyP50,
    /// Latency that 95 of 100 good answers did not exceed.
    LatencyP95,
    /// Latency that 99 of 100 good answers did not exceed.
    LatencyP99,
}

impl Metric {
    /// All of them, in order.
    pub const ALL: [Metric; 18] = [
        Metric::PodsPending,
        Metric::PodsNotReady,
        Metric::PodsReady,
        Metric::PodsTerminating,
        Metric::PodsSucceeded,
        Metric::PodsFailed,
        Metric::NodesReady,
        Metric::NodesBooting,
        Metric::Desired,
        Metric::Ready,
        Metric::Available,
        Metric::CpuRequested,
        Metric::MemoryRequested,
        Metric::RequestRate,
        Metric::SuccessRatio,
        Metric::LatencyP50,
        Metric::LatencyP95,
        Metric::LatencyP99,
    ];

    /// As written in `metrics.csv`; the unit is its last word where it has one.
    pub fn name(self) -> &'static str {
        match self {
            Metric::PodsPending => "pods_pending",
            Metric::PodsNotReady => "pods_not_ready",
            Metric::PodsReady => "pods_ready",
            Metric::PodsTerminating => "pods_terminating",
            Metric::PodsSucceeded => "pods_succeeded",
            Metric::PodsFailed => "pods_failed",
            Metric::NodesReady => "nodes_ready",
            Metric::NodesBooting => "nodes_booting",
            Metric::Desired => "workload_desired",
            Metric::Ready => "workload_ready",
            Metric::Available => "workload_available",
            Metric::CpuRequested => "node_cpu_requested_ratio",
            Metric::MemoryRequested => "node_memory_requested_ratio",
            Metric::RequestRate => "service_requests_per_second",
            Metric::SuccessRatio => "service_success_ratio",
            Metric::LatencyP50 => "service_latency_p50_ms",
            Metric::LatencyP95 => "service_latency_p95_ms",
            Metric::LatencyP99 => "service_latency_p99_ms",
        }
    }

    /// Decimals its values are held and written with.
    pub fn decimals(self) -> u32 {
        match self {
            Metric::CpuRequested | Metric::MemoryRequested | Metric::SuccessRatio => 6,
            Metric::RequestRate | Metric::LatencyP50 | Metric::LatencyP95 | Metric::LatencyP99 => 3,
            _ => 0,
        }
    }
}

/// A value that holds from an instant on; `None`: nothing is known from then on.
pub type Point = (SimTime, Option<i64>);

/// The values of one metric of one object, in units of its last decimal, where they change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Series {
    /// What is measured.
    pub metric: Metric,
    /// Of what: `Deployment/shop/web`, or `cluster`.
    pub object: String,
    /// By time; neighbours differ.
    pub points: Vec<Point>,
}

impl Series {
    /// A series without values.
    pub fn new(metric: Metric, object: impl Into<String>) -> Series {
        Series { metric, object: object.into(), points: Vec::new() }
    }

    /// From `at` on it is `value`.
    pub(super) fn push(&mut self, at: SimTime, value: Option<i64>) {
        if self.points.last().map_or(value.is_some(), |(_, last)| *last != value) {
            self.points.push((at, value));
        }
    }

    /// Keeps the last value in each stretch of `step` seconds.
    pub(super) fn thin(&mut self, step: u64) {
        let cell = |at: SimTime| at.as_secs() / step;
        let mut kept: Vec<Point> = Vec::with_capacity(self.points.len() / 2 + 1);
        for &(at, value) in &self.points {
            match kept.last_mut() {
                // The first point stays: the series begins there.
                Some(last) if cell(last.0) == cell(at) && last.0 > SimTime::ZERO => {
                    *last = (at, value);
                }
                _ => kept.push((at, value)),
            }
        }
        kept.dedup_by_key(|(_, value)| *value);
        self.points = kept;
    }

    /// A value as a number, for a picture.
    pub fn number(&self, value: i64) -> f64 {
        value as f64 / 10_u64.pow(self.metric.decimals()) as f64
    }
}

/// A value written with its decimals.
pub(super) struct Decimal(pub i64, pub u32);

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, places) = (self.0, self.1);
        if places == 0 {
            return write!(f, "{value}");
        }
        let unit = 10_u64.pow(places);
        let (sign, size) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
        write!(f, "{sign}{}.{:0width$}", size / unit, size % unit, width = places as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_with_their_decimals() {
        for (value, places, text) in
            [(7, 0, "7"), (1_500, 3, "1.500"), (-5, 3, "-0.005"), (1_000_000, 6, "1.000000")]
        {
            assert_eq!(Decimal(value, places).to_string(), text);
        }
    }

    #[test]
    fn only_changes_are_kept_and_thinning_keeps_the_last_of_a_stretch() {
        let mut series = Series::new(Metric::PodsReady, "cluster");
        for (at, value) in
            [(0, None), (1, Some(1)), (2, Some(1)), (3, Some(2)), (4, Some(3)), (5, Some(2))]
        {
            series.push(SimTime::from_secs(at), value);
        }
        let at = |secs| SimTime::from_secs(secs);
        assert_eq!(
            series.points,
            [(at(1), Some(1)), (at(3), Some(2)), (at(4), Some(3)), (at(5), Some(2))]
        );
        series.thin(2);
        assert_eq!(series.points, [(at(1), Some(1)), (at(3), Some(2))]);
        let mut early = Series::new(Metric::PodsReady, "cluster");
        (0..4).for_each(|second| early.push(at(second), Some(second as i64)));
        early.thin(4);
        assert_eq!(early.points, [(at(0), Some(0)), (at(3), Some(3))]);
    }
}
