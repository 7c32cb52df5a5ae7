//! What a pod asks of GPUs.

use super::{GpuShare, WHOLE};
use crate::api::name::Text;
use crate::control_plane::scheduler::algorithm::shape::PodShape;

/// GPUs asked for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ask {
    /// How many devices; 0: none.
    pub count: u32,
    /// Thousandths of each, 1..=1000; below 1000 for one device only.
    pub milli: i32,
    /// CPU asked for besides, in thousandths.
    pub cpu: i64,
    /// Models that will do, as in `V100|T4`; empty: any.
    pub models: Text,
    /// The devices it has to get, by number.
    pub pinned: Vec<usize>,
}

impl Default for Ask {
    /// For nothing.
    fn default() -> Ask {
        Ask { count: 0, milli: 0, cpu: 0, models: "".into(), pinned: Vec::new() }
    }
}

/// Whether a pod asks for GPUs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Asked {
    /// It does not.
    Nothing,
    /// For these.
    Devices(Ask),
    /// For what cannot be.
    Malformed,
}

impl Asked {
    /// What a pod of this shape asks for. Annotations go before requests; of count and share each may
    /// be left out: one device, the whole of it.
    pub fn of(args: &GpuShare, pod: &PodShape) -> Asked {
        let requests = &pod.spec().requests;
        let written = |name: &Text| match pod.annotations().get(name) {
            Some(text) => Some(text.trim().parse::<i64>().unwrap_or(-1)),
            None => Some(requests.scalar(name)).filter(|amount| *amount != 0),
        };
        let (count, milli) = match (written(&args.count), written(&args.milli)) {
            (None, None) => (requests.scalar(&args.whole), i64::from(WHOLE)),
            (Some(0), None | Some(0)) | (None, Some(0)) => return Asked::Nothing,
            (count, milli) => (count.unwrap_or(1), milli.unwrap_or(i64::from(WHOLE))),
        };
        if count == 0 && written(&args.milli).is_none() {
            return Asked::Nothing;
        }
        let is_share = (1..i64::from(WHOLE)).contains(&milli);
        if count < 1 || !(1..=i64::from(WHOLE)).contains(&milli) || is_share && count > 1 {
            return Asked::Malformed;
        }
        let pinned = pod.annotations().get(&args.index).filter(|text| !text.trim().is_empty());
        let pinned: Option<Vec<usize>> = pinned.map_or(Some(Vec::new()), |text| {
            text.split('-').map(|it| it.trim().parse().ok()).collect()
        });
        let is_named = |list: &Vec<usize>| {
            let is_once = |(at, device): (usize, &usize)| !list[..at].contains(device);
            list.is_empty() || list.len() as i64 == count && list.iter().enumerate().all(is_once)
        };
        let Some(pinned) = pinned.filter(is_named) else { return Asked::Malformed };
        Asked::Devices(Ask {
            count: u32::try_from(count).unwrap_or(u32::MAX),
            milli: milli as i32,
            cpu: requests.cpu_milli,
            models: pod.annotations().get(&args.model).cloned().unwrap_or_else(|| "".into()),
            pinned,
        })
    }
}

impl Ask {
    /// Whether a GPU of this model will do.
    pub fn takes(&self, model: &str) -> bool {
        let mut wanted = self.models.split('|').filter(|name| !name.is_empty()).peekable();
        wanted.peek().is_none() || wanted.any(|name| name == model)
    }
}
