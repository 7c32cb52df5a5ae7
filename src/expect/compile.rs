//! From the text of a condition to what is evaluated, with all that is wrong with it.

use std::sync::Arc;

use cel::{Env, IdedExpr};

use super::course::Mode;
use super::lower::Lowering;
use super::readings::{Expectation, Expectations, Place};
use super::vocabulary::{Reading, Subject};
use crate::api::name::Text;
use crate::time::SimDuration;

/// Longest condition, in characters.
const LENGTH_MAX: usize = 4096;

/// What is wrong with a condition, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The character of the condition, from 0.
    pub at: usize,
    /// What is wrong.
    pub message: String,
    /// What may be meant.
    pub hint: Option<String>,
}

/// Something a condition names, and where: it must be there for the condition to make sense.
#[derive(Clone, PartialEq, Debug)]
pub struct Mention {
    /// The character of the condition, from 0.
    pub at: usize,
    /// What it names.
    pub subject: Subject,
}

/// A condition that was read.
#[derive(Clone, Debug)]
pub struct Condition {
    text: Text,
    expr: Arc<IdedExpr>,
    uses: Vec<usize>,
    /// What it names.
    pub mentions: Vec<Mention>,
}

/// Reads the expectations of one plan.
pub struct Builder {
    language: Arc<Env>,
    readings: Vec<Reading>,
    list: Vec<Expectation>,
}

impl Default for Builder {
    fn default() -> Builder {
        let language = Arc::new(Env::stdlib().with_optional_support(false));
        Builder { language, readings: Vec::new(), list: Vec::new() }
    }
}

impl Builder {
    /// Reads a condition.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn condition(&mut self, text: &str) -> Result<Condition, Vec<Problem>> {
        let length = text.chars().count();
        if length > LENGTH_MAX {
            let message = format!("{length} characters: a condition may have {LENGTH_MAX}");
            return Err(vec![Problem { at: 0, message, hint: None }]);
        }
        let (mut expr, source) =
            self.language.parser().parse_with_source_info(text).map_err(|errors| {
                let mut problems: Vec<Problem> = Vec::new();
                for error in &errors.errors {
                    let at = offset(text, error.pos);
                    // What follows the first slip is mostly its echo.
                    if problems.is_empty() {
                        problems.push(syntax(text, at, &error.msg));
                    }
                }
                problems
            })?;
        let mut lowering = Lowering::new(text, &source, &mut self.readings);
        lowering.condition(&mut expr);
        let (problems, uses, mentions) = lowering.finish();
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Condition { text: text.into(), expr: Arc::new(expr), uses, mentions })
    }

    /// Takes on an expectation with this condition. Its window is that of `within`, `after` and
    /// `hold` as they stand: see the module's words on what goes together.
    pub fn expect(
        &mut self,
        name: Text,
        mode: Mode,
        condition: Condition,
        place: Place,
    ) -> &mut Expectation {
        let Condition { text, expr, uses, .. } = condition;
        self.list.push(Expectation {
            name,
            mode,
            condition: text,
            of: None,
            after: SimDuration::ZERO,
            within: None,
            hold: None,
            place,
            expr,
            uses,
        });
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    /// All that was taken on.
    pub fn finish(self) -> Expectations {
        let mut users = vec![Vec::new(); self.readings.len()];
        for (number, expectation) in self.list.iter().enumerate() {
            expectation.uses.iter().for_each(|&reading| users[reading].push(number));
        }
        let Builder { language, readings, list } = self;
        Expectations { list, readings, users, language: Some(language) }
    }
}

/// The character at a line and column, both from 1.
fn offset(text: &str, (line, column): (isize, isize)) -> usize {
    let lines = usize::try_from(line - 1).unwrap_or(0);
    let before: usize = text.split_inclusive('\n').take(lines).map(|it| it.chars().count()).sum();
    (before + usize::try_from(column - 1).unwrap_or(0)).min(text.chars().count())
}

/// A slip of syntax in plain words.
fn syntax(text: &str, at: usize, message: &str) -> Problem {
    let rest: String = text.chars().skip(at).collect();
    let rest = rest.trim();
    let hint = if rest.starts_with('=') {
        Some("== compares".to_owned())
    } else if rest.starts_with("and ") || rest.starts_with("or ") {
        Some("&& is and, || is or".to_owned())
    } else {
        None
    };
    let message = match message.strip_prefix("Syntax error: ") {
        Some(_) if text.trim().is_empty() => "there is no condition".to_owned(),
        Some(words) if words.starts_with("missing ") => {
            format!("{} here", words.split(" at ").next().unwrap_or(words))
        }
        Some(_) if rest.is_empty() => "the condition breaks off here".to_owned(),
        Some(words) if words.starts_with("token recognition") && rest.starts_with(['\'', '"']) => {
            "this text has no end".to_owned()
        }
        Some(_) => {
            let word: String = rest.chars().take_while(|c| !c.is_whitespace()).take(20).collect();
            format!("{word:?} is not expected here")
        }
        None => message.to_owned(),
    };
    Problem { at, message, hint }
}
