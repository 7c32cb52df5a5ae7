//! How a picture is laid out.
//!
//! Layout, in units of the picture (1000 wide): a title; rows with the names of steps and faults;
//! panels over one time axis; to their right the legends, in a column of their own so that they
//! never cover anything.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::axis::{self, Tick};
use super::brush::{Brush, COLOURS, Drawing, Drawn, FAINT, INK, PAPER};
use super::{Block, Curve, Moment, Panel, Picture, Shape, Stroke, WIDTH};
use crate::report::words::span;
use crate::time::{SimDuration, SimTime};

const LEFT: i32 = 78;
const RIGHT: i32 = 812;
const LEGEND: i32 = 828;
/// From the time axis to the lower edge.
const FOOT: i32 = 48;
/// Where the first row of names stands.
const NAMES_TOP: i32 = 34;
const NAME_ROW: i32 = 15;
const NAME_ROWS_MAX: i32 = 4;
const PANEL_GAP: i32 = 22;
const ALARM: RGBColor = RGBColor(0xd5, 0x5e, 0x00);

impl Drawing for Picture {
    fn size(&self) -> (u32, u32) {
        (WIDTH, self.height)
    }

    fn draw<B: DrawingBackend>(&self, brush: &Brush<'_, B>) -> Drawn {
        brush.text((LEFT, 10), &self.title, 19, INK, (HPos::Left, VPos::Top))?;
        let names = brush.names(self);
        let rows = names.iter().flatten().map(|(row, ..)| row + 1).max().unwrap_or(0);
        let top = NAMES_TOP + rows * NAME_ROW + 8;
        let panels = self.panels.len().max(1) as i32;
        let shares = self.panels.iter().map(|panel| panel.share).sum::<i32>().max(1);
        let foot = self.height as i32 - FOOT;
        let room = foot - top - PANEL_GAP * (panels - 1);
        let (title, ticks) = axis::time(self.end, 10);
        let mut y = top;
        for (at, panel) in self.panels.iter().enumerate() {
            let height = room * panel.share / shares;
            let frame = Frame::new(self.end, panel, y, y + height);
            brush.moments(self, &frame)?;
            let labels = if at as i32 == panels - 1 { Labels::Shown } else { Labels::Hidden };
            brush.grid(&frame, &ticks, labels)?;
            brush.curves(panel, &frame)?;
            brush.legend(panel, &frame)?;
            y += height + PANEL_GAP;
        }
        brush.label_moments(self, &names, top)?;
        brush.text(((LEFT + RIGHT) / 2, foot + 42), title, 14, INK, (HPos::Center, VPos::Bottom))
    }
}

/// Where values lie in one panel.
struct Frame<'a> {
    panel: &'a Panel,
    end: f64,
    top: i32,
    bottom: i32,
    ticks: Vec<Tick>,
}

impl<'a> Frame<'a> {
    fn new(end: SimTime, panel: &'a Panel, top: i32, bottom: i32) -> Frame<'a> {
        Frame { panel, end: seconds(end).max(1e-9), top, bottom, ticks: panel.ticks() }
    }

    fn x(&self, at: SimTime) -> i32 {
        self.x_of(seconds(at))
    }

    fn x_of(&self, at: f64) -> i32 {
        let share = (at / self.end).clamp(0.0, 1.0);
        LEFT + (share * f64::from(RIGHT - LEFT)).round() as i32
    }

    fn y(&self, value: f64) -> i32 {
        let (low, high) = (self.ticks[0].0, self.ticks[self.ticks.len() - 1].0);
        let share = if self.panel.is_logarithmic() {
            let span = libm::log10(high) - libm::log10(low);
            (libm::log10(value.max(low)) - libm::log10(low)) / span
        } else {
            (value - low) / (high - low)
        };
        self.bottom - (share.clamp(0.0, 1.0) * f64::from(self.bottom - self.top)).round() as i32
    }
}

fn seconds(at: SimTime) -> f64 {
    at.as_nanos() as f64 / 1e9
}

/// Whether ticks of the time axis have labels: only under the last panel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Labels {
    Shown,
    Hidden,
}

/// The row of a name, where it begins, how it is written, and its anchor; nothing if there is no room.
type Name = Option<(i32, i32, String, HPos)>;

