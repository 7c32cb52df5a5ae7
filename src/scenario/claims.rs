//! What steps take for granted: objects, places and instances that must be there when their time
//! comes. Said when all inputs were read, each with the place it was written at.

use std::collections::BTreeSet;

use super::judge::Judge;
use crate::api::diagnostic::Diagnostic;
use crate::api::kind::Kind;
use crate::api::kinds::nearest;
use crate::api::name::Text;
use crate::api::object::Object;
use crate::api::rules::image_names::with_tag;
use crate::api::rules::volumes::PodClaim;
use crate::api::storage::ClaimTemplate;
use crate::base::glob::is_like;
use crate::cluster::plan::{Act, Change, Instance, Plan, Spot, Step, Target};

/// Something that must be there.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Claim {
    /// An object.
    Object(Target),
    /// A place.
    Spot(Spot),
    /// An instance of the control plane.
    Instance(Instance),
    /// A namespace.
    Namespace(Text),
    /// Images that look like this, of the input or of any step.
    Image(Text),
}

/// The claims of one step, each with what is to be said if it does not hold.
#[derive(Debug, Default)]
pub(super) struct Claims(Vec<(Claim, Diagnostic)>);

impl Claims {
    /// The field at `path` takes `claim` for granted.
    pub(super) fn add(&mut self, claim: Claim, path: &str, judge: &mut Judge<'_, '_>) {
        self.0.push((claim, judge.blank(path)));
    }
}

/// What is there so far, in the order of time.
struct Known<'p> {
    plan: &'p Plan,
    nodes: BTreeSet<String>,
    zones: BTreeSet<&'p str>,
    objects: BTreeSet<(Kind, String, String)>,
    volume_claims: Vec<VolumeClaims>,
    images: BTreeSet<&'p str>,
}

/// Checks the claims of all steps, in the order of the plan's steps.
pub(super) fn check(plan: &Plan, claims: &[Claims], findings: &mut Vec<Diagnostic>) {
    let mut known = Known {
        plan,
        nodes: plan.nodes.iter().map(|it| it.node.meta.name.to_string()).collect(),
        zones: plan.nodes.iter().map(|it| it.node.zone()).collect(),
        objects: BTreeSet::new(),
        volume_claims: Vec::new(),
        images: images(plan),
    };
    for planned in plan.objects.iter().chain(&plan.mirrors()) {
        known.add(&planned.object);
    }
    for (step, claims) in plan.steps.iter().zip(claims) {
        for (claim, at) in &claims.0 {
            if let Some((problem, hint)) = known.problem(claim) {
                let mut finding = at.clone();
                finding.message = problem;
                finding.hint = hint.map(|name| format!("did you mean {name:?}?"));
                findings.push(finding);
            }
        }
        known.add_applied(step);
    }
}

/// The images of all containers of the input and of all steps.
fn images(plan: &Plan) -> BTreeSet<&str> {
    let applied = plan.steps.iter().flat_map(|step| match &step.act {
        Act::Apply(list) => list.as_slice(),
        _ => &[],
    });
    let specs = plan.objects.iter().chain(applied).filter_map(|it| it.object.pod_spec());
    let containers = specs.flat_map(|spec| spec.init_containers.iter().chain(&spec.containers));
    let set = plan.steps.iter().filter_map(|step| match &step.act {
        Act::Change { change: Change::Image { image, .. }, .. } => Some(&**image),
        _ => None,
    });
    let of_nodes = plan.static_pods.iter().flat_map(|it| &it.pod.spec.containers);
    containers.chain(of_nodes).map(|container| &*container.image).chain(set).collect()
}

/// PersistentVolumeClaims that are made for pods.
struct VolumeClaims {
    namespace: Text,
    /// How their names begin.
    head: String,
    /// How they go on.
    rest: Rest,
}

/// What follows the head of a name.
enum Rest {
    /// The number of a StatefulSet's pod.
    Ordinal,
    /// Maybe more of a pod's name, then a volume's.
    Volume(String),
}

impl VolumeClaims {
    /// Those of the pods that `object` is or makes.
    fn of(object: &Object) -> Vec<VolumeClaims> {
        let meta = object.meta();
        let claims = |head: String, rest: Rest| VolumeClaims {
            namespace: meta.namespace.clone(),
            head,
            rest,
        };
        let mut made = Vec::new();
        if let Object::StatefulSet(set) = object {
            let of_set = |template: &ClaimTemplate| format!("{}-{}-", template.name, meta.name);
            made.extend(set.claims.iter().map(|it| claims(of_set(it), Rest::Ordinal)));
        }
        for claim in object.pod_spec().iter().flat_map(|spec| &spec.volumes.claims) {
            if let PodClaim::Ephemeral(template) = claim {
                let rest = Rest::Volume(format!("-{}", template.name));
                made.push(claims(meta.name.to_string(), rest));
            }
        }
        made
    }

    fn holds(&self, target: &Target) -> bool {
        let rest = target.name.strip_prefix(self.head.as_str());
        self.namespace == target.namespace
            && rest.is_some_and(|rest| match &self.rest {
                Rest::Ordinal => rest.parse::<u32>().is_ok_and(|number| number.to_string() == rest),
                Rest::Volume(volume) => rest.starts_with('-') && rest.ends_with(volume.as_str()),
            })
    }
}

