//! Watches a run and judges its expectations.
//!
//! A judge looks when an instant is over: what several events leave behind at one instant counts, not
//! what was in between. Between two instants with events, time alone may decide: windows begin and
//! end, conditions have held for long enough.

use std::sync::Arc;

use cel::Context;
use cel::common::types::CelBool;

use super::board::{Board, Values};
use super::course::{Course, Mode, Outcome};
use super::readings::{Expectation, Expectations};
use crate::api::name::Text;
use crate::cluster::World;
use crate::cluster::plan::TrafficPlan;
use crate::kernel::{Engine, FactSink, NO_CAUSE};
use crate::messages::{Fact, Verb};
use crate::record::{ExpectationRow, Metrics};
use crate::time::{SimDuration, SimTime};

/// Readings named in a detail; the rest is left out.
const NAMED_MAX: usize = 4;

/// One expectation under way.
struct Case {
    course: Course,
    /// The condition's value since the last look.
    value: Option<bool>,
    /// Whether a reading changed since.
    is_stale: bool,
    /// Said when it was decided.
    detail: String,
    fact: Option<u64>,
}

/// The latest request a client lost.
struct Lost {
    client: Text,
    /// Namespace and name of the Service it calls.
    service: (Text, Text),
    fact: u64,
}

/// Watches one run.
pub struct Judge {
    set: Arc<Expectations>,
    board: Board,
    language: Context<'static, 'static>,
    cases: Vec<Case>,
    /// The next instant at which time alone may decide something.
    wake: Option<SimTime>,
    /// Cases whose window is counted from a step that has not begun.
    unanchored: usize,
    /// Clients, and the latest fact of a request each lost.
    lost: Vec<Lost>,
    /// The cause of each fact, by number; to walk back from a violation.
    causes: Vec<u32>,
}

impl Judge {
    /// A judge of `set`, before the run begins.
    pub fn new(set: Arc<Expectations>) -> Judge {
        let language = match &set.language {
            Some(language) => Context::with_env(language.clone()),
            None => Context::empty(),
        };
        let cases: Vec<Case> = set.list.iter().map(Case::new).collect();
        let unanchored = cases.iter().filter(|case| !case.course.is_anchored()).count();
        Judge {
            board: Board::new(set.clone()),
            language,
            cases,
            wake: None,
            unanchored,
            lost: Vec::new(),
            causes: Vec::new(),
            set,
        }
    }

    /// Keeps what it will ask of `metrics` at hand.
    pub fn prepare(&self, metrics: &mut Metrics) {
        self.board.spans().for_each(|span| metrics.track(span));
    }

    /// The world stands as it does at time zero.
    pub fn begin(&mut self, world: &World) {
        if self.cases.is_empty() {
            return;
        }
        let clients = world.plan().traffic.iter();
        let lost = |it: &TrafficPlan| Lost {
            client: it.name.clone(),
            service: it.service.clone(),
            fact: NO_CAUSE,
        };
        self.lost = clients.map(lost).collect();
        self.board.begin(world);
        self.cases.iter_mut().for_each(|case| case.is_stale = true);
        self.wake = Some(SimTime::ZERO);
    }

    /// A step was taken.
    #[inline]
    pub fn after_step(&mut self, world: &World, metrics: &Metrics) {
        if self.cases.is_empty() {
            return;
        }
        self.board.note(world);
        let now = world.now();
        if world.next_at().is_some_and(|next| next <= now) {
            return;
        }
        let is_due = self.wake.is_some_and(|wake| wake <= now);
        if is_due || self.unanchored > 0 || self.board.is_stale() {
            self.settle(world, metrics);
        }
    }

    /// Until when a run must go on though its cluster has settled: something may still be fulfilled.
    pub fn waits_until(&self) -> SimTime {
        let waits = self.cases.iter().map(|case| case.course.waits_until());
        waits.max().unwrap_or(SimTime::ZERO)
    }

    /// The run has ended: all that was expected, in the order written.
    pub fn finish(&mut self, world: &World, metrics: &Metrics) -> Vec<ExpectationRow> {
        if self.cases.is_empty() {
            return Vec::new();
        }
        self.settle(world, metrics);
        let now = world.now();
        for number in 0..self.cases.len() {
            if self.cases[number].course.outcome().is_none() {
                self.evaluate(number);
                let value = self.cases[number].value;
                self.cases[number].course.look(now, value);
                self.cases[number].course.finish(now);
                self.conclude(number);
            }
        }
        let rows = self.set.list.iter().zip(&self.cases);
        rows.map(|(expectation, case)| row(expectation, case)).collect()
    }

