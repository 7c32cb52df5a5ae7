//! All expectations of a plan, compiled once and shared by its runs.

use std::fmt;
use std::sync::Arc;

use cel::{Env, IdedExpr};

use super::course::Mode;
use super::vocabulary::Reading;
use crate::api::name::Text;
use crate::time::SimDuration;

/// Where an expectation was written, for annotations.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// The input's display name.
    pub file: String,
    /// The line, from 1; 0 if unknown.
    pub line: u32,
}

/// One expectation.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// Its name.
    pub name: Text,
    /// When it must hold.
    pub mode: Mode,
    /// The condition as written.
    pub condition: Text,
    /// The step or fault its window is counted from; none: the run's begin.
    pub of: Option<Text>,
    /// From there to the window's begin.
    pub after: SimDuration,
    /// From there to the window's end.
    pub within: Option<SimDuration>,
    /// How long what is expected must hold.
    pub hold: Option<SimDuration>,
    /// Where it was written.
    pub place: Place,
    /// The condition, its readings replaced by their numbers.
    pub(super) expr: Arc<IdedExpr>,
    /// The readings, in the order written.
    pub(super) uses: Vec<usize>,
}

/// The expectations of a plan.
#[derive(Clone, Default)]
pub struct Expectations {
    pub(super) list: Vec<Expectation>,
    pub(super) readings: Vec<Reading>,
    /// By reading, the expectations that use it.
    pub(super) users: Vec<Vec<usize>>,
    pub(super) language: Option<Arc<Env>>,
}

impl fmt::Debug for Expectations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.list).finish()
    }
}

impl Expectations {
    /// Whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// In the order written.
    pub fn list(&self) -> &[Expectation] {
        &self.list
    }
}

const _: () = {
    const fn assert_shared<T: Send + Sync>() {}
    assert_shared::<Expectations>();
};
