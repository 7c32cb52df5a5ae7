//! The network between places: who reaches whom, and how late.
//!
//! Owns the places, the links' delay and the rules that faults install; refuses to know what is
//! sent. Every message between two components crosses it, so a partition or a slow link happens
//! here and nowhere else. Also the cluster's addresses ([`address`]).

pub mod address;
pub mod node_ports;

use std::net::Ipv4Addr;

use crate::base::hash::StableHasher;
use crate::luck::{Distribution, Draw, Ratio};
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
    /// Pods of these addresses, sorted, wherever they are.
    Pods(Vec<Ipv4Addr>),
}

impl Places {
    fn has(&self, end: End) -> bool {
        match self {
            Places::Any => true,
            Places::These(list) => list.binary_search(&end.place).is_ok(),
            Places::Pods(list) => end.pod.is_some_and(|pod| list.binary_search(&pod).is_ok()),
        }
    }
}

/// One end of a message: a place, and the pod there that speaks or is spoken to, if it is one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct End {
    /// Where it is.
    pub place: Place,
    /// The pod's address.
    pub pod: Option<Ipv4Addr>,
}

impl From<Place> for End {
    fn from(place: Place) -> End {
        End { place, pod: None }
    }
}

/// What a rule does to a message it applies to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleEffect {
    /// It never arrives.
    Drop,
    /// It arrives so much later.
    Delay(Distribution),
    /// It is lost so often, by luck.
    Lose(Ratio),
}

/// Which messages between two ends a rule is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ways {
    /// All.
    #[default]
    Both,
    /// Those from the first end to the second.
    Onward,
    /// Those from the second end to the first.
    Back,
}

/// A fault on links.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// One end.
    pub from: Places,
    /// The other end.
    pub to: Places,
    /// Which messages between them.
    pub ways: Ways,
    /// What it does.
    pub effect: RuleEffect,
    /// A stable number of the fault, for its luck.
    pub key: u64,
}

impl Rule {
    fn applies(&self, a: End, b: End) -> bool {
        let (onward, back) =
            (self.from.has(a) && self.to.has(b), self.from.has(b) && self.to.has(a));
        match self.ways {
            Ways::Both => onward || back,
            Ways::Onward => onward,
            Ways::Back => back,
        }
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

/// What becomes of messages one way, as faults have it: as a rule nothing happens to them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Weather {
    /// What rules do to them, and the rules' keys; none of them cuts the way off.
    effects: Vec<(RuleEffect, u64)>,
}

impl Weather {
    /// Whether nothing happens to messages.
    pub fn is_calm(&self) -> bool {
        self.effects.is_empty()
    }

    /// How much later than else a message of this luck arrives; nothing: it is lost.
    pub fn carry(&self, draw: &Draw) -> Option<SimDuration> {
        let mut more = SimDuration::ZERO;
        for (effect, key) in &self.effects {
            let own = own(draw, *key);
            match effect {
                RuleEffect::Drop => return None,
                RuleEffect::Delay(law) => more += law.sample(own),
                RuleEffect::Lose(share) if own.chance(*share) => return None,
                RuleEffect::Lose(_) => {}
            }
        }
        Some(more)
    }

    /// How much later than else a piece of a stream of this luck arrives: what is lost is sent again, as
    /// TCP does, after waits that double (RFC 6298, with Linux' least wait).
    pub fn stream(&self, draw: &Draw) -> SimDuration {
        let (mut more, mut wait) = (SimDuration::ZERO, RESENT_AFTER);
        for attempt in 0..RESENT_MOST {
            match self.carry(&own(draw, attempt)) {
                Some(late) => return more + late,
                None => (more, wait) = (more + wait, wait * 2),
            }
        }
        more
    }
}

/// The luck of a message under a rule, or at one of its attempts.
fn own(draw: &Draw, key: u64) -> Draw {
    Draw::from_bits(StableHasher::new().word(draw.clone().u64()).word(key).finish())
}

/// After which a lost piece of a stream is sent again the first time, and how often it is.
const RESENT_AFTER: SimDuration = SimDuration::from_millis(200);
const RESENT_MOST: u64 = 8;

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

