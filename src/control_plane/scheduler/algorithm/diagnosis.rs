//! Why a pod fits nowhere, in kube-scheduler's words (`FitError`, pkg/scheduler/framework/types.go,
//! and the words of PostFilter plugins, 1.36).

use smallvec::SmallVec;

use super::framework::{Code, Plugin, PluginSet, Refusal, Rejection};
use super::plugins::dynamic_resources::{NO_STATE, NOTHING_TO_DEALLOCATE};
use super::profile::Profile;
use super::rejected::Rejected;
use super::shape::PodShape;
use crate::api::name::Text;
use crate::api::pod::Preemption;

/// Preemption's words on a node without pods of lower priority.
pub(super) const NO_VICTIMS: &str = "No preemption victims found for incoming pod";
/// Preemption's words on a node that taking pods away would not help.
pub(super) const NOT_HELPFUL: &str = "Preemption is not helpful for scheduling";

/// What came of the attempt to make room (PostFilter of DefaultPreemption).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum MadeRoom {
    /// No pod could be evicted for it: the words follow from the rejections.
    #[default]
    NoVictims,
    /// There is none, in these words.
    No(Text),
    /// There will be: the pod is nominated to a node, and nothing is said.
    Nominated,
}

/// Why no node was found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Diagnosis {
    /// How many nodes there are.
    pub nodes: usize,
    /// The nodes that were looked at, and why each was rejected.
    pub rejected: Rejected,
    /// The plugins that narrowed the nodes before they were looked at.
    pub narrowed_by: PluginSet,
    /// The refusal of PreFilter.
    pub refused: Option<Refusal>,
    /// What came of preemption.
    pub made_room: MadeRoom,
}

impl Diagnosis {
    /// The plugins whose change of mind could help the pod.
    pub fn plugins(&self) -> PluginSet {
        let mut plugins = self.narrowed_by.with(self.rejected.plugins());
        if let Some(refusal) = &self.refused {
            plugins.insert(refusal.plugin);
        }
        plugins
    }

    /// The whole message, as in the pod's condition.
    pub fn message(&self, pod: &PodShape, profile: &Profile) -> Text {
        if self.nodes == 0 {
            return "no nodes available to schedule pods".into();
        }
        let mut text = format!("0/{} nodes are available:", self.nodes);
        let counts: SmallVec<[(Rejection, u32); 4]> = self.rejected.counts().collect();
        match &self.refused {
            Some(refusal) => text.push_str(&format!(" {}.", refusal.words)),
            None => text.push_str(&format!(" {}.", self.histogram(&counts, pod))),
        }
        let after = self.post_filter(&counts, pod, profile);
        if !after.is_empty() {
            text.push(' ');
            text.push_str(&after);
        }
        text.into()
    }

    fn histogram(&self, rejections: &[(Rejection, u32)], pod: &PodShape) -> String {
        let mut counts: SmallVec<[(Text, u32); 8]> = SmallVec::new();
        let mut count = |reason: Text, nodes: u32| match counts
            .iter_mut()
            .find(|(known, _)| *known == reason)
        {
            Some((_, count)) => *count += nodes,
            None => counts.push((reason, nodes)),
        };
        for (rejection, nodes) in rejections {
            for reason in rejection.reasons(pod) {
                count(reason, *nodes);
            }
        }
        let absent = self.nodes - self.rejected.len();
        if absent > 0 && !self.narrowed_by.is_empty() {
            let names: Vec<&str> = self.narrowed_by.iter().map(Plugin::name).collect();
            let words = format!("node(s) didn't satisfy plugin(s) [{}]", names.join(" "));
            count(words.into(), absent as u32);
        }
        sorted_histogram(counts.iter().map(|(reason, nodes)| (&**reason, *nodes)))
    }

    /// What the PostFilter plugins of the profile say, one after the other.
    fn post_filter(
        &self,
        counts: &[(Rejection, u32)],
        pod: &PodShape,
        profile: &Profile,
    ) -> String {
        if self.made_room == MadeRoom::Nominated {
            return String::new();
        }
        let mut said = Vec::new();
        if profile.post_filter.has(Plugin::DynamicResources) {
            if self.refused.is_some() {
                // Whoever refuses in PreFilter does so before this plugin had its turn: it finds no
                // state of its own, which is an error, and no further plugin is asked.
                return NO_STATE.to_owned();
            }
            said.push(NOTHING_TO_DEALLOCATE.to_owned());
        }
        if profile.post_filter.has(Plugin::DefaultPreemption) {
            said.push(format!("preemption: {}", self.preemption(counts, pod)));
        }
        said.join(", ")
    }

    fn preemption(&self, counts: &[(Rejection, u32)], pod: &PodShape) -> String {
        if let MadeRoom::No(words) = &self.made_room {
            return words.to_string();
        }
        if pod.spec().preemption == Preemption::Never {
            return "not eligible due to preemptionPolicy=Never.".into();
        }
        let nodes = self.nodes as u32;
        let refused = self.refused.as_ref().map(|refusal| refusal.code);
        let candidates = match refused {
            Some(Code::Unschedulable) => nodes,
            _ => counts
                .iter()
                .filter(|(rejection, _)| rejection.code == Code::Unschedulable)
                .map(|(_, nodes)| *nodes)
                .sum(),
        };
        let words = sorted_histogram(
            [(NO_VICTIMS, candidates), (NOT_HELPFUL, nodes - candidates)]
                .into_iter()
                .filter(|(_, n)| *n > 0),
        );
        format!("0/{nodes} nodes are available: {words}.")
    }
}

/// `2 this, 3 that`, sorted as text: `10 x` comes before `2 y`.
pub(super) fn sorted_histogram<'a>(counts: impl Iterator<Item = (&'a str, u32)>) -> String {
    let mut parts: Vec<String> =
        counts.map(|(reason, count)| format!("{count} {reason}")).collect();
    parts.sort();
    parts.join(", ")
}
