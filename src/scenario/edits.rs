//! Labels, annotations and taints as a step sets and removes them, in kubectl's forms.

use super::judge::Judge;
use crate::api::name::Text;
use crate::api::rules::taint_edits::{NotAnEdit, TaintEdit, set_twice};
use crate::api::tree::{Node, Value, scalar_text};
use crate::api::validation::names::{is_qualified_name, is_valid_label_value};

/// Whether values are held to the rules of labels.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    /// They are.
    OfLabels,
    /// Any text will do.
    Free,
}

/// `{team: a, old: null}`, `team=a old-`, or a list of such words.
pub(super) fn map_edits(
    path: &str,
    values: Values,
    judge: &mut Judge<'_, '_>,
) -> Option<Vec<(Text, Option<Text>)>> {
    let mut edits: Vec<(Text, Option<Text>)> = Vec::new();
    let written = judge.document.node.at_path(path).cloned();
    if let Some(Node { value: Value::Map(entries), .. }) = &written {
        for entry in entries {
            let value = match &entry.node.value {
                Value::Null => None,
                value => match scalar_text(value) {
                    Some(text) => Some(Text::from(text)),
                    None => {
                        judge.error(&format!("{path}.{}", entry.key), "expected a text or null");
                        return None;
                    }
                },
            };
            edits.push(((&*entry.key).into(), value));
        }
        // Entries of a map have no order: a run is the same whichever way it was written.
        edits.sort();
    } else {
        for word in words(written.as_ref(), path, "team=a or team-", judge)? {
            let edit = match (word.split_once('='), word.strip_suffix('-')) {
                (Some((key, value)), _) => (key.into(), Some(value.into())),
                (None, Some(key)) => (key.into(), None),
                (None, None) => {
                    judge.error(
                        path,
                        format!(
                            "Invalid value: {word:?}: expected KEY=VALUE, or KEY- to remove it"
                        ),
                    );
                    return None;
                }
            };
            edits.push(edit);
        }
    }
    if edits.is_empty() {
        judge.missing(path, "Required value: what to set or remove, as in team=a or team-");
        return None;
    }
    for (key, value) in &edits {
        let mut problems = is_qualified_name(key);
        if let (Values::OfLabels, Some(value)) = (values, value) {
            problems.extend(is_valid_label_value(value));
        }
        if let Some(problem) = problems.first() {
            judge.error(path, format!("Invalid value: {key:?}: {problem}"));
            return None;
        }
    }
    Some(edits)
}

/// `key=value:Effect`, `key:Effect`, `key-`, `key:Effect-`; one, or a list.
pub(super) fn taint_edits(path: &str, judge: &mut Judge<'_, '_>) -> Option<Vec<TaintEdit>> {
    let written = judge.document.node.at_path(path).cloned();
    let words = words(written.as_ref(), path, "dedicated=gpu:NoSchedule", judge)?;
    if words.is_empty() {
        judge.missing(path, "Required value: a taint as in dedicated=gpu:NoSchedule");
        return None;
    }
    let edits: Option<Vec<TaintEdit>> = words.iter().map(|word| taint(word, path, judge)).collect();
    if let Some(twice) = edits.as_deref().and_then(set_twice) {
        let message = "duplicated taints with the same key and effect";
        judge.error(path, format!("{message}: {}:{}", twice.key, twice.effect.name()));
        return None;
    }
    edits
}

fn taint(word: &str, path: &str, judge: &mut Judge<'_, '_>) -> Option<TaintEdit> {
    match TaintEdit::parse(word) {
        Ok(edit) => return Some(edit),
        Err(NotAnEdit::Effect(other)) => {
            judge.not_one_of(path, &other, &["NoSchedule", "PreferNoSchedule", "NoExecute"]);
        }
        Err(NotAnEdit::Other(why)) => judge.error(path, format!("Invalid value: {word:?}: {why}")),
    }
    None
}

/// The words of a text or of a list of texts.
fn words(
    written: Option<&Node<'_>>,
    path: &str,
    example: &str,
    judge: &mut Judge<'_, '_>,
) -> Option<Vec<String>> {
    // Words of a text may be many, an item of a list is one.
    let texts: Option<Vec<&str>> = match written.map(|node| &node.value) {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::Text(text)) => Some(text.split_whitespace().collect()),
        Some(Value::List(items)) => items.iter().map(Node::text).collect(),
        Some(_) => None,
    };
    let Some(texts) = texts else {
        judge.error(path, format!("expected a text or a list of texts, as in {example}"));
        return None;
    };
    Some(texts.into_iter().map(str::to_owned).collect())
}