impl<B: DrawingBackend> Brush<'_, B> {
    /// Bands of faults and lines of steps, behind everything else.
    fn moments(&self, picture: &Picture, frame: &Frame<'_>) -> Drawn {
        for moment in &picture.moments {
            let x = frame.x(moment.begins);
            if let Some(ends) = moment.ends {
                let to = (frame.x(ends).max(x + 1), frame.bottom);
                self.block((x, frame.top), to, ALARM.mix(0.09).filled())?;
            }
            let mut y = frame.top;
            while y < frame.bottom {
                let to = (y + 5).min(frame.bottom);
                self.line(&[(x, y), (x, to)], ALARM.stroke_width(1))?;
                y += 9;
            }
        }
        Ok(())
    }

    /// Where the names of steps and faults stand: in the first row with room.
    fn names(&self, picture: &Picture) -> Vec<Name> {
        let mut taken = [LEFT - 30; NAME_ROWS_MAX as usize];
        let end = seconds(picture.end).max(1e-9);
        let mut place = |moment: &Moment| {
            let share = (seconds(moment.begins) / end).clamp(0.0, 1.0);
            let x = LEFT + (share * f64::from(RIGHT - LEFT)).round() as i32;
            let text = self.fit(&moment.name, 13, 170);
            let wide = self.width(&text, 13) + 10;
            let (from, anchor) = match x + wide > RIGHT + 12 {
                true => (x - wide, HPos::Right),
                false => (x, HPos::Left),
            };
            let row = taken.iter().position(|until| *until <= from)?;
            taken[row] = from + wide;
            Some((row as i32, x, text, anchor))
        };
        picture.moments.iter().map(&mut place).collect()
    }

    fn label_moments(&self, picture: &Picture, names: &[Name], top: i32) -> Drawn {
        for (name, _) in names.iter().zip(&picture.moments) {
            let Some((row, x, text, anchor)) = name else { continue };
            let y = NAMES_TOP + row * NAME_ROW;
            self.line(&[(*x, y + 1), (*x, top)], ALARM.stroke_width(1))?;
            let x = if matches!(anchor, HPos::Right) { x - 4 } else { x + 4 };
            self.text((x, y), text, 13, ALARM, (*anchor, VPos::Top))?;
        }
        Ok(())
    }

    fn grid(&self, frame: &Frame<'_>, ticks: &[Tick], labels: Labels) -> Drawn {
        let is_measured = frame.panel.shape != Shape::Blocks;
        for (value, label) in frame.ticks.iter().filter(|_| is_measured) {
            let y = frame.y(*value);
            self.line(&[(LEFT, y), (RIGHT, y)], FAINT.stroke_width(1))?;
            self.text((LEFT - 7, y), label, 13, INK, (HPos::Right, VPos::Center))?;
        }
        for (at, label) in ticks {
            let x = frame.x_of(*at);
            self.line(&[(x, frame.bottom), (x, frame.bottom + 4)], INK.stroke_width(1))?;
            if labels == Labels::Shown {
                let at = (x, frame.bottom + 8);
                self.text(at, label, 13, INK, (HPos::Center, VPos::Top))?;
            }
        }
        self.line(&[(LEFT, frame.bottom), (RIGHT, frame.bottom)], INK.stroke_width(1))?;
        self.upright((16, (frame.top + frame.bottom) / 2), &frame.panel.title, 14)
    }

    fn curves(&self, panel: &Panel, frame: &Frame<'_>) -> Drawn {
        match panel.shape {
            Shape::Stacked => return self.stacked(panel, frame),
            Shape::Blocks => return self.blocks(panel, frame),
            Shape::Lines | Shape::Logarithmic => {}
        }
        let width_of = |curve: &&Curve| std::cmp::Reverse(curve.width);
        let mut order: Vec<&Curve> = panel.curves.iter().collect();
        order.sort_by_key(width_of);
        for curve in order {
            for run in runs(curve, frame) {
                match curve.stroke {
                    Stroke::Solid => {
                        self.line(&run, COLOURS[curve.colour].stroke_width(curve.width))?;
                    }
                    Stroke::Dashed => self.stepped(&run, INK.stroke_width(curve.width))?,
                }
            }
        }
        Ok(())
    }

    /// A line of steps in dashes, from one whole pixel to another.
    fn stepped(&self, points: &[(i32, i32)], style: ShapeStyle) -> Drawn {
        for pair in points.windows(2) {
            let [(x, y), (to_x, to_y)] = [pair[0], pair[1]];
            let (dx, dy) = ((to_x - x).signum(), (to_y - y).signum());
            let length = (to_x - x).abs().max((to_y - y).abs());
            let mut at = 0;
            while at < length {
                let end = (at + 4).min(length);
                let dash = [(x + dx * at, y + dy * at), (x + dx * end, y + dy * end)];
                self.line(&dash, style)?;
                at += 8;
            }
        }
        Ok(())
    }

    /// Rows of blocks, each with its name if that fits in.
    fn blocks(&self, panel: &Panel, frame: &Frame<'_>) -> Drawn {
        let rows = panel.blocks.iter().map(|block| block.row + 1).max().unwrap_or(1) as i32;
        let height = (frame.bottom - frame.top) / rows;
        for block in &panel.blocks {
            let top = frame.top + block.row as i32 * height + 3;
            let (from, to) = (frame.x(block.from), frame.x(block.to));
            let bottom = top + height - 6;
            self.block((from, top), (to.max(from + 1), bottom), COLOURS[block.colour].filled())?;
            if self.width(block.name, 12) + 6 < to - from {
                let at = ((from + to) / 2, (top + bottom) / 2);
                self.text(at, block.name, 12, PAPER, (HPos::Center, VPos::Center))?;
            }
        }
        Ok(())
    }

    /// The names of blocks, the one that took the longest first.
    fn block_legend(&self, panel: &Panel, frame: &Frame<'_>) -> Drawn {
        let mut sums: Vec<(&str, usize, SimDuration)> = Vec::new();
        for Block { name, colour, from, to, .. } in &panel.blocks {
            let took = to.saturating_since(*from);
            match sums.iter_mut().find(|it| it.0 == *name) {
                Some(sum) => sum.2 += took,
                None => sums.push((name, *colour, took)),
            }
        }
        sums.sort_by_key(|it| std::cmp::Reverse(it.2));
        let mut y = frame.top - 4;
        for (name, colour, took) in sums {
            if y + 13 > frame.bottom + FOOT {
                break;
            }
            self.block((LEGEND, y + 1), (LEGEND + 12, y + 12), COLOURS[colour].filled())?;
            let text = self.fit(&format!("{} {name}", span(took)), 13, WIDTH as i32 - LEGEND - 24);
            self.text((LEGEND + 20, y + 7), &text, 13, INK, (HPos::Left, VPos::Center))?;
            y += 16;
        }
        Ok(())
    }

    /// Areas one upon the other, the first at the bottom.
    fn stacked(&self, panel: &Panel, frame: &Frame<'_>) -> Drawn {
        let mut times: Vec<SimTime> =
            panel.curves.iter().flat_map(|curve| curve.points.iter().map(|(at, _)| *at)).collect();
        times.push(SimTime::ZERO);
        times.sort_unstable();
        times.dedup();
        let mut below = vec![0.0; times.len()];
        for curve in &panel.curves {
            let above: Vec<f64> =
                times.iter().zip(&below).map(|(at, base)| base + curve.value(*at)).collect();
            let mut outline = steps(&times, &above, frame);
            let mut back = steps(&times, &below, frame);
            back.reverse();
            outline.extend(back);
            self.within(&outline, COLOURS[curve.colour].mix(0.9).filled())?;
            below = above;
        }
        Ok(())
    }

    fn legend(&self, panel: &Panel, frame: &Frame<'_>) -> Drawn {
        if panel.shape == Shape::Blocks {
            return self.block_legend(panel, frame);
        }
        let room = ((frame.bottom - frame.top) / 18).max(2) as usize - 1;
        let named: Vec<&Curve> =
            panel.curves.iter().filter(|curve| curve.stroke == Stroke::Solid).collect();
        let shown = if named.len() > room { room - 1 } else { named.len() };
        let mut y = frame.top + 2;
        // As the areas lie, from the top down.
        let order: Vec<&Curve> = match panel.shape {
            Shape::Stacked => named.iter().rev().take(shown).copied().collect(),
            _ => named.iter().take(shown).copied().collect(),
        };
        for curve in order {
            let colour = COLOURS[curve.colour];
            if panel.shape == Shape::Stacked {
                self.block((LEGEND, y + 1), (LEGEND + 12, y + 12), colour.mix(0.9).filled())?;
            } else {
                let style = colour.stroke_width(curve.width.max(3));
                self.line(&[(LEGEND, y + 7), (LEGEND + 14, y + 7)], style)?;
            }
            let text = self.fit(&curve.name, 13, WIDTH as i32 - LEGEND - 24);
            self.text((LEGEND + 20, y + 7), &text, 13, INK, (HPos::Left, VPos::Center))?;
            y += 18;
        }
        if named.len() < panel.curves.len() {
            self.stepped(&[(LEGEND, y + 7), (LEGEND + 14, y + 7)], INK.stroke_width(2))?;
            self.text((LEGEND + 20, y + 7), "wanted", 13, INK, (HPos::Left, VPos::Center))?;
            y += 18;
        }
        let more = named.len() - shown + panel.left_out;
        if more > 0 {
            let text = format!("and {more} more");
            self.text((LEGEND + 20, y + 7), &text, 13, INK, (HPos::Left, VPos::Center))?;
        }
        Ok(())
    }
}

