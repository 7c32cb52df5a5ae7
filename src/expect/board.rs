//! The values of all readings at the present instant, and which of them changed.
//!
//! Nothing is asked twice: a subject reads its fields anew only when something it depends on was
//! written, and requests only when a second of them was told, or leaves a span.

use std::sync::Arc;

use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;

use super::readings::Expectations;
use super::subjects::{Scalar, Watched};
use super::vocabulary::{Field, Noun, Reading, Subject};
use crate::cluster::{Touched, World};
use crate::kernel::{Engine, NO_CAUSE};
use crate::record::Metrics;
use crate::time::{SimDuration, SimTime};

/// The values of all readings, for conditions to look up by number.
#[derive(Default)]
pub(super) struct Values(Vec<Option<Box<dyn Val>>>);

impl VariableResolver for Values {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let number: usize = variable.parse().ok()?;
        self.0.get(number)?.as_deref().map(CowVal::Borrowed)
    }
}

/// A reading as it stands.
#[derive(Clone, Debug, Default)]
struct Row {
    value: Option<Scalar>,
    /// The fact it has this value by.
    fact: u64,
    /// The subject that answers for it.
    subject: usize,
}

/// All readings of a run.
pub(super) struct Board {
    set: Arc<Expectations>,
    subjects: Vec<Watched>,
    rows: Vec<Row>,
    values: Values,
    /// What was written and not looked at yet.
    touched: Vec<Touched>,
    /// Readings of requests.
    requests: Vec<usize>,
    /// When requests must be looked at again though nothing was told of them.
    tick: Option<SimTime>,
    were_requests_told: bool,
    /// Readings of whether the cluster is as desired.
    converged: Vec<usize>,
    converges_at: Option<SimTime>,
    changed: Vec<usize>,
}

impl Board {
    pub(super) fn new(set: Arc<Expectations>) -> Board {
        let mut board = Board {
            subjects: Vec::new(),
            rows: vec![Row::default(); set.readings.len()],
            values: Values(set.readings.iter().map(|_| None).collect()),
            touched: Vec::new(),
            requests: Vec::new(),
            tick: None,
            were_requests_told: false,
            converged: Vec::new(),
            converges_at: None,
            changed: Vec::new(),
            set,
        };
        let set = board.set.clone();
        for (number, reading) in set.readings.iter().enumerate() {
            if is_of_requests(reading.field) {
                board.requests.push(number);
            } else if reading.subject == Subject::Cluster && reading.field == Field::Converged {
                board.converged.push(number);
            } else {
                let known = board.subjects.iter().position(|it| *it.subject() == reading.subject);
                board.rows[number].subject = known.unwrap_or_else(|| {
                    board.subjects.push(Watched::new(reading.subject.clone()));
                    board.subjects.len() - 1
                });
            }
        }
        board
    }

    /// Reads everything there is at the begin of a run.
    pub(super) fn begin(&mut self, world: &World) {
        for touched in world.all_objects() {
            for subject in &mut self.subjects {
                subject.note(world.store(), touched.table, touched.id);
            }
        }
        for number in 0..self.rows.len() {
            self.read(number, world, NO_CAUSE);
        }
    }

    /// What a step wrote; it is looked at when the instant is over.
    pub(super) fn note(&mut self, world: &World) {
        if !self.subjects.is_empty() {
            self.touched.extend_from_slice(world.touched());
        }
    }

    /// A second of requests was told.
    pub(super) fn note_requests(&mut self) {
        self.were_requests_told = true;
    }

