use super::*;
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

fn queue(order: Order) -> EventQueue<u64> {
    EventQueue::new(order)
}

fn at(nanos: u64) -> SimTime {
    SimTime::from_nanos(nanos)
}

fn drain(queue: &mut EventQueue<u64>) -> Vec<(u64, u64)> {
    std::iter::from_fn(|| queue.pop()).map(|(at, event)| (at.as_nanos(), event)).collect()
}

#[test]
fn one_instant_is_first_in_first_out_across_blocks_and_levels() {
    let mut queue = queue(Order::Fifo);
    for i in 0..100 {
        queue.push(at(1_000_000), i);
        queue.push(at(1_000_001), 1000 + i);
    }
    queue.push(at(5), 7);
    assert_eq!(queue.pop(), Some((at(5), 7)));
    let popped: Vec<u64> = drain(&mut queue).into_iter().map(|(_, event)| event).collect();
    assert!(popped.into_iter().eq((0..100).chain(1000..1100)));
}

#[test]
fn the_ends_of_time_are_ordinary() {
    let mut queue = queue(Order::Fifo);
    for (i, nanos) in [u64::MAX, 0, u64::MAX - 1, 1 << 63, 63, 64].into_iter().enumerate() {
        queue.push(at(nanos), i as u64);
    }
    let order: Vec<u64> = drain(&mut queue).into_iter().map(|(_, event)| event).collect();
    assert_eq!(order, [1, 4, 5, 3, 2, 0]);
}

#[test]
fn the_past_is_closed() {
    let mut queue = queue(Order::Fifo);
    queue.push(at(10), 0);
    queue.pop();
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| queue.push(at(9), 1)));
    assert!(refused.is_err());
}

#[test]
fn a_shuffled_instant_is_a_permutation_that_follows_the_seed() {
    let run = |seed| {
        let mut queue = queue(Order::Shuffled(seed));
        (0..40).for_each(|i| queue.push(at(100 + i / 20), i));
        drain(&mut queue)
    };
    let (one, two) = (run(1), run(2));
    assert_eq!(one, run(1));
    assert_ne!(one, two);
    let mut sorted = one.clone();
    sorted.sort();
    assert_ne!(one, sorted);
    assert!(sorted.into_iter().eq((0..40).map(|i| (100 + i / 20, i))));
    assert!(one.is_sorted_by_key(|&(at, _)| at));
}

#[test]
fn every_order_of_three_comes_up_about_as_often() {
    let mut seen = BTreeMap::new();
    for seed in 0..6_000 {
        let mut queue = queue(Order::Shuffled(avalanche(seed)));
        (0..3).for_each(|i| queue.push(at(9), i));
        *seen.entry(drain(&mut queue)).or_insert(0u32) += 1;
    }
    // Four standard deviations of a count of 1,000 in 6,000: 115.
    assert!(seen.len() == 6 && seen.values().all(|n| (885..=1115).contains(n)), "{seen:?}");
}

#[test]
fn memory_is_flat_under_churn() {
    let mut queue = queue(Order::Fifo);
    (0..1_000).for_each(|i| queue.push(at(i * 977), i));
    let mut held = Vec::new();
    for i in 0..200_000u64 {
        let (now, event) = queue.pop().expect("a thousand timers");
        queue.push(at(now.as_nanos() + avalanche(i) % 1_000_000), event);
        if i % 50_000 == 49_999 {
            held.push(queue.pool.blocks());
        }
    }
    assert!(held[3] <= held[0] + held[0] / 4, "{held:?}");
}

/// What a test does to a queue: times grow by powers of two so that every level is visited.
#[derive(Clone, Debug)]
enum Step {
    Push { ahead: u64 },
    Pop,
    Clone,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let ahead = prop_oneof![
        3 => Just(0u64),
        4 => 0u64..200,
        3 => (0u32..40, 0u64..4).prop_map(|(shift, more)| (1u64 << shift) + more),
    ];
    let step = prop_oneof![
        6 => ahead.prop_map(|ahead| Step::Push { ahead }),
        5 => Just(Step::Pop),
        1 => Just(Step::Clone),
    ];
    prop::collection::vec(step, 0..600)
}

proptest! {
    #[test]
    fn pops_in_lockstep_with_a_plain_heap(steps in steps()) {
        let mut queue = queue(Order::Fifo);
        let mut heap = BinaryHeap::new();
        let (mut last, mut sequence) = (0, 0);
        for step in steps {
            match step {
                Step::Push { ahead } => {
                    queue.push(at(last + ahead), sequence);
                    heap.push(Reverse((last + ahead, sequence)));
                    sequence += 1;
                }
                Step::Pop => {
                    let popped = queue.pop().map(|(at, event)| (at.as_nanos(), event));
                    prop_assert_eq!(popped, heap.pop().map(|Reverse(entry)| entry));
                    last = popped.map_or(last, |(at, _)| at);
                }
                Step::Clone => queue = queue.clone(),
            }
            prop_assert_eq!(queue.len(), heap.len());
            let least = heap.peek().map(|Reverse((nanos, _))| at(*nanos));
            prop_assert_eq!(queue.peek_time(), least);
        }
        let rest: Vec<_> = std::iter::from_fn(|| heap.pop()).map(|Reverse(entry)| entry).collect();
        prop_assert_eq!(drain(&mut queue), rest);
    }
}