    /// From a fact to what began it: itself first.
    pub fn chain(&self, fact: u64) -> Vec<u64> {
        let mut chain = Vec::new();
        let mut at = fact;
        while at != NO_CAUSE {
            chain.push(at);
            let before = self.causes.get(at as usize - 1).copied().unwrap_or(0);
            at = if u64::from(before) < at { before.into() } else { NO_CAUSE };
        }
        chain
    }

    /// The instant is over.
    fn settle(&mut self, world: &World, metrics: &Metrics) {
        let now = world.now();
        while let Some(at) = self.wake.filter(|&at| at < now) {
            mark(&self.set, &mut self.cases, self.board.pass(at, metrics));
            self.look(at);
        }
        if self.unanchored > 0 {
            self.anchor(world);
        }
        mark(&self.set, &mut self.cases, self.board.refresh(world, metrics));
        self.look(now);
    }

    /// Windows that are counted from a step which has begun get their place.
    fn anchor(&mut self, world: &World) {
        for (expectation, case) in self.set.list.iter().zip(&mut self.cases) {
            if case.course.is_anchored() {
                continue;
            }
            let begun = expectation.of.as_ref().and_then(|name| world.step_instants(name));
            if let Some((begun, _)) = begun {
                case.course.anchor(begun);
                self.unanchored -= 1;
            }
        }
    }

    /// Looks at every condition that changed or is due, and works out when to look again.
    fn look(&mut self, at: SimTime) {
        for number in 0..self.cases.len() {
            let case = &self.cases[number];
            let is_due = case.course.wakes_at().is_some_and(|due| due <= at);
            if case.course.outcome().is_some() || !(is_due || (case.is_stale && case.is_open(at))) {
                continue;
            }
            if self.evaluate(number) || is_due {
                let value = self.cases[number].value;
                self.cases[number].course.look(at, value);
                self.conclude(number);
            }
        }
        let due = self.cases.iter().filter_map(|case| case.course.wakes_at());
        let due = due.chain(self.board.wakes_at()).filter(|&due| due > at);
        self.wake = due.min();
    }

    /// Works out a condition if a reading changed; tells whether its value did.
    fn evaluate(&mut self, number: usize) -> bool {
        if !std::mem::take(&mut self.cases[number].is_stale) {
            return false;
        }
        let expr = &self.set.list[number].expr;
        let value = value_of(&self.language, self.board.values(), expr);
        std::mem::replace(&mut self.cases[number].value, value) != value
    }

    /// Says why, as soon as something is decided.
    fn conclude(&mut self, number: usize) {
        let Some(outcome) = self.cases[number].course.outcome() else { return };
        let expectation = &self.set.list[number];
        let told: Vec<(String, u64)> =
            expectation.uses.iter().map(|&reading| self.board.told(reading)).collect();
        let mut words: Vec<&str> = told.iter().map(|(words, _)| words.as_str()).collect();
        let more = words.len().saturating_sub(NAMED_MAX);
        words.truncate(NAMED_MAX);
        let mut seen = words.join(", ");
        if more > 0 {
            seen += &format!(", and {more} more");
        }
        if seen.is_empty() {
            seen = format!("{} is what it always is", expectation.condition);
        }
        let requests =
            expectation.uses.iter().filter_map(|&reading| self.board.service_of(reading));
        let lost = requests.filter_map(|of| self.lost_of(of)).max();
        let latest = told.iter().map(|(_, fact)| *fact).max().filter(|&fact| fact != NO_CAUSE);
        let case = &self.cases[number];
        let detail = detail(expectation, case, outcome, &seen);
        let case = &mut self.cases[number];
        case.detail = detail;
        if !matches!(outcome, Outcome::Passed(_)) {
            case.fact = latest.max(lost);
        }
    }

    /// The latest fact of a request to this Service that was lost.
    fn lost_of(&self, (namespace, name): (&str, &str)) -> Option<u64> {
        let of =
            self.lost.iter().filter(|it| *it.service.0 == *namespace && *it.service.1 == *name);
        of.map(|it| it.fact).filter(|&fact| fact != NO_CAUSE).max()
    }
}