    /// Spans that are asked about.
    pub(super) fn spans(&self) -> impl Iterator<Item = SimDuration> + '_ {
        self.requests.iter().filter_map(|&number| self.set.readings[number].span)
    }

    /// Whether there may be anything to look at, though no time passes.
    pub(super) fn is_stale(&self) -> bool {
        !self.touched.is_empty() || self.were_requests_told || !self.converged.is_empty()
    }

    /// The next instant at which a reading may change by time alone.
    pub(super) fn wakes_at(&self) -> Option<SimTime> {
        match (self.tick, self.converges_at) {
            (Some(tick), Some(converges)) => Some(tick.min(converges)),
            (tick, converges) => tick.or(converges),
        }
    }

    /// Time has come to `at`, and nothing was written since.
    pub(super) fn pass(&mut self, at: SimTime, metrics: &Metrics) -> &[usize] {
        self.changed.clear();
        if self.converges_at.is_some_and(|due| due <= at) {
            self.converges_at = None;
            self.put_converged(true);
        }
        if self.tick.is_some_and(|due| due <= at) {
            self.read_requests(at, metrics);
        }
        &self.changed
    }

    /// The instant is over: looks at what was written, and tells which readings changed.
    pub(super) fn refresh(&mut self, world: &World, metrics: &Metrics) -> &[usize] {
        let now = world.now();
        self.changed.clear();
        if !self.touched.is_empty() {
            let touched = std::mem::take(&mut self.touched);
            let mut moved = vec![None; self.subjects.len()];
            for one in &touched {
                for (subject, moved) in self.subjects.iter_mut().zip(&mut moved) {
                    if subject.note(world.store(), one.table, one.id) {
                        *moved = Some(one.fact);
                    }
                }
            }
            for number in 0..self.rows.len() {
                if !self.is_of_subject(number) {
                    continue;
                }
                if let Some(fact) = moved[self.rows[number].subject] {
                    self.read(number, world, fact);
                }
            }
            self.touched = touched;
            self.touched.clear();
        }
        if !self.converged.is_empty() {
            let since = world.converged_since();
            self.converges_at = since.filter(|&since| since > now);
            self.put_converged(since.is_some_and(|since| since <= now));
        }
        if self.were_requests_told || self.tick.is_some_and(|due| due <= now) {
            self.were_requests_told = false;
            self.read_requests(now, metrics);
        }
        &self.changed
    }

    fn is_of_subject(&self, number: usize) -> bool {
        !self.requests.contains(&number) && !self.converged.contains(&number)
    }

    fn read(&mut self, number: usize, world: &World, fact: u64) {
        if self.is_of_subject(number) {
            let subject = &self.subjects[self.rows[number].subject];
            let value = subject.read(world.store(), self.set.readings[number].field);
            self.put(number, value, fact);
        }
    }

    fn put_converged(&mut self, is_converged: bool) {
        for at in 0..self.converged.len() {
            self.put(self.converged[at], Some(Scalar::Flag(is_converged)), NO_CAUSE);
        }
    }

    fn read_requests(&mut self, now: SimTime, metrics: &Metrics) {
        self.tick = None;
        for at in 0..self.requests.len() {
            let number = self.requests[at];
            let set = self.set.clone();
            let reading = &set.readings[number];
            let (value, lasts) = requests(reading, metrics, now);
            if lasts == Lasts::UntilTheNextSecond {
                self.tick = Some(SimTime::from_secs(now.as_secs() + 1));
            }
            self.put(number, value, NO_CAUSE);
        }
    }

    fn put(&mut self, number: usize, value: Option<Scalar>, fact: u64) {
        let row = &mut self.rows[number];
        if row.value == value {
            return;
        }
        // A scalar always has a value in CEL.
        self.values.0[number] =
            value.as_ref().and_then(|it| Box::<dyn Val>::try_from(cel::Value::from(it)).ok());
        row.value = value;
        row.fact = fact;
        self.changed.push(number);
    }

    pub(super) fn values(&self) -> &Values {
        &self.values
    }

    /// What a reading says, in words, and the fact it says so by.
    pub(super) fn told(&self, number: usize) -> (String, u64) {
        let Row { value, fact, .. } = &self.rows[number];
        let text = &self.set.readings[number].text;
        let words = match value {
            None => format!("{text} had no value"),
            Some(value) => format!("{text} was {}", words(value)),
        };
        (words, *fact)
    }

    /// The Service a reading is of, if it is one of requests.
    pub(super) fn service_of(&self, number: usize) -> Option<(&str, &str)> {
        let reading = &self.set.readings[number];
        match &reading.subject {
            Subject::Object { noun: Noun::Service, namespace, name }
                if is_of_requests(reading.field) =>
            {
                Some((namespace, name))
            }
            _ => None,
        }
    }
}

/// Whether a value stands until something is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lasts {
    UntilTold,
    UntilTheNextSecond,
}

fn is_of_requests(field: Field) -> bool {
    matches!(
        field,
        Field::Requests
            | Field::Errors
            | Field::Rate
            | Field::SuccessRatio
            | Field::MeanMs
            | Field::QuantileMs(_)
    )
}

fn requests(reading: &Reading, metrics: &Metrics, now: SimTime) -> (Option<Scalar>, Lasts) {
    let Subject::Object { namespace, name, .. } = &reading.subject else {
        return (None, Lasts::UntilTold);
    };
    let Some(service) = metrics.service(namespace, name) else { return (None, Lasts::UntilTold) };
    let held;
    let (window, lasts) = match reading.span {
        None => (service.total(), Lasts::UntilTold),
        Some(span) => {
            held = service.window(now, span);
            let is_empty = held.sent + held.ok + held.errors() == 0;
            // As long as anything is in the span it will leave it; before a rate has its span, too.
            let is_early = reading.field == Field::Rate && now.since_start() < span;
            let lasts =
                if is_empty && !is_early { Lasts::UntilTold } else { Lasts::UntilTheNextSecond };
            (&held, lasts)
        }
    };
    let count = |count: u64| Some(Scalar::Number(i64::try_from(count).unwrap_or(i64::MAX)));
    let value = match (reading.field, reading.span) {
        (Field::Requests, _) => count(window.sent),
        (Field::Errors, _) => count(window.errors()),
        (Field::Rate, Some(span)) if now.since_start() >= span => {
            Some(Scalar::Decimal(window.rate(span.as_secs())))
        }
        (Field::SuccessRatio, _) => window.success_ratio().map(Scalar::Decimal),
        (Field::MeanMs, _) => window.mean_ms().map(Scalar::Decimal),
        (Field::QuantileMs(percent), _) => {
            window.quantile_ms(f64::from(percent) / 100.0).map(Scalar::Decimal)
        }
        _ => None,
    };
    (value, lasts)
}

/// A value for people.
fn words(value: &Scalar) -> String {
    match value {
        Scalar::Flag(flag) => flag.to_string(),
        Scalar::Number(number) => number.to_string(),
        Scalar::Decimal(number) => {
            let text = format!("{number:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        Scalar::Word(word) => format!("'{word}'"),
        Scalar::Words(words) => {
            let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
            format!("[{}]", quoted.join(", "))
        }
    }
}
