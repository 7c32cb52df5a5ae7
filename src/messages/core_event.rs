//! Kubernetes' own Events: what a component says of an object, for people.
//!
//! Owns the shape of one remark; refuses to know what becomes of it (`control_plane::core_events`).
//! A remark never influences the run and is no fact: the digest does not know it. Where nobody
//! listens it is not even built, so it costs a run nothing.

use std::borrow::Cow;

use crate::api::kind::Kind;
use crate::api::meta::{Meta, ObjectName, Uid};
use crate::api::name::{Name, Text};
use crate::store::Rev;

/// Whether remarks are wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Listening {
    /// Nobody listens.
    #[default]
    Nobody,
    /// All of them are kept.
    All,
}

/// `type`: whether something went as it should.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Tone {
    /// It did.
    Normal,
    /// It did not, or may not.
    Warning,
}

impl Tone {
    /// As written.
    pub fn name(self) -> &'static str {
        match self {
            Tone::Normal => "Normal",
            Tone::Warning => "Warning",
        }
    }
}

/// Who speaks, and by which of client-go's two broadcasters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    /// `v1` Events (tools/record): equal ones are counted, similar ones combined, too many dropped.
    Core {
        /// `source.component`.
        component: &'static str,
        /// `source.host`.
        host: Option<Name>,
    },
    /// `events.k8s.io/v1` Events (tools/events): equal ones become a series, none is dropped.
    Series {
        /// `reportingController`.
        component: Text,
        /// Which of the instances of the speaker's kind it is, from 0.
        instance: u8,
        /// What it was about to do.
        action: &'static str,
        /// The revision of the object it knew: Events about different ones are never equal.
        of: Rev,
    },
}

/// What an Event is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct About {
    /// The kind.
    pub kind: Kind,
    /// The namespace, empty for what lives in none.
    pub namespace: Text,
    /// The name.
    pub name: Name,
    /// The uid; none where the speaker takes the name for it, as a kubelet does of its node.
    pub uid: Option<Uid>,
    /// Which part of the object, such as `spec.containers{app}`.
    pub field: Option<Text>,
}

impl About {
    /// An object as a whole.
    pub fn of(kind: Kind, meta: &Meta) -> About {
        About::named(ObjectName::of(kind, meta), Some(meta.uid))
    }

    /// The same, by name.
    pub fn named(name: ObjectName, uid: Option<Uid>) -> About {
        let ObjectName { kind, namespace, name } = name;
        About { kind, namespace, name, uid, field: None }
    }
}

/// What is said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remark {
    /// How it is said.
    pub tone: Tone,
    /// `reason`, one word.
    pub reason: Cow<'static, str>,
    /// `message`, a sentence.
    pub message: String,
}

impl Remark {
    /// That something went as it should.
    pub fn normal(reason: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Remark {
        Remark { tone: Tone::Normal, reason: reason.into(), message: message.into() }
    }

    /// That something did not.
    pub fn warning(reason: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Remark {
        Remark { tone: Tone::Warning, reason: reason.into(), message: message.into() }
    }
}

/// An Event as its speaker makes it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CoreEvent {
    /// Who speaks.
    pub source: Source,
    /// Of what.
    pub about: About,
    /// What is said.
    pub remark: Remark,
}
