//! What the API server makes of a pod before anybody places it: its priority (the admission plugin
//! Priority, 1.36), and `matchLabelKeys` merged into its selectors. Default tolerations are not added: they are about being evicted.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::misc::{ClassScope, PriorityClass, SYSTEM_CLASSES};
use crate::api::object::Object;
use crate::api::pod::{Pod, PodSpec, Preemption};
use crate::api::rules::merge_label_keys::Merges;
use crate::base::FastMap;
use crate::cluster::plan::PlannedObject;

/// The classes, and specs as they were left; siblings share one.
pub(super) struct Admission {
    classes: BTreeMap<String, PriorityClass>,
    admitted: FastMap<(usize, bool), (Arc<PodSpec>, Arc<PodSpec>)>,
    merges: Merges,
}

impl Admission {
    pub(super) fn new(objects: &[PlannedObject]) -> Admission {
        let class = |planned: &PlannedObject| match &planned.object {
            Object::PriorityClass(class) => Some((class.meta.name.to_string(), (**class).clone())),
            _ => None,
        };
        let classes = objects.iter().filter_map(class).collect();
        Admission { classes, admitted: FastMap::default(), merges: Merges::default() }
    }

    /// Gives a pod its priority, and its selectors what `matchLabelKeys` say; a priority that is written (`has_priority`) was given before and stays.
    ///
    /// # Errors
    /// The API server's refusal.
    pub(super) fn admit(&mut self, pod: &mut Pod, has_priority: bool) -> Result<(), String> {
        let key = (Arc::as_ptr(&pod.spec) as usize, has_priority);
        if let Some((_, spec)) = self.admitted.get(&key) {
            pod.spec = self.merges.spec(spec, &pod.meta.labels);
            return Ok(());
        }
        let (priority, preemption) = self.priority(pod, has_priority)?;
        let before = Arc::clone(&pod.spec);
        if (priority, preemption) != (before.priority, before.preemption) {
            pod.spec = Arc::new(PodSpec { priority, preemption, ..(*before).clone() });
        }
        self.admitted.insert(key, (before, Arc::clone(&pod.spec)));
        pod.spec = self.merges.spec(&pod.spec, &pod.meta.labels);
        Ok(())
    }

    fn priority(&self, pod: &Pod, has_priority: bool) -> Result<(i32, Preemption), String> {
        let spec = &pod.spec;
        let written = (spec.priority, spec.preemption);
        let class = match &*spec.priority_class {
            "" if has_priority => return Ok(written),
            "" => {
                let is_default = |class: &&PriorityClass| class.scope == ClassScope::Default;
                self.classes.values().filter(is_default).min_by_key(|class| class.value)
            }
            name => self.classes.get(name),
        };
        if let Some(class) = class {
            let priority = if has_priority { spec.priority } else { class.value };
            let preemption = match spec.preemption {
                Preemption::Never => Preemption::Never,
                Preemption::LowerPriority => class.preemption,
            };
            return Ok((priority, preemption));
        }
        let system = SYSTEM_CLASSES.iter().find(|(name, ..)| **name == *spec.priority_class);
        match system {
            Some((_, priority)) if !has_priority => Ok((*priority, spec.preemption)),
            _ if has_priority || spec.priority_class.is_empty() => Ok(written),
            _ => Err(format!(
                "pods {:?} is forbidden: no PriorityClass with name {} was found",
                pod.meta.name.to_string(),
                spec.priority_class
            )),
        }
    }
}
