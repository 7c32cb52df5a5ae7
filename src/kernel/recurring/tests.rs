use super::*;
use proptest::prelude::*;

type Key2 = (u8, u32);

fn at(nanos: u64) -> SimTime {
    SimTime::from_nanos(nanos)
}

fn cadence(phase: u64, period: u64) -> Cadence {
    Cadence::new(at(phase), SimDuration::from_nanos(period)).expect("a period")
}

fn pops(recurring: &mut Recurring<Key2>, count: usize) -> Vec<(u64, Key2, u64)> {
    let next = || recurring.pop().map(|(at, key, k)| (at.as_nanos(), key, k));
    std::iter::from_fn(next).take(count).collect()
}

#[test]
fn a_period_of_zero_is_no_cadence() {
    assert_eq!(Cadence::new(SimTime::ZERO, SimDuration::ZERO), None);
}

#[test]
fn elided_pops_only_what_was_asked_for_by_kind_then_owner() {
    let mut recurring = Recurring::new(Fidelity::Elided);
    for key in [(2, 1), (1, 9), (1, 3), (0, 0)] {
        recurring.declare(SimTime::ZERO, key, cadence(10, 5));
    }
    assert_eq!(recurring.peek_time(), None);
    recurring.wake_at(SimTime::ZERO, (2, 1), 2);
    recurring.wake_at(SimTime::ZERO, (1, 9), 2);
    assert_eq!(recurring.wake_next(at(16), (1, 3)), 2);
    assert_eq!(recurring.peek_time(), Some(at(20)));
    assert_eq!(pops(&mut recurring, 9), [(20, (1, 3), 2), (20, (1, 9), 2), (20, (2, 1), 2)]);
}

#[test]
fn explicit_pops_every_occurrence() {
    let mut recurring = Recurring::new(Fidelity::Explicit);
    recurring.declare(at(12), (1, 1), cadence(10, 5));
    recurring.declare(at(12), (0, 1), cadence(20, 100));
    let expected = [(15, (1, 1), 1), (20, (0, 1), 0), (20, (1, 1), 2), (25, (1, 1), 3)];
    assert_eq!(pops(&mut recurring, 4), expected);
    recurring.sleep((1, 1));
    recurring.wake_at(at(25), (1, 1), 9);
    assert_eq!(recurring.awake((1, 1)), Some(4));
    recurring.retire((1, 1));
    assert_eq!(pops(&mut recurring, 1), [(120, (0, 1), 1)]);
}

#[test]
fn a_later_wake_up_replaces_the_former_and_sleep_cancels_it() {
    let mut recurring = Recurring::new(Fidelity::Elided);
    recurring.declare(SimTime::ZERO, (0, 0), cadence(0, 10));
    recurring.wake_at(SimTime::ZERO, (0, 0), 3);
    recurring.wake_at(SimTime::ZERO, (0, 0), 5);
    assert_eq!(pops(&mut recurring, 9), [(50, (0, 0), 5)]);
    recurring.wake_at(at(50), (0, 0), 6);
    recurring.sleep((0, 0));
    assert_eq!(recurring.peek_time(), None);
    recurring.wake_at(at(50), (0, 0), u64::MAX);
    assert_eq!((recurring.peek_time(), recurring.awake((0, 0))), (None, None));
}

#[test]
fn within_an_instant_nothing_comes_before_what_has_popped() {
    let mut recurring = Recurring::new(Fidelity::Explicit);
    recurring.declare(SimTime::ZERO, (5, 5), cadence(10, 10));
    assert_eq!(pops(&mut recurring, 1), [(10, (5, 5), 0)]);
    recurring.declare(at(10), (4, 0), cadence(10, 10));
    recurring.declare(at(10), (6, 0), cadence(10, 10));
    assert_eq!(pops(&mut recurring, 2), [(10, (6, 0), 0), (20, (4, 0), 1)]);
}

#[test]
fn a_passed_occurrence_cannot_be_asked_for() {
    let mut recurring = Recurring::new(Fidelity::Elided);
    recurring.declare(SimTime::ZERO, (0, 0), cadence(0, 10));
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        recurring.wake_at(at(11), (0, 0), 1)
    }));
    assert!(refused.is_err());
}

proptest! {
    #[test]
    fn arithmetic_agrees_with_counting(phase in 0u64..50, period in 1u64..20, a in 0u64..200, b in 0u64..200) {
        let cadence = cadence(phase, period);
        let all: Vec<u64> = (0..300).collect();
        let within = |from, to| all.iter().copied().filter(move |&k| (from..to).contains(&cadence.at(k).as_nanos()));
        prop_assert!(cadence.occurrences(at(a), at(b)).eq(within(a, b)));
        prop_assert_eq!(Some(cadence.first_from(at(a))), within(a, u64::MAX).next());
        prop_assert_eq!(cadence.last_before(at(a)), within(0, a).next_back());
    }

    /// An owner that counts occurrences: asked for at random instants when elided, popped when explicit.
    #[test]
    fn counting_what_is_elided_equals_popping_it(
        recurrences in prop::collection::btree_map((0u8..3, 0u32..4), (0u64..40, 1u64..15), 1..6),
        end in 0u64..300,
    ) {
        let mut explicit = Recurring::new(Fidelity::Explicit);
        for (&key, &(phase, period)) in &recurrences {
            explicit.declare(SimTime::ZERO, key, cadence(phase, period));
        }
        let mut popped = Vec::new();
        while explicit.peek_time().is_some_and(|next| next < at(end)) {
            popped.extend(explicit.pop());
        }
        let mut counted: Vec<_> = recurrences
            .iter()
            .flat_map(|(&key, &(phase, period))| {
                let cadence = cadence(phase, period);
                cadence.occurrences(SimTime::ZERO, at(end)).map(move |k| (cadence.at(k), key, k))
            })
            .collect();
        counted.sort();
        prop_assert_eq!(popped, counted);
    }
}

#[test]
fn what_is_asked_for_once_pops_in_either_fidelity_in_its_place() {
    for fidelity in [Fidelity::Elided, Fidelity::Explicit] {
        let mut recurring = Recurring::new(fidelity);
        recurring.declare(SimTime::ZERO, (1, 0), cadence(10, 10));
        recurring.wake_at(SimTime::ZERO, (1, 0), 0);
        for (key, due) in [((2, 7), 10), ((0, 9), 10), ((0, 3), 10), ((2, 1), 4), ((2, 2), 5)] {
            recurring.once(SimTime::ZERO, key, at(due));
        }
        recurring.once(SimTime::ZERO, (0, 0), SimTime::MAX);
        assert_eq!(recurring.peek(), Some((at(4), (2, 1))));
        let expected = [
            (4, (2, 1), 0),
            (5, (2, 2), 0),
            (10, (0, 3), 0),
            (10, (0, 9), 0),
            (10, (1, 0), 0),
            (10, (2, 7), 0),
        ];
        assert_eq!(pops(&mut recurring, 6), expected);
        // A single occurrence of this instant has popped after it: the next is due one period later.
        assert_eq!(recurring.wake_next(at(10), (1, 0)), 1);
        assert_eq!(recurring.peek_time(), Some(at(20)));
    }
}
