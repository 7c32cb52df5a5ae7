//! Whom a change may concern: autoscalers by what their targets select and by the name of their target.
//!
//! Owns a superset that is looked up and never searched for: whoever is not in it is not concerned. Refuses
//! to know whether those who are sleep, and whether a selector matches in the end.

use std::collections::BTreeMap;

use crate::api::meta::Labels;
use crate::api::name::Text;
use crate::api::rules::selector::{Operator, Selector};
use crate::base::FastMap;

/// Slots of autoscalers.
type Slots = Vec<u32>;

/// The autoscalers of one namespace.
#[derive(Clone, Debug, Default)]
struct Local {
    /// By a label, key and value, that their pods must have.
    by_label: BTreeMap<Text, FastMap<Text, Slots>>,
    /// Those whose pods need have none, or whose target was not found yet.
    by_none: Slots,
    /// By the name of their target.
    by_target: FastMap<Text, Slots>,
}

/// All autoscalers.
#[derive(Clone, Debug, Default)]
pub(super) struct Concerned {
    of: FastMap<Text, Local>,
}

/// Labels of which pods that are selected must have one; none where no one label tells.
fn needed(selector: Option<&Selector>) -> Option<(&Text, &[Text])> {
    let all = &selector?.requirements;
    let named = all.iter().find(|it| it.operator == Operator::In && !it.values.is_empty())?;
    Some((&named.key, &named.values))
}

fn leave(list: &mut Slots, slot: u32) {
    list.retain(|&held| held != slot);
}

impl Concerned {
    /// An autoscaler whose target bears this name comes.
    pub(super) fn come(&mut self, slot: u32, namespace: &Text, target: &Text) {
        let local = self.of.entry(namespace.clone()).or_default();
        local.by_none.push(slot);
        local.by_target.entry(target.clone()).or_default().push(slot);
    }

    /// Its target has another name.
    pub(super) fn aim(&mut self, slot: u32, namespace: &Text, (old, new): (&Text, &Text)) {
        let Some(local) = self.of.get_mut(namespace) else { return };
        Local::take(&mut local.by_target, old, slot);
        local.by_target.entry(new.clone()).or_default().push(slot);
    }

    /// Its target selects other pods.
    pub(super) fn select(
        &mut self,
        slot: u32,
        namespace: &Text,
        (old, new): (Option<&Selector>, Option<&Selector>),
    ) {
        let Some(local) = self.of.get_mut(namespace) else { return };
        local.unfile(slot, old);
        let Some((key, values)) = needed(new) else { return local.by_none.push(slot) };
        let by_value = local.by_label.entry(key.clone()).or_default();
        for value in values {
            by_value.entry(value.clone()).or_default().push(slot);
        }
    }

    /// It goes.
    pub(super) fn go(
        &mut self,
        slot: u32,
        namespace: &Text,
        (target, selector): (&Text, Option<&Selector>),
    ) {
        let Some(local) = self.of.get_mut(namespace) else { return };
        local.unfile(slot, selector);
        Local::take(&mut local.by_target, target, slot);
        if local.by_target.is_empty() {
            self.of.remove(namespace);
        }
    }

    /// Those whose targets may select pods with these labels, some of them more than once.
    pub(super) fn by_labels<'a>(
        &'a self,
        namespace: &str,
        labels: &'a Labels,
    ) -> impl Iterator<Item = u32> + 'a {
        let local = self.of.get(namespace);
        let by_label = local.into_iter().flat_map(move |local| {
            local.by_label.iter().filter_map(|(key, by_value)| by_value.get(labels.get(key)?))
        });
        local.map(|local| &local.by_none).into_iter().chain(by_label).flatten().copied()
    }

    /// Those whose target bears this name.
    pub(super) fn by_target(&self, namespace: &str, name: &str) -> impl Iterator<Item = u32> {
        let local = self.of.get(namespace).and_then(|local| local.by_target.get(name));
        local.into_iter().flatten().copied()
    }
}

impl Local {
    fn unfile(&mut self, slot: u32, selector: Option<&Selector>) {
        let Some((key, values)) = needed(selector) else { return leave(&mut self.by_none, slot) };
        let Some(by_value) = self.by_label.get_mut(key) else { return };
        values.iter().for_each(|value| Local::take(by_value, value, slot));
        if by_value.is_empty() {
            self.by_label.remove(key);
        }
    }