impl FactSink<Fact> for Judge {
    #[inline]
    fn record(&mut self, _at: SimTime, number: u64, cause: u64, fact: &Fact) {
        if self.cases.is_empty() {
            return;
        }
        self.causes.push(u32::try_from(cause).unwrap_or(0));
        match fact.verb {
            Verb::Requests => self.board.note_requests(),
            Verb::RequestFailed => {
                let client = |it: &&mut Lost| fact.object.name == *it.client;
                self.lost.iter_mut().filter(client).for_each(|it| it.fact = number);
            }
            _ => {}
        }
    }
}

impl Case {
    fn new(expectation: &Expectation) -> Case {
        let Expectation { mode, after, within, hold, of, .. } = expectation;
        let mut course = Course::new(*mode, *after, *within, *hold);
        if of.is_none() {
            course.anchor(SimTime::ZERO);
        }
        Case { course, value: None, is_stale: true, detail: String::new(), fact: None }
    }

    /// Whether the window has begun.
    fn is_open(&self, at: SimTime) -> bool {
        self.course.has_begun(at)
    }
}

/// Conditions that use what changed are to be worked out anew.
fn mark(set: &Expectations, cases: &mut [Case], changed: &[usize]) {
    for &reading in changed {
        for &user in &set.users[reading] {
            cases[user].is_stale = true;
        }
    }
}

/// The value of a condition; none if it cannot be evaluated now.
fn value_of<'a>(
    language: &'a Context<'a, 'a>,
    values: &'a Values,
    expr: &'a cel::IdedExpr,
) -> Option<bool> {
    let mut scope = language.new_inner_scope();
    scope.set_variable_resolver(values);
    let value = cel::Value::resolve_val(expr, &scope).ok()?;
    value.downcast_ref::<CelBool>().map(|flag| *flag.inner())
}

fn row(expectation: &Expectation, case: &Case) -> ExpectationRow {
    let outcome = case.course.outcome();
    let at = outcome.and_then(|outcome| match (expectation.mode, outcome) {
        (Mode::Always | Mode::Never, Outcome::Passed(_)) => None,
        (_, Outcome::NeverEvaluated(_)) => None,
        (_, Outcome::Passed(at) | Outcome::Broken(at) | Outcome::Unfulfilled(at)) => Some(at),
    });
    ExpectationRow {
        name: expectation.name.to_string(),
        passed: matches!(outcome, Some(Outcome::Passed(_))),
        at,
        detail: case.detail.clone(),
        of_fact: case.fact,
    }
}

fn detail(expectation: &Expectation, case: &Case, outcome: Outcome, seen: &str) -> String {
    let hold = expectation.hold.filter(|hold| !hold.is_zero());
    let on_end = hold.map_or_else(String::new, |hold| format!(" for {} on end", span(hold)));
    match (expectation.mode, outcome) {
        (_, Outcome::NeverEvaluated(at)) => match (&expectation.of, case.course.begin()) {
            (Some(of), None) => {
                format!("never evaluated: step {of:?} did not begin by {}", second(at))
            }
            (_, Some(begin)) if begin > at => {
                format!(
                    "never evaluated: its window begins at {}, the run ended at {}",
                    second(begin),
                    second(at)
                )
            }
            _ => format!("never evaluated up to {}: {seen}", second(at)),
        },
        (Mode::Always | Mode::Never, Outcome::Passed(at)) => {
            let begin = case.course.begin().unwrap_or(SimTime::ZERO);
            format!("held from {} to {}", second(begin), second(at))
        }
        (_, Outcome::Passed(at)) => format!("{seen} at {}", second(at)),
        (_, Outcome::Broken(at)) => format!("{seen} at {}", second(at)),
        (Mode::AtEnd, Outcome::Unfulfilled(at)) if case.value == Some(true) => {
            format!("not true{on_end} at the end, {}: {seen}", second(at))
        }
        (Mode::AtEnd, Outcome::Unfulfilled(at)) => format!("{seen} at the end, {}", second(at)),
        (_, Outcome::Unfulfilled(at)) => format!("not true{on_end} by {}: {seen}", second(at)),
    }
}

/// An instant in seconds, to the nearest millisecond.
fn second(at: SimTime) -> String {
    span(at.since_start())
}

fn span(span: SimDuration) -> String {
    let millis = span.as_nanos().saturating_add(500_000) / 1_000_000;
    format!("{}.{:03} s", millis / 1000, millis % 1000)
}