    /// What becomes of a message from `a` to `b`; within one place it arrives at once, unless a
    /// fault is about one of the pods themselves.
    pub fn carry(&self, a: impl Into<End>, b: impl Into<End>, draw: Draw) -> Verdict {
        let (a, b) = (a.into(), b.into());
        let is_near = a.place == b.place;
        if is_near && (self.rules.is_empty() || (a.pod.is_none() && b.pod.is_none())) {
            return Verdict::Deliver(SimDuration::ZERO);
        }
        let own = |rule: &Rule| own(&draw, rule.key);
        let (mut more, mut is_lost) = (SimDuration::ZERO, false);
        for (_, rule) in self.rules.iter().filter(|(_, rule)| rule.applies(a, b)) {
            if is_near
                && matches!((&rule.from, &rule.to), (Places::These(_), _) | (_, Places::These(_)))
            {
                continue;
            }
            match rule.effect {
                RuleEffect::Drop => return Verdict::Drop,
                RuleEffect::Delay(law) => more += law.sample(own(rule)),
                RuleEffect::Lose(share) => is_lost |= own(rule).chance(share),
            }
        }
        let link = if is_near { SimDuration::ZERO } else { self.link.sample(draw) };
        if is_lost { Verdict::Drop } else { Verdict::Deliver(link + more) }
    }

    /// What every way from one place to another takes, while all are alike and nothing is drawn.
    pub fn plain(&self) -> Option<SimDuration> {
        match self.link {
            Distribution::Constant(span) if self.rules.is_empty() => Some(span),
            _ => None,
        }
    }

    /// What becomes of messages between processes at `a` and `b`, from the first to the second, that can
    /// talk at all.
    pub fn weather(&self, a: Place, b: Place) -> Weather {
        if a == b || self.rules.is_empty() {
            return Weather::default();
        }
        let rules = self.rules.iter().map(|(_, rule)| rule);
        let about = rules
            .filter(|rule| rule.effect != RuleEffect::Drop && rule.applies(a.into(), b.into()));
        Weather { effects: about.map(|rule| (rule.effect, rule.key)).collect() }
    }

    /// Whether `a` and `b` can talk: messages pass in both directions, delayed or now and then lost
    /// as they may be.
    pub fn reaches(&self, a: impl Into<End>, b: impl Into<End>) -> bool {
        let (a, b) = (a.into(), b.into());
        let cuts = |rule: &Rule| {
            rule.effect == RuleEffect::Drop && (rule.applies(a, b) || rule.applies(b, a))
        };
        (a == b && a.pod.is_none()) || !self.rules.iter().any(|(_, rule)| cuts(rule))
    }

    /// Whether there is no rule, so that everybody reaches everybody.
    pub fn is_whole(&self) -> bool {
        self.rules.is_empty()
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

impl Place {}

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
            ways: Ways::Both,
            effect: RuleEffect::Drop,
            key: 1,
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
            let effect = RuleEffect::Delay(SimDuration::from_millis(10).into());
            net.install(Rule {
                from: Places::Any,
                to: Places::Any,
                ways: Ways::Both,
                effect,
                key: 1,
            });
        }
        let verdict = net.carry(Place::Outside, Place::Node(0), Draw::from_bits(1));
        assert_eq!(verdict, Verdict::Deliver(SimDuration::from_millis(21)));
    }

    #[test]
    fn a_lossy_link_loses_its_share_one_way_and_can_still_be_talked_over() {
        let mut net = Net::new(SimDuration::from_millis(1).into());
        let (a, b) = (Place::Node(1), Place::Node(2));
        net.install(Rule {
            from: Places::These(vec![a]),
            to: Places::Any,
            ways: Ways::Onward,
            effect: RuleEffect::Lose(Ratio::new(1, 4).expect("a chance")),
            key: 7,
        });
        let lost = |from, to| {
            let draws = (0..10_000u64).map(|bits| StableHasher::new().word(bits).finish());
            draws
                .filter(|&bits| net.carry(from, to, Draw::from_bits(bits)) == Verdict::Drop)
                .count()
        };
        // Five standard deviations of 10,000 draws of a quarter are 217.
        assert!(lost(a, b).abs_diff(2_500) < 217, "{}", lost(a, b));
        assert_eq!(lost(b, a), 0);
        assert!(net.reaches(a, b));
    }
}
