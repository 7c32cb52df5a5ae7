//! The pictures of a run, drawn from its metrics by plotters: as SVG and as PNG.
//!
//! Owns which pictures there are and how they look; refuses to know files. The same metrics give the
//! same bytes: text is set with a font of our own, never with one of the system.

mod autoscaling;
pub(crate) mod axis;
pub(crate) mod brush;
mod canvas;
mod png;

use std::collections::BTreeMap;

use plotters::prelude::*;

use crate::cluster::World;
use crate::cluster::plan::{Act, Plan};
use crate::record::metrics::{Metric, Series};
use crate::time::SimTime;

pub use autoscaling::Autoscaled;

/// Width of a picture, in pixels.
pub const WIDTH: u32 = 1000;
/// Height of most pictures, in pixels.
pub const HEIGHT: u32 = 420;
/// Curves of one kind in a panel.
const CURVES_MAX: usize = 8;

/// One picture.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The name of its files, without ending.
    pub name: &'static str,
    /// What it shows.
    pub title: String,
    /// How high it is, in pixels.
    height: u32,
    /// The end of the time axis.
    end: SimTime,
    /// Steps and faults.
    moments: Vec<Moment>,
    panels: Vec<Panel>,
}

/// A step, or a fault with its end.
#[derive(Clone, Debug)]
pub struct Moment {
    /// What it is called.
    pub name: String,
    /// When it begins.
    pub begins: SimTime,
    /// When it ends, if it is a fault that does.
    pub ends: Option<SimTime>,
}

/// Curves over one vertical axis.
#[derive(Clone, Debug)]
struct Panel {
    /// The axis' title, with the unit.
    title: String,
    shape: Shape,
    curves: Vec<Curve>,
    /// Curves for which there was no room.
    left_out: usize,
    /// The least the axis reaches up to.
    ceiling: f64,
    /// The smallest step of the axis.
    least_step: f64,
    /// Its part of the height, beside the other panels'.
    share: i32,
    /// Blocks, in a panel of the shape that has them.
    blocks: Vec<Block>,
}

/// A named stretch of time.
#[derive(Clone, Debug)]
struct Block {
    /// Its row, from the top.
    row: usize,
    from: SimTime,
    to: SimTime,
    colour: usize,
    name: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    Stacked,
    Lines,
    /// Lines over an axis of powers of ten.
    Logarithmic,
    /// Blocks in rows.
    Blocks,
}

#[derive(Clone, Debug)]
struct Curve {
    name: String,
    colour: usize,
    width: u32,
    stroke: Stroke,
    points: Vec<(SimTime, Option<f64>)>,
}

/// How a curve is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stroke {
    Solid,
    /// In dashes, and without a legend of its own.
    Dashed,
}

impl Curve {
    /// The value that holds at `at`; 0 where there is none.
    fn value(&self, at: SimTime) -> f64 {
        let next = self.points.partition_point(|(from, _)| *from <= at);
        next.checked_sub(1).and_then(|last| self.points[last].1).unwrap_or(0.0)
    }

    fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.points.iter().filter_map(|(_, value)| *value)
    }
}

impl Panel {
    fn new(title: &str, shape: Shape, ceiling: f64, least_step: f64) -> Panel {
        let title = title.to_owned();
        let (curves, blocks) = (Vec::new(), Vec::new());
        Panel { title, shape, curves, left_out: 0, ceiling, least_step, share: 1, blocks }
    }

    /// Adds a curve, if there is room; `times` scales its values.
    fn add(&mut self, name: String, series: &Series, times: f64, (colour, width): (usize, u32)) {
        if self.curves.len() == CURVES_MAX {
            self.left_out += 1;
            return;
        }
        let points = series.points.iter();
        let points = points.map(|(at, value)| (*at, value.map(|it| series.number(it) * times)));
        let colour = colour % brush::COLOURS.len();
        let (stroke, points) = (Stroke::Solid, points.collect());
        self.curves.push(Curve { name, colour, width, stroke, points });
    }

    /// Makes earlier lines wider, so that those that lie upon each other are all seen.
    fn nest(mut self) -> Panel {
        let lines = self.curves.len() as u32;
        let step = if lines <= 4 { 2 } else { 1 };
        for (at, curve) in self.curves.iter_mut().enumerate() {
            curve.width = 2 + (lines - 1 - at as u32) * step;
        }
        self
    }

