//! What a sync does, for pods in all states.

use super::*;
use crate::api::meta::{Deletion, Labels, Meta};
use crate::api::name::Name;
use crate::api::node::Tristate;
use crate::api::pod::{Condition, PodCondition, PodStatus};
use crate::api::workload::IntOrPercent;
use crate::control_plane::controllers::testing::template;
use std::sync::Arc;

/// A pod by a letter: `r`eady, `s`tarting, `t`erminating, `f`ailed; a capital is of the old revision.
fn pod(ordinal: i32, letter: char) -> Pod {
    let name = format!("db-{ordinal}");
    let revision = if letter.is_uppercase() { "old" } else { "new" };
    let mut meta = Meta::new("default".into(), Name::new(name.as_str()));
    meta.labels = identity::labels(&Labels::new(), &name, ordinal, revision);
    let letter = letter.to_ascii_lowercase();
    meta.deletion =
        (letter == 't').then_some(Deletion { at: SimTime::from_secs(90), grace_seconds: 30 });
    let phase = if letter == 'f' { Phase::Failed } else { Phase::Running };
    let mut status = PodStatus { phase, ..PodStatus::default() };
    let is_ready = Some(letter == 'r' || letter == 't');
    status.conditions[PodCondition::Ready as usize] =
        Condition { value: is_ready.map(Tristate::of), since_seconds: 50 };
    Pod { meta, spec: Arc::default(), node: None, status }
}

fn set(replicas: i32) -> StatefulSet {
    StatefulSet {
        meta: Meta::new("default".into(), Name::new("db")),
        replicas,
        selector: Arc::default(),
        template: Arc::new(template("db", 1)),
        service: "db".into(),
        management: PodManagement::OrderedReady,
        update: UpdateStrategy::RollingUpdate { partition: 0, max_unavailable: None },
        min_ready_seconds: 0,
        revision_history_limit: 10,
        first_ordinal: 0,
        when_deleted: Default::default(),
        when_scaled: Default::default(),
        claims: Arc::from([]),
        status: StatefulSetStatus::default(),
        written: "".into(),
    }
}

/// What is done to pods in these states, `.` for none: `+1` made, `-1` deleted; `|` between batches.
fn done(set: &StatefulSet, pods: &str, gate: MaxUnavailable) -> String {
    let pods: Vec<(i32, Pod)> = (0..)
        .zip(pods.chars())
        .filter(|(_, letter)| *letter != '.')
        .map(|(at, letter)| (at, pod(at, letter)))
        .collect();
    let members = pods.iter().map(|(ordinal, pod)| {
        let id = Id::from_parts(*ordinal as u32, 0);
        Member { id, pod, ordinal: *ordinal }
    });
    let scene = Scene {
        set,
        members: members.collect(),
        current: "old",
        update: "new",
        max_unavailable: gate,
        claims: &|_| Claims::AsWanted,
        now: SimTime::from_secs(60),
    };
    let word = |act: &Act| match act {
        Act::Create(ordinal, Revision::Update) => format!("+{ordinal}"),
        Act::Create(ordinal, Revision::Current) => format!("+{ordinal}old"),
        Act::Delete(id, _) => format!("-{}", id.slot()),
        Act::Mend(id, _) => format!("~{}", id.slot()),
    };
    let batches = plan(&scene).batches;
    let batches = batches.iter().map(|one| one.iter().map(word).collect::<Vec<_>>().join(" "));
    batches.collect::<Vec<_>>().join("|")
}

fn plain(set: &StatefulSet, pods: &str) -> String {
    done(set, pods, MaxUnavailable::Ignored)
}

#[test]
fn in_order_one_thing_is_done_at_a_time() {
    let of = |replicas, pods| plain(&set(replicas), pods);
    assert_eq!(of(3, ""), "+0");
    assert_eq!(of(3, "r"), "+1");
    assert_eq!(of(3, "s"), "", "it waits for the first");
    assert_eq!(of(3, "rt"), "", "and for one that ends");
    assert_eq!(of(3, "frr"), "-0", "one that is done is made anew");
    assert_eq!(of(3, "r.r"), "+1", "a gap is filled");
    assert_eq!(of(1, "rrrr"), "-3", "the highest goes first");
    assert_eq!(of(1, "rrrt"), "", "and is waited for");
    assert_eq!(of(1, "rrsr"), "-3", "an unready one below does not hold it up");
    assert_eq!(of(1, "rsrs"), "", "but an unready one does while a lower one is unready too");
    assert_eq!(of(1, "srrr"), "", "nothing goes while one that stays is not well");
}

#[test]
fn an_update_goes_from_the_top_and_stops_at_what_is_not_well() {
    let mut db = set(3);
    assert_eq!(plain(&db, "RRR"), "-2");
    assert_eq!(plain(&db, "RRr"), "-1");
    assert_eq!(plain(&db, "RRs"), "", "a broken one blocks");
    assert_eq!(plain(&db, "RR."), "+2");
    db.update = UpdateStrategy::RollingUpdate { partition: 2, max_unavailable: None };
    assert_eq!(plain(&db, "RRr"), "");
    assert_eq!(plain(&db, "R."), "+1old", "below the partition pods stay of the current revision");
    db.update = UpdateStrategy::OnDelete;
    assert_eq!(plain(&db, "RRR"), "");
    assert_eq!(plain(&db, "RR."), "+2");
}

#[test]
fn minimum_readiness_counts_for_order_and_update() {
    let mut db = set(3);
    db.min_ready_seconds = 20;
    assert_eq!(plain(&db, "r"), "", "ready for ten seconds only");
    assert_eq!(plain(&db, "RRr"), "");
    db.min_ready_seconds = 10;
    assert_eq!(plain(&db, "r"), "+1");
}

#[test]
fn more_may_be_unavailable_where_the_gate_is_on() {
    let mut db = set(5);
    let max_unavailable = Some(IntOrPercent::Int(2));
    db.update = UpdateStrategy::RollingUpdate { partition: 1, max_unavailable };
    db.management = PodManagement::Parallel;
    assert_eq!(plain(&db, "RRRRR"), "-4", "the gate is off");
    let on = |pods| done(&db, pods, MaxUnavailable::Counts);
    assert_eq!(on("RRRRR"), "-4|-3");
    assert_eq!(on("RRRRs"), "-3");
    assert_eq!(on("RRRss"), "");
    assert_eq!(on("Rrrrr"), "", "the partition holds");
}

#[test]
fn in_parallel_pods_come_and_go_in_batches_that_double() {
    let mut db = set(7);
    db.management = PodManagement::Parallel;
    assert_eq!(plain(&db, ""), "+0|+2 +1|+6 +3 +4 +5");
    db.replicas = 1;
    assert_eq!(plain(&db, "rsrr"), "-3|-2 -1");
    db.replicas = i32::MAX;
    let made = plain(&db, "").matches('+').count();
    assert_eq!(made, ACTS_MAX, "the next sync goes on");
}
