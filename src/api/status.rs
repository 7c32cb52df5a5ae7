//! What the API server answers when it says no: typed, with Kubernetes' reasons and words.

use std::fmt;

use super::kind::Kind;
use super::meta::ObjectName;
use super::name::Text;

/// A refusal. `Display` gives the API server's message, or kubectl's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Status {
    /// 404.
    NotFound(ObjectName),
    /// 409: the name is taken.
    AlreadyExists(ObjectName),
    /// 409: the object changed since it was read, or a precondition does not hold.
    Conflict(ObjectName),
    /// 403.
    Forbidden(ObjectName, Text),
    /// 422.
    Invalid(ObjectName, Text),
    /// kubectl says no before it asks.
    Unasked(Text),
    /// 429, of an eviction: its budget does not allow it now; the message says why.
    TooManyRequests(Text),
    /// 500, with the message.
    Internal(Text),
    /// No answer: the server is down, unreachable, or too slow. Whether a write took place is
    /// unknown.
    Unreachable,
    /// 500 or 504 of a server that has lost its etcd.
    Unavailable,
}

impl Status {
    /// The HTTP code; 0 where no answer came.
    pub fn code(&self) -> u16 {
        match self {
            Status::NotFound(_) => 404,
            Status::AlreadyExists(_) | Status::Conflict(_) => 409,
            Status::Forbidden(..) => 403,
            Status::Invalid(..) => 422,
            Status::TooManyRequests(_) => 429,
            Status::Internal(_) | Status::Unavailable => 500,
            Status::Unreachable | Status::Unasked(_) => 0,
        }
    }

    /// Whether trying again later may help, the request being the same.
    pub fn is_transient(&self) -> bool {
        matches!(self, Status::Unreachable | Status::Unavailable)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quoted = |name: &ObjectName| format!("{} \"{}\"", name.kind.resource(), name.name);
        match self {
            Status::NotFound(name) => write!(f, "{} not found", quoted(name)),
            Status::AlreadyExists(name) => write!(f, "{} already exists", quoted(name)),
            Status::Conflict(name) => write!(
                f,
                "Operation cannot be fulfilled on {}: the object has been modified; please apply \
                 your changes to the latest version and try again",
                quoted(name)
            ),
            Status::Forbidden(name, why) => write!(f, "{} is forbidden: {why}", quoted(name)),
            Status::Invalid(name, why) => {
                write!(f, "{} \"{}\" is invalid: {why}", group_kind(name.kind), name.name)
            }
            Status::Unasked(why) => write!(f, "error: {why}"),
            Status::TooManyRequests(why) => {
                write!(f, "Cannot evict pod as it would violate the pod's disruption budget. {why}")
            }
            Status::Internal(why) => f.write_str(why),
            Status::Unavailable => f.write_str("etcdserver: request timed out"),
            Status::Unreachable => f.write_str("connection refused"),
        }
    }
}

/// A kind with its group, `Deployment.apps` (`GroupKind.String` of apimachinery 1.36).
fn group_kind(kind: Kind) -> String {
    match kind.resource().split_once('.') {
        Some((_, group)) => format!("{kind}.{group}"),
        None => kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_invalid_is_named_with_its_group() {
        let of = |kind| ObjectName { kind, namespace: "shop".into(), name: "web".into() };
        let said = |kind| Status::Invalid(of(kind), "why".into()).to_string();
        assert_eq!(said(Kind::Deployment), "Deployment.apps \"web\" is invalid: why");
        assert_eq!(said(Kind::Pod), "Pod \"web\" is invalid: why");
    }
}