    fn take(map: &mut FastMap<Text, Slots>, key: &Text, slot: u32) {
        if let Some(list) = map.get_mut(key) {
            leave(list, slot);
            if list.is_empty() {
                map.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::rules::selector::Requirement;
    use proptest::prelude::*;

    const WORDS: [&str; 3] = ["a", "b", "c"];

    fn word() -> impl Strategy<Value = &'static str> {
        prop::sample::select(&WORDS[..])
    }

    fn selectors() -> impl Strategy<Value = Selector> {
        let operators = [Operator::In, Operator::NotIn, Operator::Exists];
        let one = (word(), prop::sample::select(operators.to_vec()), word(), any::<bool>());
        prop::collection::vec(one, 0..3).prop_map(|all| {
            let requirement = |(key, operator, value, is_double): (&str, _, &str, bool)| {
                let values = match is_double {
                    true => vec![value.into(), "z".into()],
                    false => vec![value.into()],
                };
                Requirement { key: key.into(), operator, values }
            };
            Selector { requirements: all.into_iter().map(requirement).collect() }
        })
    }

    #[derive(Clone, Debug)]
    enum Step {
        Come(u32, &'static str, &'static str),
        Aim(u32, &'static str),
        Select(u32, Selector),
        Go(u32),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let one = prop_oneof![
            (0u32..5, word(), word()).prop_map(|(slot, home, name)| Step::Come(slot, home, name)),
            (0u32..5, word()).prop_map(|(slot, name)| Step::Aim(slot, name)),
            (0u32..5, selectors()).prop_map(|(slot, it)| Step::Select(slot, it)),
            (0u32..5).prop_map(Step::Go),
        ];
        prop::collection::vec(one, 0..40)
    }

    proptest! {
        /// Whoever a search among all finds is looked up too, and nobody of another name or namespace.
        #[test]
        fn nobody_who_is_concerned_is_left_out(steps in steps(), labels in prop::collection::btree_map(word(), word(), 0..3)) {
            let mut all = Concerned::default();
            let mut plain: BTreeMap<u32, (Text, Text, Option<Selector>)> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Come(slot, home, name) if !plain.contains_key(&slot) => {
                        let (home, name) = (Text::from(home), Text::from(name));
                        all.come(slot, &home, &name);
                        plain.insert(slot, (home, name, None));
                    }
                    Step::Aim(slot, name) => if let Some((home, old, _)) = plain.get_mut(&slot) {
                        let new = Text::from(name);
                        all.aim(slot, home, (old, &new));
                        *old = new;
                    },
                    Step::Select(slot, it) => if let Some((home, _, old)) = plain.get_mut(&slot) {
                        all.select(slot, home, (old.as_ref(), Some(&it)));
                        *old = Some(it);
                    },
                    Step::Go(slot) => if let Some((home, name, it)) = plain.remove(&slot) {
                        all.go(slot, &home, (&name, it.as_ref()));
                    },
                    Step::Come(..) => {}
                }
            }
            let labels: Labels = labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
            for home in WORDS {
                let found: Vec<u32> = all.by_labels(home, &labels).collect();
                for (slot, (of, _, it)) in &plain {
                    let is_concerned = **of == *home && it.as_ref().is_none_or(|it| it.matches(&labels));
                    prop_assert!(!is_concerned || found.contains(slot));
                }
                prop_assert!(found.iter().all(|slot| *plain[slot].0 == *home));
                for name in WORDS {
                    let found: Vec<u32> = all.by_target(home, name).collect();
                    let aimed = |(slot, (of, held, _)): (&u32, &(Text, Text, _))| (**of == *home && **held == *name).then_some(*slot);
                    let mut told = found.clone();
                    told.sort_unstable();
                    prop_assert_eq!(told, plain.iter().filter_map(aimed).collect::<Vec<u32>>());
                }
            }
            plain.iter().for_each(|(&slot, (home, name, it))| all.go(slot, home, (name, it.as_ref())));
            prop_assert!(all.of.is_empty());
        }
    }
}
