//! What runs on a node: a kubelet, a container engine and a kube-proxy.
//!
//! Each of the first two is one struct for all nodes, its state in columns that clones of a run share; a
//! handler works for one node. Owns how nodes bring pods about; refuses to know the control plane.
pub mod container_engine;
pub mod kube_proxy;
pub mod kubelet;

/// Which machine of the cluster: its kubelet, engine and processors share the number. It outlives the Node
/// object, which may be deleted and registered again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeIndex(pub u32);

impl NodeIndex {
    /// The row in columns kept by machine.
    pub fn row(self) -> usize {
        self.0 as usize
    }
}
