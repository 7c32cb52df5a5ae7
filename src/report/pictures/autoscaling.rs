//! Requests, latency, pods, machines and the stages of each surge, on one clock and in one picture.

use std::collections::BTreeSet;

use super::{
    Block, Curve, Found, Metric, Moment, Panel, Percentile, Picture, Series, Shape, Stroke,
};
use crate::report::surges::{StageKind, Surge};
use crate::time::SimTime;

/// Height of the picture, in pixels.
const HEIGHT: u32 = 860;
/// Rows of stages.
const SURGES_MAX: usize = 4;
const PERCENTILES: [Percentile; 2] =
    [(Metric::LatencyP50, "p50", 2), (Metric::LatencyP99, "p99", 2)];

/// What autoscalers did.
#[derive(Clone, Debug, Default)]
pub struct Autoscaled<'a> {
    /// What they scale: `Deployment/shop/web`.
    pub targets: Vec<&'a str>,
    /// What they made of load that rose.
    pub surges: Vec<Surge>,
}

impl Found<'_> {
    /// Nothing, unless something is autoscaled and has clients.
    pub(super) fn autoscaling(
        &self,
        end: SimTime,
        moments: &[Moment],
        autoscaled: &Autoscaled<'_>,
    ) -> Option<Picture> {
        let share = |panel: Panel, share| Panel { share, ..panel };
        let requests = share(self.answers(), 6);
        let replicas = share(self.replicas(&autoscaled.targets), 6);
        if requests.curves.is_empty() || replicas.curves.is_empty() {
            return None;
        }
        let panels = [
            requests,
            share(self.latency(&PERCENTILES), 6),
            replicas,
            share(self.pending(), 3),
            share(self.machines(), 4),
            share(stages(&autoscaled.surges), 3),
        ];
        let is_drawn = |panel: &Panel| !panel.curves.is_empty() || !panel.blocks.is_empty();
        let panels = panels.into_iter().filter(is_drawn).collect();
        let mut moments = moments.to_vec();
        for surge in autoscaled.surges.iter().take(SURGES_MAX) {
            let (rises, over) = ("load rises".to_owned(), "served as before".to_owned());
            if surge.rates.is_some() {
                moments.push(Moment { name: rises, begins: surge.begins, ends: None });
            }
            if let Some(begins) = surge.felt.and_then(|felt| felt.until) {
                moments.push(Moment { name: over, begins, ends: None });
            }
        }
        moments.sort_by_key(|moment| moment.begins);
        let title = "Load, and what autoscalers make of it".to_owned();
        Some(Picture { name: "autoscaling", title, height: HEIGHT, end, moments, panels })
    }

    /// Requests a second to all Services: answered, and not.
    fn answers(&self) -> Panel {
        let mut panel = Panel::new("requests (1/s)", Shape::Stacked, 1.0, 0.0);
        let rates: Vec<&Series> = self.all(Metric::RequestRate).collect();
        let ratios: Vec<&Series> = self.all(Metric::SuccessRatio).collect();
        let times: BTreeSet<SimTime> =
            rates.iter().chain(&ratios).flat_map(|it| it.points.iter().map(|it| it.0)).collect();
        if times.is_empty() {
            return panel;
        }
        let at = |series: &Series, at: SimTime| {
            let next = series.points.partition_point(|(from, _)| *from <= at);
            let value = next.checked_sub(1).and_then(|last| series.points[last].1);
            value.map(|value| series.number(value))
        };
        // What nothing is known of has not failed.
        let share = |rate: &Series, time| {
            let ratio = ratios.iter().find(|it| it.object == rate.object);
            ratio.and_then(|ratio| at(ratio, time)).unwrap_or(1.0)
        };
        let curve = |name: &str, colour, part: &dyn Fn(f64) -> f64| {
            let sum = |time| {
                let one = |rate: &&Series| at(rate, time).unwrap_or(0.0) * part(share(rate, time));
                rates.iter().map(one).sum::<f64>()
            };
            let points = times.iter().map(|&time| (time, Some(sum(time)))).collect();
            let (name, stroke) = (name.to_owned(), Stroke::Solid);
            Curve { name, colour, width: 1, stroke, points }
        };
        panel.curves.push(curve("answered", 2, &|ratio| ratio));
        panel.curves.push(curve("failed", 5, &|ratio| 1.0 - ratio));
        panel
    }

    /// Ready pods of what is autoscaled, and what is wanted.
    fn replicas(&self, targets: &[&str]) -> Panel {
        let is_target = |it: &Series| targets.contains(&it.object.as_str());
        let those: Vec<Series> = self.series.iter().filter(|it| is_target(it)).cloned().collect();
        Found { series: &those }.workloads()
    }

    fn pending(&self) -> Panel {
        let mut panel = Panel::new("pending", Shape::Stacked, 1.0, 1.0);
        if let Some(series) = self.all(Metric::PodsPending).next() {
            panel.add("pods pending".to_owned(), series, 1.0, (1, 1));
        }
        panel
    }

    fn machines(&self) -> Panel {
        let mut panel = Panel::new("nodes", Shape::Stacked, 1.0, 1.0);
        for (metric, name, colour) in
            [(Metric::NodesReady, "nodes ready", 0), (Metric::NodesBooting, "machines booting", 4)]
        {
            if let Some(series) = self.all(metric).next() {
                panel.add(name.to_owned(), series, 1.0, (colour, 1));
            }
        }
        panel
    }
}

