//! Kubelet and simulated engine together, as scripts: what is told, and what is written when.
mod hooks;
mod images;
mod life;
mod resizing;
mod restarts;
mod rig;
mod rooms;
mod static_pods;