    fn is_logarithmic(&self) -> bool {
        self.shape == Shape::Logarithmic
    }

    fn ticks(&self) -> Vec<axis::Tick> {
        let values = || self.curves.iter().flat_map(Curve::values);
        if self.is_logarithmic() {
            let least = values().fold(f64::MAX, f64::min).clamp(1e-3, 1e9);
            let most = values().fold(least, f64::max);
            return axis::logarithmic(least, most);
        }
        let most = match self.shape {
            Shape::Stacked => {
                let times = self.curves.iter().flat_map(|curve| curve.points.iter());
                let sum = |at| self.curves.iter().map(|curve| curve.value(at)).sum::<f64>();
                times.map(|(at, _)| sum(*at)).fold(0.0, f64::max)
            }
            _ => values().fold(0.0, f64::max),
        };
        axis::linear(most.max(self.ceiling), self.least_step)
    }
}

/// The steps and faults of a run, as far as they came.
pub fn moments(plan: &Plan, world: &World) -> Vec<Moment> {
    let begun = plan.steps.iter().filter_map(|step| {
        let (begins, ended) = world.step_instants(&step.name)?;
        // A fault that has not ended reaches to the end of the picture.
        let ends = match &step.act {
            Act::Fault { .. } => ended.or(Some(SimTime::MAX)),
            _ => None,
        };
        Some(Moment { name: step.name.to_string(), begins, ends })
    });
    begun.collect()
}

