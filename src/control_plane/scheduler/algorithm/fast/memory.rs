//! What one algorithm remembers from decision to decision, kept in step with the snapshot's log.
//! Only a memory: with or without it the answer is the same, so a clone starts with none.

use std::sync::Arc;

use smallvec::SmallVec;

use super::super::framework::{Plugin, Question, Rejection};
use super::super::plugins::{gpu_share, volumes};
use super::super::shape::PodShape;
use super::super::snapshot::{NO_PLACE, Snapshot};
use super::base::Base;
use super::bits::WORD;
use super::classes::Classes;
use super::company::Company;
use crate::base::FastMap;

/// So many cells are held in columns; beyond, all columns are forgotten.
const CELLS: usize = 1 << 21;
/// So many classes are held at least before those without pods are forgotten.
const CLASSES: usize = 1 << 13;

/// A class of pods that ask.
#[derive(Debug)]
struct Asker {
    /// What they share; while it is held its parts are where they are.
    shape: PodShape,
    /// Their columns.
    base: usize,
    /// What they ask of other pods.
    company: Company,
}

/// The memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// How far the log was read; none: nothing is known.
    read: Option<u64>,
    order: u32,
    namespaces: u64,
    bases: Vec<Base>,
    askers: Vec<Asker>,
    by_address: FastMap<(usize, usize), SmallVec<[u32; 1]>>,
    classes: Classes,
    /// How many classes there were when all were known to have pods.
    settled_classes: usize,
}

impl Clone for Memory {
    fn clone(&self) -> Memory {
        Memory::default()
    }
}

/// What is remembered for one class of asking pods.
pub(super) struct Recollection<'m> {
    /// Its columns.
    pub base: &'m mut Base,
    /// What it asks of other pods.
    pub company: &'m mut Company,
    /// The sums it asks that of.
    pub classes: &'m Classes,
    /// What its volumes ask of nodes, if it has any.
    volumes: Option<volumes::State>,
}

impl Recollection<'_> {
    /// Why the node at a slot, which has a place in the order, is rejected, if it is.
    pub fn rejection(&mut self, q: Question<'_>, slot: u32) -> Option<Rejection> {
        let place = q.snapshot.place(slot) as usize;
        self.base.feasible_word(place / WORD, q.snapshot, q.profile);
        self.worked_out(q, place, slot)
    }

    /// The same where the place's column was worked out.
    #[inline]
    pub fn worked_out(&self, q: Question<'_>, place: usize, slot: u32) -> Option<Rejection> {
        self.base.rejection(place).or_else(|| self.by_others(q, slot))
    }

    /// The same by the plugins that look beyond what the columns hold.
    #[inline]
    pub fn by_others(&self, q: Question<'_>, slot: u32) -> Option<Rejection> {
        let row = q.snapshot.row(slot);
        let by_volumes = self.volumes.as_ref().and_then(|state| volumes::filter(q, state, row));
        let by_gpus = || match q.profile.filters.has(Plugin::GpuShare) {
            true => gpu_share::filter(&q.profile.gpu, q.pod, row),
            false => None,
        };
        by_volumes.or_else(|| self.company.rejection(slot, &self.classes.tallies)).or_else(by_gpus)
    }

    /// Whether the columns alone decide which nodes will do.
    pub fn is_open(&self, q: Question<'_>) -> bool {
        self.volumes.is_none() && self.company.is_open() && !q.profile.filters.has(Plugin::GpuShare)
    }

    /// Whether pods that were promised nodes could make a difference beyond what they take of their
    /// own node.
    pub fn minds_nominees(&self, q: Question<'_>) -> bool {
        let nominations = q.snapshot.nominations();
        !nominations.is_empty()
            && (self.volumes.is_some()
                || q.profile.shares_gpus()
                || self.company.demands()
                || nominations.any_repels())
    }
}

impl Memory {
    /// What is remembered for a pod, in step with the snapshot; `None` where its volumes refuse every
    /// node at once.
    pub fn of(&mut self, q: Question<'_>) -> Option<Recollection<'_>> {
        let volumes = match volumes::concerns(q.pod) {
            true => Some(volumes::pre_filter(q).ok()?),
            false => None,
        };
        self.follow(q.snapshot);
        let at = self.asker(q);
        let Asker { base, company, .. } = &mut self.askers[at];
        company.resolve(q, &mut self.classes);
        let base = &mut self.bases[*base];
        base.look_for_images(q.snapshot, q.profile);
        Some(Recollection { base, company, classes: &self.classes, volumes })
    }

    /// Reads the log up to its end.
    fn follow(&mut self, snapshot: &Snapshot) {
        let namespaces = snapshot.surroundings().namespaces_version();
        let too_many = self.classes.len() > CLASSES.max(4 * self.settled_classes);
        let entries = match self.namespaces == namespaces && !too_many {
            true => self.read.and_then(|from| snapshot.log().since(from)),
            false => None,
        };
        let order_holds = self.order == snapshot.order_version();
        match entries {
            Some(entries) => {
                for entry in entries {
                    self.classes.apply(entry, snapshot);
                    let place = snapshot.place(entry.slot);
                    if order_holds && place != NO_PLACE {
                        self.bases.iter_mut().for_each(|base| base.touch(place as usize));
                    }
                }
            }
            None => {
                *self = Memory { classes: Classes::of(snapshot), ..Memory::default() };
                self.settled_classes = self.classes.len();
                self.namespaces = namespaces;
            }
        }
        if !order_holds {
            self.order = snapshot.order_version();
            self.bases.iter_mut().for_each(|base| base.forget(snapshot.len()));
        }
        self.read = Some(snapshot.log().end());
    }

    /// The number of the class of a pod.
    fn asker(&mut self, q: Question<'_>) -> usize {
        let shape = q.pod;
        let address = (Arc::as_ptr(shape.spec()) as usize, Arc::as_ptr(shape.labels()) as usize);
        let known = self.by_address.get(&address).and_then(|list| {
            list.iter().map(|&at| at as usize).find(|&at| {
                let known = &self.askers[at].shape;
                known.owner() == shape.owner() && known.namespace() == shape.namespace()
            })
        });
        if let Some(known) = known {
            return known;
        }
        let nodes = q.snapshot.len().max(1);
        if self.bases.len() >= (CELLS / nodes).clamp(16, 4096) || self.askers.len() >= CLASSES {
            self.bases.clear();
            self.askers.clear();
            self.by_address.clear();
        }
        let base = self.base(shape, nodes);
        let company = Company::default();
        self.askers.push(Asker { shape: shape.clone(), base, company });
        let at = self.askers.len() - 1;
        self.by_address.entry(address).or_default().push(at as u32);
        at
    }

    fn base(&mut self, shape: &PodShape, nodes: usize) -> usize {
        if let Some(known) = self.bases.iter().position(|base| base.is_for(shape)) {
            return known;
        }
        let mut base = Base::new(shape);
        base.forget(nodes);
        self.bases.push(base);
        self.bases.len() - 1
    }
}
