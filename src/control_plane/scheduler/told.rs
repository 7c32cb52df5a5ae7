//! What the scheduler says of pods (`schedule_one.go`, `framework/preemption/executor.go`, 1.36).

use crate::api::kind::Kind;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::messages::core_event::Source;
use crate::messages::effects::Effects;
use crate::messages::{About, CoreEvent, Remark};
use crate::store::View;

/// Longest message (`validation.NoteLengthLimit`), and what the end of a longer one becomes.
const LENGTH_MAX: usize = 1024;
const CUT: &str = " ...";

/// A pod was bound to its node.
pub(super) fn scheduled<T>(pod: Id<Pod>, view: &View<'_>, fx: &mut Effects<T>) {
    say(pod, "Binding", view, fx, |bound| {
        let node = view.replied(pod)?.node?;
        let node = &view.get::<Node>(node)?.meta.name;
        let (namespace, name) = (&bound.meta.namespace, &bound.meta.name);
        let what = format!("Successfully assigned {namespace}/{name} to {node}");
        Some(Remark::normal("Scheduled", what))
    });
}

/// A pod found no node, or could not be bound.
pub(super) fn failed<T>(pod: Id<Pod>, why: &str, view: &View<'_>, fx: &mut Effects<T>) {
    say(pod, "Scheduling", view, fx, |_| Some(Remark::warning("FailedScheduling", cut(why))));
}

/// A pod made room for another one.
pub(super) fn preempted<T>(
    victim: Id<Pod>,
    preemptor: Id<Pod>,
    view: &View<'_>,
    fx: &mut Effects<T>,
) {
    say(victim, "Preempting", view, fx, |pod| {
        let (by, node) = (view.get(preemptor)?.meta.uid, &view.get::<Node>(pod.node?)?.meta.name);
        Some(Remark::normal("Preempted", format!("Preempted by pod {by} on node {node}")))
    });
}

fn say<T>(
    id: Id<Pod>,
    action: &'static str,
    view: &View<'_>,
    fx: &mut Effects<T>,
    remark: impl FnOnce(&Pod) -> Option<Remark>,
) {
    fx.say(|| {
        let (of, pod) = view.version(id)?;
        // Who runs the process signs for it.
        let component = pod.spec.scheduler_name.clone();
        let source = Source::Series { component, instance: 0, action, of };
        let about = About::of(Kind::Pod, &pod.meta);
        Some(CoreEvent { source, about, remark: remark(pod)? })
    });
}

/// A message that is not too long (`truncateMessage`).
fn cut(message: &str) -> String {
    if message.len() <= LENGTH_MAX {
        return message.to_owned();
    }
    let end = message.floor_char_boundary(LENGTH_MAX - CUT.len());
    format!("{}{CUT}", &message[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_messages_are_cut() {
        assert_eq!(cut("short"), "short");
        let long = cut(&"x".repeat(2000));
        assert_eq!((long.len(), &long[1018..]), (1024, "xx ..."));
    }
}
