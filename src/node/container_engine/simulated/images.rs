//! Images: their names, sizes, and which node has which.

use indexmap::IndexMap;

use crate::api::name::Text;
use crate::api::node::NodeImage;
use crate::api::rules::image_names::with_tag;
use crate::base::hash::hash_text;
use crate::luck::Draw;
use crate::messages::engine::Pulls;
use crate::time::{SimDuration, SimTime};

/// Size of an image nobody gave a size: from this ..
const SMALLEST: u64 = 20 << 20;
/// .. to less than this, by its name's hash, equal in all runs.
const LARGEST: u64 = 220 << 20;

/// The number of an image in an [`ImageTable`].
pub type ImageNumber = u32;

/// How often a node may ask registries: a bucket that fills with so many a second (kubelet 1.36
/// `pkg/kubelet/images/helpers.go`, throttledImageService).
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct RegistryLimit {
    /// When the bucket is full again.
    full_at: SimTime,
}

impl RegistryLimit {
    /// Whether one more may be asked now; if so, it counts.
    pub(super) fn admits(&mut self, pulls: &Pulls, now: SimTime) -> bool {
        if pulls.qps == 0 {
            return true;
        }
        let between = SimDuration::from_secs(1) / u64::from(pulls.qps);
        let next = self.full_at.max(now) + between;
        let fits = next.saturating_since(now) <= between * u64::from(pulls.burst.max(1));
        if fits {
            self.full_at = next;
        }
        fits
    }
}

/// All images of a run, in the order they were first named.
#[derive(Clone, Debug, Default)]
pub struct ImageTable {
    images: IndexMap<Text, i64>,
}

impl ImageTable {
    /// Images of known size, in bytes.
    pub fn new(sizes: impl IntoIterator<Item = (Text, i64)>) -> ImageTable {
        let sizes = sizes.into_iter().map(|(name, bytes)| (with_tag(&name), bytes));
        ImageTable { images: sizes.collect() }
    }

    /// The number of the image called `name`; one not known yet gets a size by its name.
    pub fn number(&mut self, name: &Text) -> ImageNumber {
        let tagged = with_tag(name);
        let next = self.images.len();
        let at = self.images.get_index_of(&tagged).unwrap_or(next);
        if at == next {
            let bytes = SMALLEST + Draw::from_bits(hash_text(&tagged)).below(LARGEST - SMALLEST);
            self.images.insert(tagged, bytes as i64);
        }
        at as ImageNumber
    }

    /// The number of the image called `name`, if anybody ever named it.
    pub fn find(&self, name: &str) -> Option<ImageNumber> {
        self.images.get_index_of(&with_tag(&name.into())).map(|at| at as ImageNumber)
    }

    /// Its size in bytes.
    pub fn bytes(&self, image: ImageNumber) -> i64 {
        self.images[image as usize]
    }

    /// The image as a node reports it.
    pub fn reported(&self, image: ImageNumber) -> NodeImage {
        let (name, &bytes) = self.images.get_index(image as usize).expect("a number given out");
        NodeImage { name: name.clone(), bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_asked_ten_times_at_once_and_five_times_a_second() {
        let mut limit = RegistryLimit::default();
        let mut asked = |millis| {
            limit.admits(&Pulls::default(), SimTime::ZERO + SimDuration::from_millis(millis))
        };
        assert_eq!((0..12).filter(|_| asked(1000)).count(), 10);
        assert!(!asked(1199) && asked(1200) && !asked(1201));
        assert_eq!((0..12).filter(|_| asked(9000)).count(), 10);
    }

    #[test]
    fn an_image_is_one_image_with_or_without_latest() {
        let mut table = ImageTable::new([("nginx".into(), 7)]);
        let nginx = table.number(&"nginx:latest".into());
        assert_eq!((nginx, table.bytes(nginx)), (0, 7));
        let other = table.number(&"localhost:5000/app".into());
        assert_eq!(&*table.reported(other).name, "localhost:5000/app:latest");
        assert!((SMALLEST as i64..LARGEST as i64).contains(&table.bytes(other)));
    }
}