/// The corners of a line that holds each value until the next.
fn steps(times: &[SimTime], values: &[f64], frame: &Frame<'_>) -> Vec<(i32, i32)> {
    let mut points: Vec<(i32, i32)> = Vec::with_capacity(2 * times.len() + 1);
    for (at, value) in times.iter().zip(values) {
        let (x, y) = (frame.x(*at), frame.y(*value));
        if let Some((_, before)) = points.last() {
            points.push((x, *before));
        }
        points.push((x, y));
    }
    if let Some((_, y)) = points.last() {
        points.push((frame.x_of(frame.end), *y));
    }
    points.dedup();
    points
}

/// The stretches of a curve in which it has values, each as the corners of its line.
fn runs(curve: &Curve, frame: &Frame<'_>) -> Vec<Vec<(i32, i32)>> {
    let mut runs = Vec::new();
    let mut run: Vec<(i32, i32)> = Vec::new();
    for (at, value) in &curve.points {
        let x = frame.x(*at);
        if let Some((_, y)) = run.last() {
            run.push((x, *y));
        }
        match value {
            Some(value) => run.push((x, frame.y(*value))),
            None if !run.is_empty() => runs.push(std::mem::take(&mut run)),
            None => {}
        }
    }
    if let Some((_, y)) = run.last() {
        run.push((frame.x_of(frame.end), *y));
        runs.push(run);
    }
    for run in &mut runs {
        run.dedup();
    }
    runs
}
