//! Label selectors, matched as `k8s.io/apimachinery/pkg/labels` 1.36 matches them.

use crate::api::meta::Labels;
use crate::api::name::Text;

/// How a requirement compares. Absent keys satisfy `NotIn` and `DoesNotExist`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Operator {
    /// The value is one of those given.
    In,
    /// The value is none of those given, or the key is absent.
    NotIn,
    /// The key is there.
    Exists,
    /// The key is absent.
    DoesNotExist,
    /// The value is an integer above the one given (node selectors only).
    Gt,
    /// The value is an integer below the one given (node selectors only).
    Lt,
}

impl Operator {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Operator::In => "In",
            Operator::NotIn => "NotIn",
            Operator::Exists => "Exists",
            Operator::DoesNotExist => "DoesNotExist",
            Operator::Gt => "Gt",
            Operator::Lt => "Lt",
        }
    }
}

/// One condition on labels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Requirement {
    /// The label's key.
    pub key: Text,
    /// The comparison.
    pub operator: Operator,
    /// The values compared with, sorted.
    pub values: Vec<Text>,
}

impl Requirement {
    /// Whether `labels` satisfy the requirement.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.holds(labels.get(&self.key).map(AsRef::as_ref))
    }

    /// Whether a label with this value (or none) satisfies the requirement.
    pub fn holds(&self, value: Option<&str>) -> bool {
        let listed = |value: &str| self.values.iter().any(|known| **known == *value);
        match self.operator {
            Operator::In => value.is_some_and(listed),
            Operator::NotIn => !value.is_some_and(listed),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Gt | Operator::Lt => self.compares(value),
        }
    }

    fn compares(&self, value: Option<&str>) -> bool {
        let (Some(value), [bound]) = (value, self.values.as_slice()) else { return false };
        let (Ok(value), Ok(bound)) = (value.parse::<i64>(), bound.parse::<i64>()) else {
            return false;
        };
        if self.operator == Operator::Gt { value > bound } else { value < bound }
    }
}

/// A label selector: every requirement must hold. One without requirements selects everything.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Selector {
    /// The requirements, `matchLabels` first.
    pub requirements: Vec<Requirement>,
}

impl Selector {
    /// The selector of `matchLabels` alone.
    pub fn of_labels(labels: &Labels) -> Selector {
        let requirements = labels
            .iter()
            .map(|(key, value)| Requirement {
                key: key.clone(),
                operator: Operator::In,
                values: vec![value.clone()],
            })
            .collect();
        Selector { requirements }
    }

    /// Whether the selector selects something with these labels.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.requirements.iter().all(|requirement| requirement.matches(labels))
    }

    /// Whether it has no requirement, and so selects everything.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|&(k, v)| (k.into(), v.into())).collect()
    }

    fn requirement(key: &str, operator: Operator, values: &[&str]) -> Requirement {
        Requirement {
            key: key.into(),
            operator,
            values: values.iter().map(|&v| v.into()).collect(),
        }
    }

    #[test]
    fn absent_keys_satisfy_only_the_negative_operators() {
        let none = labels(&[]);
        assert!(!requirement("a", Operator::In, &["x"]).matches(&none));
        assert!(requirement("a", Operator::NotIn, &["x"]).matches(&none));
        assert!(!requirement("a", Operator::Exists, &[]).matches(&none));
        assert!(requirement("a", Operator::DoesNotExist, &[]).matches(&none));
        assert!(!requirement("a", Operator::Gt, &["1"]).matches(&none));
    }

    #[test]
    fn integers_compare_and_text_does_not() {
        let five = labels(&[("a", "5"), ("b", "five")]);
        assert!(requirement("a", Operator::Gt, &["4"]).matches(&five));
        assert!(!requirement("a", Operator::Lt, &["5"]).matches(&five));
        assert!(!requirement("b", Operator::Gt, &["1"]).matches(&five));
    }
}
