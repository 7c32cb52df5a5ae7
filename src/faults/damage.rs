//! A fault at the instant it strikes: rules for the network, orders for the cluster.

use super::target::{Pods, Scene, Spot};
use super::{Fault, Instance, LinkHarm};
use crate::api::name::Text;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::luck::Ratio;
use crate::net::{Places, Rule, RuleEffect, Ways};

/// What a fault does. What lasts is undone when it ends.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Damage {
    /// Rules that hold while it lasts.
    pub rules: Vec<Rule>,
    /// What happens to things.
    pub orders: Vec<Order>,
}

/// Something that happens to one thing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Order {
    /// The machine of a node is off while the fault lasts.
    Off(Id<Node>),
    /// The machine of a node goes down in order, and is off then while the fault lasts.
    ShutDown(Id<Node>),
    /// A node's kubelet does not run while the fault lasts.
    StopKubelet(Id<Node>),
    /// An instance of the control plane does not run while the fault lasts.
    Stop(Instance),
    /// A member of etcd stands still while the fault lasts.
    Freeze(u16),
    /// The pod is deleted, without grace.
    Delete(Id<Pod>),
    /// Programs of a pod end.
    End {
        /// The pod.
        pod: Id<Pod>,
        /// Which container; none: all.
        container: Option<Text>,
        /// With this exit code.
        exit: u8,
    },
    /// The pod's programs end, and none can run while the fault lasts.
    Fail(Id<Pod>),
    /// No registry has such images while the fault lasts.
    Withhold(Text),
}

impl Order {
    /// Whether it holds while the fault lasts.
    pub fn lasts(&self) -> bool {
        !matches!(self, Order::Delete(_) | Order::End { .. })
    }
}

/// What `fault` does in `scene`.
///
/// # Errors
/// Why it does nothing: what it is meant to strike is not there.
pub fn damage(fault: &Fault, scene: &Scene<'_>) -> Result<Damage, Text> {
    match fault {
        Fault::NodeCrash(spot) => nodes(scene, spot, Order::Off),
        Fault::NodeShutdown(spot) => nodes(scene, spot, Order::ShutDown),
        Fault::KubeletStop(spot) => nodes(scene, spot, Order::StopKubelet),
        Fault::Kill(instance) => {
            Ok(Damage { orders: vec![Order::Stop(*instance)], rules: Vec::new() })
        }
        Fault::Freeze(number) => {
            Ok(Damage { orders: vec![Order::Freeze(*number)], rules: Vec::new() })
        }
        Fault::Partition { from, to } => link(scene, from, to, Ways::Both, LinkHarm::Cut),
        Fault::Link { from, to, ways, harm } => link(scene, from, to, *ways, *harm),
        Fault::PodKill(of) => pods(scene, of, Order::Delete),
        Fault::PodFailure(of) => pods(scene, of, Order::Fail),
        Fault::ImagePull(image) => {
            Ok(Damage { orders: vec![Order::Withhold(image.clone())], rules: Vec::new() })
        }
        Fault::ContainerCrash { pods: of, container, exit } => {
            let known = |pod: &Id<Pod>| match (container, scene.store.get(*pod)) {
                (Some(name), Some(pod)) => pod
                    .spec
                    .init_containers
                    .iter()
                    .chain(&pod.spec.containers)
                    .any(|one| one.name == *name),
                (None, Some(_)) => true,
                (_, None) => false,
            };
            let mut found = pods(scene, of, |pod| Order::End {
                pod,
                container: container.clone(),
                exit: *exit,
            })?;
            found.orders.retain(|order| matches!(order, Order::End { pod, .. } if known(pod)));
            match (found.orders.is_empty(), container) {
                (true, Some(name)) => Err(format!("{of}: none has a container {name:?}").into()),
                _ => Ok(found),
            }
        }
    }
}

fn nodes(
    scene: &Scene<'_>,
    spot: &Spot,
    order: impl Fn(Id<Node>) -> Order,
) -> Result<Damage, Text> {
    let orders: Vec<Order> = scene.nodes(spot).into_iter().map(order).collect();
    if orders.is_empty() {
        return Err(format!("{spot}: there is no such node").into());
    }
    Ok(Damage { orders, rules: Vec::new() })
}

fn pods(scene: &Scene<'_>, of: &Pods, order: impl Fn(Id<Pod>) -> Order) -> Result<Damage, Text> {
    let orders: Vec<Order> = scene.pods(of).into_iter().map(order).collect();
    if orders.is_empty() {
        return Err(format!("{of}: there is no such pod").into());
    }
    Ok(Damage { orders, rules: Vec::new() })
}

fn link(
    scene: &Scene<'_>,
    from: &[Spot],
    to: &[Spot],
    ways: Ways,
    harm: LinkHarm,
) -> Result<Damage, Text> {
    let here = end(scene, from)?;
    let there = match (&here, to) {
        (Places::These(here), []) => Places::These(scene.all_but(here)),
        (_, []) => Places::Any,
        (_, to) => end(scene, to)?,
    };
    let effect = match harm {
        LinkHarm::Cut => RuleEffect::Drop,
        LinkHarm::Late(law) => RuleEffect::Delay(law),
        LinkHarm::Lossy(share) if share == Ratio::ONE => RuleEffect::Drop,
        LinkHarm::Lossy(share) => RuleEffect::Lose(share),
    };
    let rule = Rule { from: here, to: there, ways, effect, key: scene.key };
    Ok(Damage { rules: vec![rule], orders: Vec::new() })
}

/// One end of a link: places, or pods wherever they are.
fn end(scene: &Scene<'_>, spots: &[Spot]) -> Result<Places, Text> {
    let missing = || -> Text {
        let all: Vec<String> = spots.iter().map(ToString::to_string).collect();
        format!("{}: nothing is there", all.join(", ")).into()
    };
    if let [Spot::Pods(of)] = spots {
        let found = scene.pods(of).into_iter();
        let mut addresses: Vec<_> = found.filter_map(|id| scene.store.get(id)?.status.ip).collect();
        addresses.sort_unstable();
        addresses.dedup();
        return if addresses.is_empty() { Err(missing()) } else { Ok(Places::Pods(addresses)) };
    }
    match scene.places(spots) {
        places if places.is_empty() => Err(missing()),
        places => Ok(Places::These(places)),
    }
}
