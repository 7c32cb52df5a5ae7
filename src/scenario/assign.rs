//! `--set spec.path=value`: one value of a Scenario, written on the command line.

use std::borrow::Cow;

use crate::api::tree::{Entry, Node, Value};
use crate::api::yaml;

/// One `--set`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assignment {
    /// The field, as `spec.cluster.nodes[0].count`.
    pub path: String,
    /// The value, as YAML.
    pub value: String,
}

impl Assignment {
    /// Reads `spec.path=value`.
    ///
    /// # Errors
    /// Where it is not of this form, in words that name the flag.
    pub fn parse(text: &str) -> Result<Assignment, String> {
        let form = "expected spec.path=value, as in spec.duration=10m";
        let Some((path, value)) = text.split_once('=') else {
            return Err(format!("--set {text}: {form}"));
        };
        if path != "spec" && !path.starts_with("spec.") {
            return Err(format!("--set {text}: the path must begin with spec.; {form}"));
        }
        yaml::parse(value)
            .map_err(|error| format!("--set {text}: the value is no YAML: {}", error.message))?;
        Ok(Assignment { path: path.to_owned(), value: value.to_owned() })
    }

    /// Puts the value into `root`; objects on the way are made, items of lists must be there.
    pub(super) fn put(&self, root: &mut Node<'static>) -> Result<(), String> {
        let value =
            yaml::parse(&self.value).map(Node::into_owned).map_err(|error| error.message)?;
        let mut place = root;
        for segment in self.path.split('.') {
            let (key, indexes) = match segment.split_once('[') {
                Some((key, rest)) => (key, rest.split('[').collect()),
                None => (segment, Vec::new()),
            };
            place = member(place, key).ok_or_else(|| format!("{key:?} is not in an object"))?;
            for index in indexes {
                place = item(place, index)
                    .ok_or_else(|| format!("there is no item [{index} of {key:?}"))?;
            }
        }
        *place = value;
        Ok(())
    }
}

fn member<'t>(place: &'t mut Node<'static>, key: &str) -> Option<&'t mut Node<'static>> {
    if matches!(place.value, Value::Null) {
        place.value = Value::Map(Vec::new());
    }
    let Value::Map(entries) = &mut place.value else { return None };
    let at = match entries.iter().position(|entry| entry.key == key) {
        Some(at) => at,
        None => {
            let node = Node::new(Value::Null);
            let key = Cow::Owned(key.to_owned());
            entries.push(Entry { key, key_at: place.at, node });
            entries.len() - 1
        }
    };
    Some(&mut entries[at].node)
}

fn item<'t>(place: &'t mut Node<'static>, index: &str) -> Option<&'t mut Node<'static>> {
    let at: usize = index.strip_suffix(']')?.parse().ok()?;
    match &mut place.value {
        Value::List(items) => items.get_mut(at),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::tree::canonical_json;

    #[test]
    fn values_replace_or_make_fields() {
        let mut root = yaml::parse("spec: {seed: 1, cluster: {nodes: [{count: 2}]}}")
            .expect("it parses")
            .into_owned();
        for text in
            ["spec.seed=7", "spec.cluster.nodes[0].count=9", "spec.cluster.fidelity=explicit"]
        {
            Assignment::parse(text).expect("it is one").put(&mut root).expect("it fits");
        }
        assert_eq!(
            canonical_json(&root),
            r#"{"spec":{"cluster":{"fidelity":"explicit","nodes":[{"count":9}]},"seed":7}}"#
        );
    }

    #[test]
    fn what_is_no_assignment_is_refused() {
        for text in ["spec.seed", "seed=1", "spec.x=[1"] {
            assert!(Assignment::parse(text).is_err(), "{text}");
        }
        let mut root = yaml::parse("spec: {list: []}").expect("it parses").into_owned();
        for text in ["spec.list[0]=1", "spec.list.a=1"] {
            assert!(Assignment::parse(text).expect("it is one").put(&mut root).is_err(), "{text}");
        }
    }
}
