//! What becomes of Events that are said.

use super::*;
use crate::api::kind::Kind;
use crate::api::meta::{ObjectName, Uid};
use crate::store::Rev;

fn about(name: &str) -> About {
    let object = ObjectName { kind: Kind::Pod, namespace: "shop".into(), name: name.into() };
    About::named(object, Some(Uid(7)))
}

fn core(name: &str, message: &str) -> CoreEvent {
    let source = Source::Core { component: "kubelet", host: Some("n-0".into()) };
    CoreEvent { source, about: about(name), remark: Remark::normal("Told", message) }
}

fn series(of: u64) -> CoreEvent {
    let component = "default-scheduler".into();
    let source = Source::Series { component, instance: 0, action: "Scheduling", of: Rev(of) };
    CoreEvent { source, about: about("a"), remark: Remark::warning("FailedScheduling", "no") }
}

fn at(seconds: u64) -> SimTime {
    SimTime::from_secs(seconds)
}

fn rows(events: &CoreEvents) -> Vec<(String, u32, u64, u64)> {
    let row =
        |it: &Stored| (it.remark.message.clone(), it.count, it.first.as_secs(), it.last.as_secs());
    events.iter().map(row).collect()
}

#[test]
fn equal_ones_are_counted() {
    let mut events = CoreEvents::default();
    for (seconds, message) in [(1, "x"), (2, "y"), (9, "x")] {
        events.hear(at(seconds), core("a", message));
    }
    events.hear(at(10), core("b", "x"));
    let expected = [("x", 2, 1, 9), ("y", 1, 2, 2), ("x", 1, 10, 10)];
    assert_eq!(rows(&events), expected.map(|(it, n, from, to)| (it.to_owned(), n, from, to)));
    let stamps: Vec<u64> = events.iter().map(|it| it.stamp).collect();
    assert_eq!(stamps, [1, 2, 10].map(|it| at(it).as_nanos()));
}

/// As the recordings have it of a ReplicaSet of 10 and more pods: the tenth is the first combined one, and the
/// 26th is not stored.
#[test]
fn the_tenth_of_similar_ones_is_combined_and_the_26th_dropped() {
    let mut events = CoreEvents::default();
    (1..=30).for_each(|number| events.hear(at(1), core("a", &format!("Created pod: {number}"))));
    let rows = rows(&events);
    assert_eq!(rows.len(), 10);
    assert_eq!(rows[8].0, "Created pod: 9");
    assert_eq!((&*rows[9].0, rows[9].1), ("(combined from similar events): Created pod: 25", 16));
    // Those that were dropped are counted with the next that passes.
    events.hear(at(302), core("a", "Created pod: 31"));
    let combined = events.iter().last().map(|it| (it.count, &*it.remark.message));
    assert_eq!(combined, Some((22, "(combined from similar events): Created pod: 31")));
}

#[test]
fn after_ten_quiet_minutes_nothing_is_similar() {
    let mut events = CoreEvents::default();
    (0..12).for_each(|number| events.hear(at(number), core("a", &number.to_string())));
    events.hear(at(11 + 601), core("a", "late"));
    assert_eq!(rows(&events).last().map(|it| &*it.0), Some("late"));
}

#[test]
fn an_hour_after_it_was_written_last_an_event_is_gone() {
    let mut events = CoreEvents::default();
    events.hear(at(0), core("a", "x"));
    events.hear(at(100), core("a", "x"));
    events.settle(at(3699));
    assert_eq!(rows(&events), [("x".to_owned(), 2, 0, 100)]);
    events.settle(at(3700));
    assert_eq!(rows(&events), []);
    // Its broadcaster remembers it all the same.
    events.hear(at(4000), core("a", "x"));
    assert_eq!(rows(&events), [("x".to_owned(), 3, 0, 4000)]);
}

#[test]
fn a_series_is_written_at_its_second_and_then_now_and_then() {
    let mut events = CoreEvents::default();
    let counts = |events: &CoreEvents| events.iter().map(|it| it.count).collect::<Vec<_>>();
    for seconds in [10, 20, 30, 40] {
        events.hear(at(seconds), series(1));
    }
    assert_eq!(counts(&events), [2]);
    // At 6 minutes it still lives; it is over 6 minutes after its last.
    events.settle(at(360));
    assert_eq!(counts(&events), [2]);
    events.settle(at(720));
    assert_eq!(rows(&events), [("no".to_owned(), 4, 10, 40)]);
    // About another revision it is another Event.
    events.hear(at(721), series(2));
    assert_eq!(counts(&events), [4, 1]);
}

#[test]
fn who_starts_anew_knows_nothing_and_a_namespace_takes_its_events_along() {
    let mut events = CoreEvents::default();
    events.hear(at(1), core("a", "x"));
    events.ended(Speakers::Kubelet(&"n-1".into()));
    events.hear(at(2), core("a", "x"));
    events.ended(Speakers::Kubelet(&"n-0".into()));
    events.hear(at(3), core("a", "x"));
    assert_eq!(events.iter().map(|it| it.count).collect::<Vec<_>>(), [2, 1]);
    events.namespace_gone("other");
    assert_eq!(rows(&events).len(), 2);
    events.namespace_gone("shop");
    assert_eq!(rows(&events), []);
}
