//! Surges put into words.

use super::{Surge, Surges};
use crate::report::story::{Line, Tone};
use crate::report::words::{after, clock, count, number, span};
use crate::time::{SimDuration, SimTime};

/// Stages named in the sentence that sums up.
const NAMED: usize = 4;

impl Surges {
    /// Each surge: when it begins, and its lines.
    pub fn lines(&self, now: SimTime) -> Vec<(SimTime, Vec<Line>)> {
        self.told(now).iter().map(|surge| (surge.begins, surge.lines())).collect()
    }
}

impl Surge {
    /// How long it took from its beginning to its last stage's end.
    pub fn took(&self) -> SimDuration {
        self.stages.last().map_or(SimDuration::ZERO, |it| it.to.saturating_since(self.begins))
    }

    fn lines(&self) -> Vec<Line> {
        let headline = match self.rates {
            Some((before, since)) => format!(
                "the load on Service {} rises from {} to {} requests a second",
                self.services,
                number(before),
                number(since)
            ),
            None => format!("autoscaler {} asks for more pods", self.autoscaler),
        };
        let mut lines =
            vec![Line { time: clock(self.begins), tone: Tone::Headline, text: headline }];
        let column = |at: SimTime| after(self.begins, at);
        let mut rows: Vec<(SimTime, Line)> = Vec::new();
        for stage in &self.stages {
            let took = span(stage.to.saturating_since(stage.from));
            let text = format!("{} ({}: {took})", stage.text, stage.kind.name());
            rows.push((stage.to, Line { time: column(stage.to), tone: Tone::Plain, text }));
        }
        if let Some(felt) = self.felt {
            let nanos = |it: u64| span(SimDuration::from_nanos(it));
            let failing = match felt.errors {
                0 => String::new(),
                errors => format!(", and {} fail", count(errors, "request")),
            };
            let slower = felt.usual.map_or("clients begin to notice".to_owned(), |usual| {
                let (usual, worst) = (nanos(usual), nanos(felt.worst));
                format!("clients begin to notice: p99 goes from {usual} up to {worst}")
            });
            let text = format!("{slower}{failing}");
            rows.push((felt.from, Line { time: column(felt.from), tone: Tone::Bad, text }));
            if felt.until.is_some()
                && let Some((_, last)) = rows.iter_mut().rev().nth(1)
            {
                last.tone = Tone::Good;
            }
        }
        rows.sort_by_key(|(at, _)| *at);
        lines.extend(rows.into_iter().map(|(_, line)| line));
        if self.stages.len() > 1 {
            let (time, text) = (String::new(), self.sum());
            lines.push(Line { time, tone: Tone::Headline, text });
        }
        lines
    }

    /// `2 min 57 s in all: 60 s machine boots, 45 s growing in steps, ..`.
    fn sum(&self) -> String {
        let mut parts: Vec<(SimDuration, &str)> = Vec::new();
        for stage in &self.stages {
            let (took, name) = (stage.to.saturating_since(stage.from), stage.kind.name());
            match parts.iter_mut().find(|it| it.1 == name) {
                Some(part) => part.0 += took,
                None => parts.push((took, name)),
            }
        }
        parts.sort_by_key(|part| std::cmp::Reverse(part.0));
        let total: SimDuration = self.took();
        let named = parts.iter().take(NAMED).map(|(took, name)| format!("{} {name}", span(*took)));
        let named: Vec<String> = named.collect();
        let rest = parts.iter().skip(NAMED).fold(SimDuration::ZERO, |sum, part| sum + part.0);
        let rest = match rest {
            SimDuration::ZERO => String::new(),
            rest => format!(", {} all else", span(rest)),
        };
        format!("{} in all: {}{rest}", span(total), named.join(", "))
    }
}