/// All pictures that have something to show.
pub fn pictures(
    series: &[Series],
    end: SimTime,
    moments: &[Moment],
    autoscaled: &Autoscaled<'_>,
) -> Vec<Picture> {
    let of = |name, title: &str, panels: Vec<Panel>| {
        let panels: Vec<Panel> = panels.into_iter().filter(|it| !it.curves.is_empty()).collect();
        let (title, moments, height) = (title.to_owned(), moments.to_vec(), HEIGHT);
        (!panels.is_empty()).then_some(Picture { name, title, height, end, moments, panels })
    };
    let all = Found { series };
    [
        of("pods", "Pods by phase", vec![all.pods()]),
        of("workloads", "Pods wanted and ready", vec![all.workloads()]),
        of(
            "nodes",
            "What pods request of the nodes",
            vec![
                all.nodes(Metric::CpuRequested, "CPU (% of allocatable)"),
                all.nodes(Metric::MemoryRequested, "memory (%)"),
            ],
        ),
        of("requests", "Requests to Services", vec![all.rates(), all.success()]),
        of("latency", "Latency of good answers", vec![all.latency(&PERCENTILES)]),
        all.autoscaling(end, moments, autoscaled),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A percentile of latencies: its name, and how wide its curve is.
type Percentile = (Metric, &'static str, u32);

const PERCENTILES: [Percentile; 3] = [
    (Metric::LatencyP50, "p50", 3),
    (Metric::LatencyP95, "p95", 2),
    (Metric::LatencyP99, "p99", 1),
];

/// `shop/web` of `Service/shop/web`; `web` where the namespace is the default one.
fn short(object: &str) -> &str {
    let rest = object.split_once('/').map_or(object, |(_, rest)| rest);
    rest.strip_prefix("default/").unwrap_or(rest)
}

struct Found<'a> {
    series: &'a [Series],
}

impl<'a> Found<'a> {
    fn all(&self, metric: Metric) -> impl Iterator<Item = &'a Series> + use<'a> {
        self.series.iter().filter(move |it| it.metric == metric)
    }

    fn pods(&self) -> Panel {
        let mut panel = Panel::new("pods", Shape::Stacked, 1.0, 1.0);
        let states = [
            (Metric::PodsReady, "ready", 2),
            (Metric::PodsNotReady, "running, not ready", 4),
            (Metric::PodsPending, "pending", 1),
            (Metric::PodsTerminating, "terminating", 3),
            (Metric::PodsSucceeded, "succeeded", 0),
            (Metric::PodsFailed, "failed", 5),
        ];
        for (metric, name, colour) in states {
            let series = self.all(metric).find(|it| it.points.iter().any(|it| it.1 > Some(0)));
            if let Some(series) = series {
                panel.add(name.to_owned(), series, 1.0, (colour, 1));
            }
        }
        panel
    }

    /// Each workload's ready pods, and thinly what it wants; those with the most pods first.
    fn workloads(&self) -> Panel {
        let mut panel = Panel::new("pods", Shape::Lines, 1.0, 1.0);
        let ready: BTreeMap<&str, &Series> =
            self.all(Metric::Ready).map(|it| (it.object.as_str(), it)).collect();
        let is_one = |it: &&Series| it.object != "cluster";
        let mut wanted: Vec<&Series> = self.all(Metric::Desired).filter(is_one).collect();
        let most = |it: &Series| it.points.iter().filter_map(|(_, value)| *value).max();
        wanted.sort_by_key(|it| (std::cmp::Reverse(most(it)), it.object.clone()));
        let room = CURVES_MAX - 2;
        for (colour, series) in wanted.iter().take(room).enumerate() {
            if let Some(ready) = ready.get(series.object.as_str()) {
                let name = format!("{} ready", short(&series.object));
                panel.add(name, ready, 1.0, (colour, 2));
            }
        }
        panel.left_out = wanted.len().saturating_sub(room);
        let mut panel = panel.nest();
        for (colour, series) in wanted.iter().take(room).enumerate() {
            let mut line = Panel::new("", Shape::Lines, 0.0, 0.0);
            line.add(String::new(), series, 1.0, (colour, 1));
            panel.curves.extend(line.curves.pop().map(|it| Curve { stroke: Stroke::Dashed, ..it }));
        }
        panel
    }

    /// Each node, or for many nodes the whole, the least and the most.
    fn nodes(&self, metric: Metric, title: &str) -> Panel {
        let mut panel = Panel::new(title, Shape::Lines, 1.0, 0.0);
        let is_node = |it: &&Series| it.object.starts_with("Node/");
        let nodes: Vec<&Series> = self.all(metric).filter(is_node).collect();
        if (1..=6).contains(&nodes.len()) {
            for (colour, series) in nodes.into_iter().enumerate() {
                panel.add(short(&series.object).to_owned(), series, 100.0, (colour, 2));
            }
            return panel.nest();
        }
        for (object, name, colour, width) in [
            ("cluster", "all nodes", 0, 3),
            ("cluster/max", "fullest node", 5, 1),
            ("cluster/min", "emptiest node", 4, 1),
        ] {
            if let Some(series) = self.all(metric).find(|it| it.object == object) {
                panel.add(name.to_owned(), series, 100.0, (colour, width));
            }
        }
        panel
    }

    fn rates(&self) -> Panel {
        let mut panel = Panel::new("requests (1/s)", Shape::Lines, 1.0, 0.0);
        for (colour, series) in self.all(Metric::RequestRate).enumerate() {
            panel.add(short(&series.object).to_owned(), series, 1.0, (colour, 2));
        }
        panel
    }

    fn success(&self) -> Panel {
        let mut panel = Panel::new("success (%)", Shape::Lines, 100.0, 0.0);
        for (colour, series) in self.all(Metric::SuccessRatio).enumerate() {
            panel.add(short(&series.object).to_owned(), series, 100.0, (colour, 2));
        }
        panel
    }

    /// Percentiles of each Service.
    fn latency(&self, kinds: &[Percentile]) -> Panel {
        let mut panel = Panel::new("latency (ms)", Shape::Lines, 0.001, 0.0);
        let services: Vec<&str> =
            self.all(Metric::LatencyP50).map(|it| it.object.as_str()).collect();
        let room = CURVES_MAX / kinds.len();
        for (at, object) in services.iter().take(room).enumerate() {
            for (kind, &(metric, name, width)) in kinds.iter().enumerate() {
                let Some(series) = self.all(metric).find(|it| it.object == *object) else {
                    continue;
                };
                if series.points.iter().all(|(_, value)| value.is_none()) {
                    continue;
                }
                // A single Service has a colour for each percentile.
                let colour = if services.len() == 1 { kind } else { at };
                panel.add(format!("{} {name}", short(object)), series, 1.0, (colour, width));
            }
        }
        panel.left_out = services.len().saturating_sub(room) * kinds.len();
        let values = || panel.curves.iter().flat_map(Curve::values).filter(|it| *it > 0.0);
        let (least, most) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
        if most > 30.0 * least {
            panel.shape = Shape::Logarithmic;
        }
        panel
    }
}

impl Picture {
    /// As SVG.
    ///
    /// # Errors
    /// Where plotters cannot draw, in its words.
    pub fn svg(&self) -> Result<String, String> {
        brush::svg(self)
    }

    /// As the bytes of a PNG file.
    ///
    /// # Errors
    /// Where plotters cannot draw, in its words.
    pub fn png(&self) -> Result<Vec<u8>, String> {
        brush::png(self)
    }
}

/// An SVG to stand inside a page: its ink, grid and paper are the page's.
pub(super) fn within_page(svg: &str) -> String {
    let hex = |colour: RGBColor| format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2);
    svg.replace(&hex(brush::INK), "currentColor")
        .replace(&hex(brush::FAINT), "var(--line)")
        .replace(&hex(brush::PAPER), "none")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(metric: Metric, object: &str, value: impl Fn(u64) -> Option<i64>) -> Series {
        let mut series = Series::new(metric, object);
        series.points = (0..600).map(|at| (SimTime::from_secs(at), value(at))).collect();
        series
    }

    /// Two Services under load, one of which loses half its pods for a while.
    fn load() -> (Vec<Series>, Vec<Moment>) {
        let is_hit = |at: u64| (240..300).contains(&at);
        let wave = |at: u64| (at * 7919 % 97) as i64;
        let mut all = vec![
            series(Metric::RequestRate, "Service/shop/web", |at| Some(200_000 + 300 * wave(at))),
            series(Metric::RequestRate, "Service/shop/api", |at| Some(80_000 + 200 * wave(at))),
            series(Metric::SuccessRatio, "Service/shop/web", |at| {
                Some(if is_hit(at) { 620_000 } else { 1_000_000 })
            }),
            series(Metric::SuccessRatio, "Service/shop/api", |_| Some(1_000_000)),
        ];
        for (metric, base) in [
            (Metric::LatencyP50, 12_000),
            (Metric::LatencyP95, 38_000),
            (Metric::LatencyP99, 61_000),
        ] {
            all.push(series(metric, "Service/shop/web", |at| {
                Some(if is_hit(at) { base * 9 } else { base } + 40 * wave(at))
            }));
            all.push(series(metric, "Service/shop/api", |at| {
                (at > 30).then(|| base / 4 + 10 * wave(at))
            }));
        }
        let moment = |name: &str, begins, ends: Option<u64>| Moment {
            name: name.to_owned(),
            begins: SimTime::from_secs(begins),
            ends: ends.map(SimTime::from_secs),
        };
        let moments = vec![
            moment("scale-up", 120, None),
            moment("kill-half-of-the-zone", 240, Some(300)),
            moment("a step with a name that is much too long for its place", 250, None),
            moment("last", 590, None),
        ];
        (all, moments)
    }

    #[test]
    fn load_is_drawn_with_its_units_and_what_was_done_to_it() {
        let (series, moments) = load();
        let drawn = pictures(&series, SimTime::from_secs(600), &moments, &Autoscaled::default());
        let names: Vec<&str> = drawn.iter().map(|it| it.name).collect();
        assert_eq!(names, ["requests", "latency"]);
        for (picture, texts) in drawn.iter().zip([
            &["requests (1/s)", "success (%)", "shop/web", "kill-half-of-the-zone", "last"][..],
            &["latency (ms)", "shop/web p99", "shop/api p50", "scale-up"],
        ]) {
            let svg = picture.svg().expect("it is drawn");
            for text in texts {
                assert!(svg.contains(text), "{}: {text}", picture.name);
            }
            // Too long a name is cut, not left out.
            assert!(svg.contains("a step with") && svg.contains('…'), "{}", picture.name);
            assert_eq!(svg, picture.svg().expect("it is drawn"));
            assert!(picture.png().expect("it is drawn").len() > 10_000);
        }
    }

    #[test]
    fn any_values_can_be_drawn() {
        let targets = vec!["Service/a/b"];
        let autoscaled = Autoscaled { targets, surges: vec![autoscaling::tests::surge()] };
        for value in [None, Some(0), Some(1), Some(i64::MAX), Some(-1)] {
            let all: Vec<Series> = Metric::ALL
                .into_iter()
                .map(|metric| series(metric, "Service/a/b", |_| value))
                .collect();
            for end in [SimTime::ZERO, SimTime::from_nanos(1), SimTime::MAX] {
                for picture in pictures(&all, end, &[], &autoscaled) {
                    picture.svg().expect("it is drawn");
                }
            }
        }
    }
}
