//! Why a pod fits nowhere, in kube-scheduler's words (`FitError`, pkg/scheduler/framework/types.go,
//! and the words of PostFilter plugins, 1.36).

use smallvec::SmallVec;

use super::framework::{Code, Plugin, PluginSet, Rejection};
use super::shape::PodShape;
use crate::api::name::Text;
use crate::api::pod::Preemption;

/// What the dynamic resources plugin says to a pod without claims when no node fits.
const NO_CLAIMS: &str = "no new claims to deallocate";
/// Preemption's words on a node without pods of lower priority.
const NO_VICTIMS: &str = "No preemption victims found for incoming pod";
/// Preemption's words on a node that taking pods away would not help.
const NOT_HELPFUL: &str = "Preemption is not helpful for scheduling";

/// Why no node was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Diagnosis {
    /// How many nodes there are.
    pub nodes: usize,
    /// How many nodes were rejected how.
    pub rejected: SmallVec<[(Rejection, u32); 4]>,
    /// The plugins that narrowed the nodes before they were looked at.
    pub narrowed_by: PluginSet,
    /// The refusal of PreFilter, with its plugin.
    pub refused: Option<(Plugin, &'static str)>,
}

impl Diagnosis {
    /// Counts a rejection.
    pub fn count(&mut self, rejection: Rejection) {
        match self.rejected.iter_mut().find(|(known, _)| *known == rejection) {
            Some((_, count)) => *count += 1,
            None => self.rejected.push((rejection, 1)),
        }
    }

    /// Nodes rejected one by one.
    pub fn looked_at(&self) -> usize {
        self.rejected.iter().map(|(_, count)| *count as usize).sum()
    }

    /// The plugins whose change of mind could help the pod.
    pub fn plugins(&self) -> PluginSet {
        let mut plugins = self.narrowed_by;
        for (rejection, _) in &self.rejected {
            plugins.insert(rejection.plugin);
        }
        if let Some((plugin, _)) = self.refused {
            plugins.insert(plugin);
        }
        plugins
    }

    /// The whole message, as in the pod's condition.
    pub fn message(&self, pod: &PodShape) -> Text {
        if self.nodes == 0 {
            return "no nodes available to schedule pods".into();
        }
        let mut text = format!("0/{} nodes are available:", self.nodes);
        match self.refused {
            Some((_, words)) => text.push_str(&format!(" {words}.")),
            None => text.push_str(&format!(" {}.", self.histogram(pod))),
        }
        text.push_str(&format!(" {NO_CLAIMS}, preemption: {}", self.preemption(pod)));
        text.into()
    }

    fn histogram(&self, pod: &PodShape) -> String {
        let mut counts: SmallVec<[(Text, u32); 8]> = SmallVec::new();
        let mut count = |reason: Text, nodes: u32| match counts
            .iter_mut()
            .find(|(known, _)| *known == reason)
        {
            Some((_, count)) => *count += nodes,
            None => counts.push((reason, nodes)),
        };
        for (rejection, nodes) in &self.rejected {
            for reason in rejection.reasons(pod) {
                count(reason, *nodes);
            }
        }
        let absent = self.nodes - self.looked_at();
        if absent > 0 && !self.narrowed_by.is_empty() {
            let names: Vec<&str> = self.narrowed_by.iter().map(Plugin::name).collect();
            let words = format!("node(s) didn't satisfy plugin(s) [{}]", names.join(" "));
            count(words.into(), absent as u32);
        }
        sorted_histogram(counts.iter().map(|(reason, nodes)| (&**reason, *nodes)))
    }

    /// Preemption's words where there is nothing to preempt.
    fn preemption(&self, pod: &PodShape) -> String {
        if pod.spec().preemption == Preemption::Never {
            return "not eligible due to preemptionPolicy=Never.".into();
        }
        let candidates: u32 = self
            .rejected
            .iter()
            .filter(|(rejection, _)| rejection.code == Code::Unschedulable)
            .map(|(_, nodes)| *nodes)
            .sum();
        let rest = self.nodes as u32 - candidates;
        let words = sorted_histogram(
            [(NO_VICTIMS, candidates), (NOT_HELPFUL, rest)].into_iter().filter(|(_, n)| *n > 0),
        );
        format!("0/{} nodes are available: {words}.", self.nodes)
    }
}

/// `2 this, 3 that`, sorted as text: `10 x` comes before `2 y`.
fn sorted_histogram<'a>(counts: impl Iterator<Item = (&'a str, u32)>) -> String {
    let mut parts: Vec<String> =
        counts.map(|(reason, count)| format!("{count} {reason}")).collect();
    parts.sort();
    parts.join(", ")
}
