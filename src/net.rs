//! The network between places: who reaches whom, and how late.
//!
//! Owns the places, the links' delay and the rules that faults install; refuses to know what is
//! sent. Every message between two components crosses it, so a partition or a slow link happens
//! here and nowhere else. Also the cluster's addresses ([`address`]).

pub mod address;

use crate::base::hash::StableHasher;
use crate::luck::{Distribution, Draw};
use crate::time::SimDuration;

/// Where something runs. Links and faults know places only.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Place {
    /// A machine of the control plane, by number.
    Master(u16),
    /// A node, by its slot.
    Node(u32),
    /// Outside the cluster.
    Outside,
}

/// Which places one end of a rule means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Places {
    /// Every place.
    Any,
    /// Those listed, sorted.
    These(Vec<Place>),
}

impl Places {
    fn has(&self, place: Place) -> bool {
        match self {
            Places::Any => true,
            Places::These(list) => list.binary_search(&place).is_ok(),
        }
    }
}

/// What a rule does to a message it applies to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleEffect {
    /// It never arrives.
    Drop,
    /// It arrives so much later.
    Delay(SimDuration),
}

/// A fault on links, in both directions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// One end.
    pub from: Places,
    /// The other end.
    pub to: Places,
    /// What it does.
    pub effect: RuleEffect,
}

impl Rule {
    fn applies(&self, a: Place, b: Place) -> bool {
        (self.from.has(a) && self.to.has(b)) || (self.from.has(b) && self.to.has(a))
    }
}

/// What becomes of one message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It arrives after so long.
    Deliver(SimDuration),
    /// It never arrives.
    Drop,
}

/// A rule's number, to take it back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RuleId(u32);

/// The network.
#[derive(Clone, Debug)]
pub struct Net {
    link: Distribution,
    rules: Vec<(RuleId, Rule)>,
    next_rule: u32,
}

impl Net {
    /// A network whose links take `link` one way.
    pub fn new(link: Distribution) -> Net {
        Net { link, rules: Vec::new(), next_rule: 0 }
    }

    /// What becomes of a message from `a` to `b`; within one place it arrives at once.
    pub fn carry(&self, a: Place, b: Place, draw: Draw) -> Verdict {
        if a == b {
            return Verdict::Deliver(SimDuration::ZERO);
        }
        let mut delay = self.link.sample(draw);
        for (_, rule) in self.rules.iter().filter(|(_, rule)| rule.applies(a, b)) {
            match rule.effect {
                RuleEffect::Drop => return Verdict::Drop,
                RuleEffect::Delay(more) => delay += more,
            }
        }
        Verdict::Deliver(delay)
    }

    /// Whether messages pass between `a` and `b` at all.
    pub fn reaches(&self, a: Place, b: Place) -> bool {
        a == b
            || !self
                .rules
                .iter()
                .any(|(_, rule)| rule.effect == RuleEffect::Drop && rule.applies(a, b))
    }

    /// Installs a rule; it holds until it is taken back.
    pub fn install(&mut self, rule: Rule) -> RuleId {
        let id = RuleId(self.next_rule);
        self.next_rule += 1;
        self.rules.push((id, rule));
        id
    }

    /// Takes a rule back.
    pub fn remove(&mut self, id: RuleId) {
        self.rules.retain(|(known, _)| *known != id);
    }
}

impl Place {
    /// A stable number for keyed draws.
    pub fn key(self) -> u64 {
        let (kind, number) = match self {
            Place::Master(number) => (1, u64::from(number)),
            Place::Node(slot) => (2, u64::from(slot)),
            Place::Outside => (3, 0),
        };
        StableHasher::new().word(kind).word(number).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_cuts_both_ways_and_heals() {
        let mut net = Net::new(SimDuration::from_millis(1).into());
        let (a, b, c) = (Place::Node(1), Place::Node(2), Place::Master(0));
        let draw = || Draw::from_bits(7);
        let cut = net.install(Rule {
            from: Places::These(vec![a]),
            to: Places::These(vec![c]),
            effect: RuleEffect::Drop,
        });
        assert_eq!(net.carry(c, a, draw()), Verdict::Drop);
        assert!(!net.reaches(a, c) && net.reaches(a, b));
        net.remove(cut);
        assert_eq!(net.carry(a, c, draw()), Verdict::Deliver(SimDuration::from_millis(1)));
    }

    #[test]
    fn delays_add_up() {
        let mut net = Net::new(SimDuration::from_millis(1).into());
        for _ in 0..2 {
            let effect = RuleEffect::Delay(SimDuration::from_millis(10));
            net.install(Rule { from: Places::Any, to: Places::Any, effect });
        }
        let verdict = net.carry(Place::Outside, Place::Node(0), Draw::from_bits(1));
        assert_eq!(verdict, Verdict::Deliver(SimDuration::from_millis(21)));
    }
}
