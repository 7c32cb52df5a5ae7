//! LimitRanges as a run holds them.

use std::sync::Arc;

use super::meta::Meta;
use super::name::Text;
use super::rules::resources::Amounts;

/// A LimitRange.
#[derive(Clone, PartialEq, Debug)]
pub struct LimitRange {
    /// Its metadata.
    pub meta: Meta,
    /// What it limits, the API server's defaults filled in.
    pub limits: Arc<[LimitItem]>,
    /// Spec as written, as canonical JSON.
    pub written: Text,
}

/// One item of a LimitRange.
#[derive(Clone, PartialEq, Debug)]
pub struct LimitItem {
    /// What it is about.
    pub of: LimitType,
    /// At most so much (`max`).
    pub max: Amounts,
    /// At least so much (`min`).
    pub min: Amounts,
    /// Limits of containers that name none (`default`).
    pub limit: Amounts,
    /// Requests of containers that name none (`defaultRequest`).
    pub request: Amounts,
    /// How many times its request a limit may be (`maxLimitRequestRatio`).
    pub ratio: Amounts,
}

/// What an item of a LimitRange is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LimitType {
    /// Each container, init containers too.
    Container,
    /// A pod as a whole.
    Pod,
    /// A PersistentVolumeClaim.
    PersistentVolumeClaim,
    /// Something nobody looks at.
    Else,
}

impl LimitType {
    /// As the API prints it.
    pub fn name(self) -> &'static str {
        match self {
            LimitType::Container => "Container",
            LimitType::Pod => "Pod",
            LimitType::PersistentVolumeClaim => "PersistentVolumeClaim",
            LimitType::Else => "Else",
        }
    }
}