impl Known<'_> {
    fn add(&mut self, object: &Object) {
        let meta = object.meta();
        self.volume_claims.extend(VolumeClaims::of(object));
        let named = (object.kind(), meta.namespace.to_string(), meta.name.to_string());
        self.objects.insert(named);
    }

    fn add_applied(&mut self, step: &Step) {
        if let Act::Apply(list) = &step.act {
            list.iter().for_each(|planned| self.add(&planned.object));
        }
    }

    /// What is wrong with a claim, and the nearest name that is there.
    fn problem(&self, claim: &Claim) -> Option<(String, Option<String>)> {
        let plane = &self.plan.control_plane;
        match claim {
            Claim::Object(target) => self.object_problem(target),
            Claim::Namespace(name) => {
                let is_there = |(kind, _, known): &(Kind, String, String)| {
                    *kind == Kind::Namespace && **known == **name
                };
                let missing = !self.objects.iter().any(is_there);
                missing.then(|| (format!("there is no namespace {name:?} by then"), None))
            }
            Claim::Image(pattern) => {
                let mut all = self.images.iter();
                let missing = !all.any(|image| {
                    is_like(image, pattern) || is_like(&with_tag(&(*image).into()), pattern)
                });
                missing.then(|| {
                    let names: Vec<&str> = self.images.iter().copied().collect();
                    let near = nearest(pattern, &names).map(str::to_owned);
                    (format!("nothing has an image like {pattern:?}"), near)
                })
            }
            Claim::Spot(Spot::Node(name)) if !self.nodes.contains(&**name) => {
                let names: Vec<&str> = self.nodes.iter().map(String::as_str).collect();
                let near = nearest(name, &names).map(str::to_owned);
                Some((format!("there is no node {name:?}"), near))
            }
            Claim::Spot(Spot::Zone(name)) if !self.zones.contains(&**name) => {
                let names: Vec<&str> = self.zones.iter().copied().collect();
                let near = nearest(name, &names).map(str::to_owned);
                Some((format!("there is no zone {name:?}"), near))
            }
            Claim::Spot(Spot::Master(number)) if *number >= plane.masters => {
                let count = plane.masters;
                Some((format!("there is no master {number}: there are {count}, from 0"), None))
            }
            Claim::Spot(_) => None,
            Claim::Instance(instance) => {
                let (what, number, count) = match *instance {
                    Instance::ApiServer(number) => ("API server", number, plane.api_servers),
                    Instance::Scheduler(number) => ("scheduler", number, plane.schedulers),
                    Instance::ControllerManager(number) => {
                        ("controller manager", number, plane.controller_managers)
                    }
                    Instance::Etcd(number) => ("etcd member", number, plane.etcd),
                };
                let message = format!("there is no {what} {number}: there are {count}, from 0");
                (number >= count).then_some((message, None))
            }
        }
    }

    fn object_problem(&self, target: &Target) -> Option<(String, Option<String>)> {
        if target.kind == Kind::Node {
            return self.problem(&Claim::Spot(Spot::Node(target.name.clone())));
        }
        let (namespace, name) = (&*target.namespace, &*target.name);
        let of_kind =
            |kind: Kind| self.objects.iter().filter(move |one| one.0 == kind && one.1 == namespace);
        if of_kind(target.kind).any(|one| one.2 == name) || self.may_be_generated(target) {
            return None;
        }
        let names: Vec<&str> = of_kind(target.kind).map(|one| one.2.as_str()).collect();
        let near = nearest(name, &names).map(str::to_owned).or_else(|| {
            let mut elsewhere =
                self.objects.iter().filter(|one| one.0 == target.kind && one.2 == name);
            elsewhere.next().map(|one| format!("{}/{}", one.1, one.2))
        });
        let message =
            format!("there is no {target}: neither the input nor an earlier step creates it");
        Some((message, near))
    }

    /// Pods, ReplicaSets and claims get names out of their owners', which nobody can know before.
    fn may_be_generated(&self, target: &Target) -> bool {
        let makers: &[Kind] = match target.kind {
            Kind::Pod => &[
                Kind::Deployment,
                Kind::ReplicaSet,
                Kind::ReplicationController,
                Kind::StatefulSet,
                Kind::DaemonSet,
                Kind::Job,
                Kind::CronJob,
            ],
            Kind::Job => &[Kind::CronJob],
            Kind::ReplicaSet => &[Kind::Deployment],
            Kind::ControllerRevision => &[Kind::StatefulSet, Kind::DaemonSet],
            Kind::PersistentVolumeClaim => {
                return self.volume_claims.iter().any(|claims| claims.holds(target));
            }
            _ => return false,
        };
        self.objects.iter().any(|(kind, namespace, name)| {
            makers.contains(kind)
                && **namespace == *target.namespace
                && target.name.strip_prefix(name.as_str()).is_some_and(|it| it.starts_with('-'))
        })
    }
}