/// A row of stages for each surge, the longest surges first.
fn stages(surges: &[Surge]) -> Panel {
    let mut panel = Panel::new("stages", Shape::Blocks, 1.0, 1.0);
    let mut longest: Vec<&Surge> = surges.iter().collect();
    longest.sort_by_key(|surge| std::cmp::Reverse(surge.took()));
    longest.truncate(SURGES_MAX);
    for (row, surge) in longest.into_iter().enumerate() {
        panel.blocks.extend(surge.stages.iter().map(|stage| Block {
            row,
            from: stage.from,
            to: stage.to,
            colour: colour_of(stage.kind),
            name: stage.kind.name(),
        }));
    }
    panel
}

/// Like stages have like colours: what is decided, machines, containers.
fn colour_of(kind: StageKind) -> usize {
    match kind {
        StageKind::Measuring => 6,
        StageKind::Deciding | StageKind::Creating | StageKind::Placing => 0,
        StageKind::Growing => 4,
        StageKind::NoRoom => 1,
        StageKind::Booting | StageKind::Joining => 5,
        StageKind::Pulling | StageKind::Starting => 3,
        StageKind::Warming => 2,
        StageKind::WorkingOff => 7,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::report::surges::Stage;

    pub(crate) fn surge() -> Surge {
        let at = SimTime::from_secs;
        let stage =
            |kind, from, to| Stage { kind, from: at(from), to: at(to), text: String::new() };
        Surge {
            autoscaler: "web".to_owned(),
            target: "Deployment/default/web".to_owned(),
            services: "web".to_owned(),
            rates: Some((10, 20)),
            begins: at(1),
            stages: vec![stage(StageKind::Measuring, 1, 3), stage(StageKind::Booting, 3, 90)],
            felt: None,
        }
    }

    fn series(metric: Metric, object: &str, points: &[(u64, i64)]) -> Series {
        let mut series = Series::new(metric, object);
        series.points =
            points.iter().map(|&(at, value)| (SimTime::from_secs(at), Some(value))).collect();
        series
    }

    #[test]
    fn what_fails_stands_upon_what_is_answered() {
        let all = [
            series(Metric::RequestRate, "Service/default/web", &[(0, 100_000), (60, 400_000)]),
            series(Metric::SuccessRatio, "Service/default/web", &[(0, 1_000_000), (61, 250_000)]),
        ];
        let panel = Found { series: &all }.answers();
        let values = |at: usize| panel.curves[at].points.iter().map(|it| it.1.expect("known"));
        assert_eq!(values(0).collect::<Vec<_>>(), [100.0, 400.0, 100.0]);
        assert_eq!(values(1).collect::<Vec<_>>(), [0.0, 0.0, 300.0]);
    }

    #[test]
    fn only_what_is_autoscaled_and_has_clients_is_drawn() {
        let web = "Deployment/default/web";
        let all = [
            series(Metric::Desired, web, &[(0, 2)]),
            series(Metric::Ready, web, &[(0, 2)]),
            series(Metric::RequestRate, "Service/default/web", &[(0, 100_000)]),
        ];
        let end = SimTime::from_secs(100);
        let drawn = |series, targets| {
            let autoscaled = Autoscaled { targets, surges: vec![surge()] };
            Found { series }.autoscaling(end, &[], &autoscaled)
        };
        assert!(drawn(&all, vec![]).is_none());
        assert!(drawn(&all[..2], vec![web]).is_none());
        let svg = drawn(&all, vec![web]).expect("drawn").svg().expect("it is drawn");
        for text in ["answered", "web ready", "machine boots", "load rises", "stages"] {
            assert!(svg.contains(text), "{text}");
        }
    }
}
