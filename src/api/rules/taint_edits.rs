//! Taints as `kubectl taint` sets and removes them (kubectl 1.36 pkg/cmd/taint/utils.go, with
//! `--overwrite`).

use super::taints::{Effect, Taint};
use crate::api::name::Text;
use crate::api::validation::names::{is_qualified_name, is_valid_label_value};

/// A taint that is set or removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TaintEdit {
    /// `key=value:Effect`, `key:Effect`: in place of one of that key and effect.
    Set(Taint),
    /// `key-` or `key:Effect-`.
    Remove {
        /// Its key.
        key: Text,
        /// Its effect; none: any.
        effect: Option<Effect>,
    },
}

/// Why a text is no edit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotAnEdit {
    /// This is no effect.
    Effect(String),
    /// Something else is wrong.
    Other(String),
}

impl TaintEdit {
    /// Reads one edit.
    ///
    /// # Errors
    /// The text is none.
    pub fn parse(word: &str) -> Result<TaintEdit, NotAnEdit> {
        let (body, is_removed) = match word.strip_suffix('-') {
            Some(body) => (body, true),
            None => (word, false),
        };
        let (name, effect) = match body.rsplit_once(':') {
            Some((name, effect)) => (name, Some(effect)),
            None => (body, None),
        };
        let effect = effect
            .map(|text| Effect::named(text).ok_or_else(|| NotAnEdit::Effect(text.to_owned())))
            .transpose()?;
        let (key, value) = name.split_once('=').unwrap_or((name, ""));
        let mut problems = is_qualified_name(key);
        problems.extend(is_valid_label_value(value));
        if let Some(problem) = problems.into_iter().next() {
            return Err(NotAnEdit::Other(problem));
        }
        match (is_removed, effect) {
            (true, effect) => Ok(TaintEdit::Remove { key: key.into(), effect }),
            (false, Some(effect)) => Ok(TaintEdit::Set(Taint::new(key, value, effect))),
            (false, None) => {
                let message = "expected KEY=VALUE:EFFECT, or KEY- to remove it";
                Err(NotAnEdit::Other(message.to_owned()))
            }
        }
    }
}

/// A taint that `edits` set twice, if there is one: kubectl refuses that.
pub fn set_twice(edits: &[TaintEdit]) -> Option<&Taint> {
    let sets = || {
        edits.iter().filter_map(|edit| match edit {
            TaintEdit::Set(taint) => Some(taint),
            TaintEdit::Remove { .. } => None,
        })
    };
    let mut all = sets().enumerate();
    all.find(|(at, taint)| sets().take(*at).any(|other| other.is_same(taint)))
        .map(|(_, taint)| taint)
}

/// The taints after the edits.
///
/// # Errors
/// A taint to be removed is not there.
pub fn edited(taints: &[Taint], edits: &[TaintEdit]) -> Result<Vec<Taint>, String> {
    let mut taints = taints.to_vec();
    for edit in edits {
        match edit {
            TaintEdit::Set(taint) => {
                taints.retain(|one| !one.is_same(taint));
                taints.push(taint.clone());
            }
            TaintEdit::Remove { key, effect } => {
                let before = taints.len();
                taints.retain(|one| {
                    one.key != *key || effect.is_some_and(|effect| effect != one.effect)
                });
                if taints.len() == before {
                    return Err(format!("taint {key:?} not found"));
                }
            }
        }
    }
    Ok(taints)
}
