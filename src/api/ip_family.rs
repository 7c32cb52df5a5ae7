//! Families of addresses: which a cluster has, and which a Service asks for and gets.
//!
//! Refuses to know how addresses are given out.

/// A family of addresses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum IpFamily {
    /// IPv4.
    #[default]
    V4,
    /// IPv6.
    V6,
}

impl IpFamily {
    /// The family of this name.
    pub fn named(name: &str) -> Option<IpFamily> {
        [IpFamily::V4, IpFamily::V6].into_iter().find(|family| family.name() == name)
    }

    /// As the API calls it.
    pub const fn name(self) -> &'static str {
        match self {
            IpFamily::V4 => "IPv4",
            IpFamily::V6 => "IPv6",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> IpFamily {
        match self {
            IpFamily::V4 => IpFamily::V6,
            IpFamily::V6 => IpFamily::V4,
        }
    }
}

/// One family, or both in an order; the first is the primary one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Families {
    /// None is said.
    #[default]
    Unsaid,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
    /// IPv4, then IPv6.
    V4V6,
    /// IPv6, then IPv4.
    V6V4,
}

impl Families {
    /// These, in order; what comes twice counts once.
    pub fn of(families: impl IntoIterator<Item = IpFamily>) -> Families {
        families.into_iter().fold(Families::Unsaid, Families::and)
    }

    /// These and one more, unless it is among them.
    #[must_use]
    pub const fn and(self, family: IpFamily) -> Families {
        match (self, family) {
            (Families::Unsaid, family) => Families::one(family),
            (Families::V4, IpFamily::V6) => Families::V4V6,
            (Families::V6, IpFamily::V4) => Families::V6V4,
            (all, _) => all,
        }
    }

    /// One alone.
    pub const fn one(family: IpFamily) -> Families {
        match family {
            IpFamily::V4 => Families::V4,
            IpFamily::V6 => Families::V6,
        }
    }

    /// They, in order.
    pub const fn list(self) -> &'static [IpFamily] {
        match self {
            Families::Unsaid => &[],
            Families::V4 => &[IpFamily::V4],
            Families::V6 => &[IpFamily::V6],
            Families::V4V6 => &[IpFamily::V4, IpFamily::V6],
            Families::V6V4 => &[IpFamily::V6, IpFamily::V4],
        }
    }

    /// The first; IPv4 where none is said.
    pub fn primary(self) -> IpFamily {
        self.list().first().copied().unwrap_or_default()
    }

    /// Whether one is among them.
    pub fn has(self, family: IpFamily) -> bool {
        self.list().contains(&family)
    }

    /// Whether there are two.
    pub fn is_dual(self) -> bool {
        self.list().len() == 2
    }

    /// Whether nothing is said.
    pub fn is_unsaid(self) -> bool {
        self == Families::Unsaid
    }
}

/// How many families a Service is to have (`ipFamilyPolicy`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FamilyPolicy {
    /// One.
    SingleStack,
    /// Two, if the cluster has two.
    PreferDualStack,
    /// Two.
    RequireDualStack,
}

impl FamilyPolicy {
    /// The policy of this name.
    pub fn named(name: &str) -> Option<FamilyPolicy> {
        use FamilyPolicy::{PreferDualStack, RequireDualStack, SingleStack};
        let all = [SingleStack, PreferDualStack, RequireDualStack];
        all.into_iter().find(|policy| policy.name() == name)
    }

    /// As the API calls it.
    pub const fn name(self) -> &'static str {
        match self {
            FamilyPolicy::SingleStack => "SingleStack",
            FamilyPolicy::PreferDualStack => "PreferDualStack",
            FamilyPolicy::RequireDualStack => "RequireDualStack",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_keep_their_order_and_count_once() {
        use IpFamily::{V4, V6};
        for list in [&[V4][..], &[V6], &[V4, V6], &[V6, V4], &[]] {
            assert_eq!(Families::of(list.iter().copied()).list(), list);
        }
        assert_eq!(Families::of([V6, V6, V4, V6]), Families::V6V4);
        assert_eq!(Families::Unsaid.primary(), V4);
    }
}
