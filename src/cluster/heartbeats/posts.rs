//! When a kubelet posted its node's status last, though nothing of it had changed (kubelet 1.36
//! pkg/kubelet/kubelet_node_status.go, `tryUpdateNodeStatus`).
//!
//! A kubelet works its node's status out each 10 s, and posts it if it changed, or if it posted none for five
//! minutes (`nodeStatusReportFrequency`); after a change for two and a half to seven and a half, so that nodes
//! which changed together do not go on posting together. Posts without a change decide nothing: they are no
//! writes here, and only whoever asks for the time of the last one has it worked out.

use crate::kernel::recurring::Cadence;
use crate::luck::{Label, Luck};
use crate::time::{SimDuration, SimTime};

const DELAY: Label = Label::new("node-status-delay");
/// `nodeStatusReportFrequency`.
const REPORT: SimDuration = SimDuration::from_secs(300);

/// The posts of one node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Posts {
    status: Cadence,
    /// The last before the present stretch of the node's voice, or the last change in it.
    last: SimTime,
    /// From when on the next one goes out with the status of then.
    due: SimTime,
    changes: u64,
}

impl Posts {
    /// Posts at `status`, the first `now`.
    pub(super) fn new(status: Cadence, now: SimTime, (luck, node): (Luck, u64)) -> Posts {
        let mut posts = Posts { status, last: now, due: now, changes: 0 };
        posts.changed(now, (luck, node));
        posts
    }

    /// A status is posted because it changed.
    pub(super) fn changed(&mut self, now: SimTime, (luck, node): (Luck, u64)) {
        let delay = luck.draw(DELAY, node, self.changes);
        self.changes += 1;
        self.last = now;
        self.due = now + REPORT / 2 + delay.duration_between(SimDuration::ZERO, REPORT);
    }

    /// A kubelet that starts anew posts with the first status it works out.
    pub(super) fn restarted(&mut self, now: SimTime) {
        self.due = now;
    }

    /// The last post before `until` of a node that is heard since `since`, and when the next is due.
    /// `arrives` tells of which occurrence the post arrives; one that is lost is tried again with the next.
    fn before(
        &self,
        (since, until): (SimTime, SimTime),
        arrives: impl Fn(u64) -> bool,
    ) -> (SimTime, SimTime) {
        let (mut last, mut due) = (self.last, self.due);
        loop {
            let first = self.status.first_from(due.max(since));
            let mut sent = (first..).take_while(|k| self.status.at(*k) < until);
            let Some(k) = sent.find(|k| arrives(*k)) else { return (last, due) };
            last = self.status.at(k);
            // The five minutes run from its answer on: an occurrence just then is too early.
            due = last + REPORT + SimDuration::from_nanos(1);
        }
    }

    /// The last one not later than `at` of a node that is heard since `since`.
    pub(super) fn last(
        &self,
        (since, at): (SimTime, SimTime),
        arrives: impl Fn(u64) -> bool,
    ) -> SimTime {
        self.before((since, at + SimDuration::from_nanos(1)), arrives).0
    }

    /// The last one before the present stretch, for a node that is not heard.
    pub(super) fn last_before(&self) -> SimTime {
        self.last
    }

    /// A stretch in which the node was heard since `since` ends: what is due `now` goes out no more.
    pub(super) fn close(
        &mut self,
        (since, now): (SimTime, SimTime),
        arrives: impl Fn(u64) -> bool,
    ) {
        (self.last, self.due) = self.before((since, now), arrives);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs(seconds)
    }

    fn posts() -> Posts {
        let status = Cadence::new(at(3), SimDuration::from_secs(10)).expect("a period");
        Posts::new(status, at(0), (Luck::new(1), 7))
    }

    #[test]
    fn posts_go_on_each_thirty_one_statuses_after_a_first_wait_by_luck() {
        let posts = posts();
        let last = |now: u64| posts.last((at(0), at(now)), |_| true);
        let first = (0..500).find(|now| last(*now) > at(0)).expect("a post");
        assert!((150..460).contains(&first) && first % 10 == 3, "{first}");
        assert_eq!(last(first + 309), at(first));
        assert_eq!(last(first + 310), at(first + 310));
        assert_eq!(last(first + 3109), at(first + 10 * 310));
    }

    #[test]
    fn what_was_due_in_silence_or_is_lost_goes_out_with_the_next_status() {
        let mut posts = posts();
        posts.close((at(0), at(100)), |_| true);
        assert_eq!(posts.last_before(), at(0));
        assert_eq!(posts.last((at(1000), at(1002)), |_| true), at(0));
        assert_eq!(posts.last((at(1000), at(1003)), |_| true), at(1003));
        assert_eq!(posts.last((at(1000), at(1050)), |k| k >= 103), at(1033));
        posts.restarted(at(50));
        assert_eq!(posts.last((at(50), at(60)), |_| true), at(53));
        posts.changed(at(70), (Luck::new(1), 7));
        assert_eq!(posts.last((at(50), at(80)), |_| true), at(70));
    }
}
