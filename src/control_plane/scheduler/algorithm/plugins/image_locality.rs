//! ImageLocality: prefers nodes that have the pod's images, the larger the better, the less so the
//! fewer nodes have them (`plugins/imagelocality`, 1.36).

use super::super::framework::MAX_SCORE;
use super::super::node_info::NodeInfo;
use super::super::shape::PodShape;

const MIB: i64 = 1024 * 1024;
/// Images that add up to less count for nothing.
const MIN_BYTES: i64 = 23 * MIB;
/// So much an image, of all containers together, is as good as can be.
const MAX_BYTES_PER_CONTAINER: i64 = 1000 * MIB;

/// The score among `nodes` nodes.
pub fn score(pod: &PodShape, node: &NodeInfo, nodes: usize) -> i64 {
    if node.images.is_empty() {
        return 0;
    }
    let bytes: i64 = pod
        .images()
        .iter()
        .filter_map(|name| node.image(name))
        .map(|image| {
            let spread = f64::from(image.nodes) / nodes as f64;
            (image.bytes as f64 * spread) as i64
        })
        .sum();
    // Images mounted as volumes add bytes, but no container.
    let containers = pod.spec().containers.len() + pod.spec().init_containers.len();
    let most = MAX_BYTES_PER_CONTAINER * containers as i64;
    if most == 0 {
        return 0;
    }
    (bytes.clamp(MIN_BYTES, most) - MIN_BYTES).saturating_mul(MAX_SCORE) / (most - MIN_BYTES)
}

/// An image's name with its tag: `:latest` where none is written.
pub fn with_tag(image: &str) -> std::borrow::Cow<'_, str> {
    let colon = image.rfind(':').map_or(-1, |at| at as isize);
    let slash = image.rfind('/').map_or(-1, |at| at as isize);
    if colon <= slash { format!("{image}:latest").into() } else { image.into() }
}
