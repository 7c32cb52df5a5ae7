//! One picture a phase: the shares of what was measured, and beside them those of the model.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::samples::Samples;
use crate::luck::Measured;
use crate::report::pictures::axis;
use crate::report::pictures::brush::{self, Brush, COLOURS, Drawing, Drawn, FAINT, INK};
use crate::time::SimDuration;

const WIDTH: u32 = 1000;
const HEIGHT: u32 = 420;
const LEFT: i32 = 64;
const RIGHT: i32 = 760;
const LEGEND: i32 = 778;
const TOP: i32 = 44;
const BOTTOM: i32 = HEIGHT as i32 - 52;
/// Points by which a law is drawn.
const POINTS: u64 = 240;

/// What a curve is of.
#[derive(Clone, Debug, PartialEq)]
pub enum Shares {
    /// Of samples: in steps, solid.
    Measured(Samples),
    /// Of samples of the model: in steps, dashed.
    Model(Samples),
    /// Of a law: smooth, dashed.
    Law(Measured),
}

/// A curve of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// What the legend calls it.
    pub name: String,
    /// What it shows.
    pub shares: Shares,
    /// Its colour's number; curves to be compared have one.
    pub colour: usize,
}

/// A picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// Its curves.
    pub curves: Vec<Curve>,
}

fn millis(span: SimDuration) -> f64 {
    span.as_nanos() as f64 / 1e6
}

impl Curve {
    /// Where its axis has to reach to, in milliseconds: what is beyond is cut off.
    fn reach(&self) -> f64 {
        match &self.shares {
            Shares::Measured(samples) | Shares::Model(samples) => millis(samples.quantile(980)),
            Shares::Law(law) => 1.2 * millis(law.median()),
        }
    }

    fn points(&self, most: f64) -> Vec<(f64, f64)> {
        match &self.shares {
            Shares::Measured(samples) | Shares::Model(samples) => {
                let (mut points, count) = (vec![(0.0, 0.0)], samples.len() as f64);
                for (at, value) in samples.sorted().iter().enumerate() {
                    points.push((millis(*value), at as f64 / count));
                    points.push((millis(*value), (at + 1) as f64 / count));
                }
                points.push((most, 1.0));
                points
            }
            Shares::Law(law) => {
                let at = |n: u64| most * n as f64 / POINTS as f64;
                let span = |ms: f64| SimDuration::from_nanos(libm::round(ms * 1e6) as u64);
                (0..=POINTS).map(|n| (at(n), law.share_up_to(span(at(n))))).collect()
            }
        }
    }
}

impl Plot {
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

impl Drawing for Plot {
    fn size(&self) -> (u32, u32) {
        (WIDTH, HEIGHT)
    }

    fn draw<B: DrawingBackend>(&self, brush: &Brush<'_, B>) -> Drawn {
        brush.text((LEFT, 12), &self.title, 18, INK, (HPos::Left, VPos::Top))?;
        let reach = self.curves.iter().map(Curve::reach).fold(0.01, f64::max);
        let ticks = axis::linear(reach * 1.03, 1e-3);
        let most = ticks.last().map_or(1.0, |tick| tick.0).min(reach * 1.06);
        let x = |value: f64| LEFT + (value / most * f64::from(RIGHT - LEFT)).round() as i32;
        let y = |share: f64| BOTTOM - (share * f64::from(BOTTOM - TOP)).round() as i32;
        for quarter in 0..=4 {
            let share = f64::from(quarter) / 4.0;
            brush.line(&[(LEFT, y(share)), (RIGHT, y(share))], FAINT.stroke_width(1))?;
            let label = format!("{} %", quarter * 25);
            brush.text((LEFT - 7, y(share)), &label, 13, INK, (HPos::Right, VPos::Center))?;
        }
        for (value, label) in ticks.iter().filter(|(value, _)| *value <= most) {
            brush.line(&[(x(*value), BOTTOM), (x(*value), BOTTOM + 4)], INK.stroke_width(1))?;
            brush.text((x(*value), BOTTOM + 8), label, 13, INK, (HPos::Center, VPos::Top))?;
        }
        brush.line(&[(LEFT, BOTTOM), (RIGHT, BOTTOM)], INK.stroke_width(1))?;
        let middle = ((LEFT + RIGHT) / 2, BOTTOM + 44);
        brush.text(middle, "milliseconds", 14, INK, (HPos::Center, VPos::Bottom))?;
        let mut row = TOP;
        for curve in &self.curves {
            let points = curve.points(most).into_iter().filter(|(value, _)| *value <= most);
            let points: Vec<(i32, i32)> = points.map(|(ms, share)| (x(ms), y(share))).collect();
            let style = COLOURS[curve.colour % COLOURS.len()].stroke_width(2);
            let sample = [(LEGEND, row + 8), (LEGEND + 26, row + 8)];
            if matches!(curve.shares, Shares::Measured(_)) {
                brush.line(&points, style)?;
                brush.line(&sample, style)?;
            } else {
                brush.dashes(&points, style)?;
                brush.dashes(&sample, style)?;
            }
            brush.text((LEGEND + 34, row), &curve.name, 13, INK, (HPos::Left, VPos::Top))?;
            row += 20;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_shows_each_curve_and_is_drawn_both_ways() {
        let samples: Samples = (1..40).map(|n| SimDuration::from_millis(40 + n * n / 10)).collect();
        let law = Measured::LogNormal {
            floor: SimDuration::from_millis(40),
            p50: SimDuration::from_millis(80),
            p99: SimDuration::from_millis(190),
        };
        let curve = |name: &str, shares| Curve { name: name.to_owned(), shares, colour: 0 };
        let curves =
            vec![curve("measured", Shares::Measured(samples)), curve("fitted", Shares::Law(law))];
        let plot = Plot { title: "startContainer".to_owned(), curves };
        let svg = plot.svg().expect("a picture");
        for text in ["startContainer", "measured", "fitted", "milliseconds", "100 %"] {
            assert!(svg.contains(text), "{text}");
        }
        assert!(plot.png().expect("a picture").starts_with(b"\x89PNG"));
    }
}
