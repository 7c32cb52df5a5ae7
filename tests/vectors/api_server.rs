//! An API server on a store of its own, asked directly.

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use wavetank::api::compact::Compactor;
use wavetank::api::meta::Meta;
use wavetank::api::misc::Namespace;
use wavetank::api::object::Object;
use wavetank::api::status::Status;
use wavetank::control_plane::api_server::{Server, Shared};
use wavetank::luck::Luck;
use wavetank::messages::{Call, Done, Effects};
use wavetank::net::address::ServiceRange;
use wavetank::store::Store;

use super::objects::NOW;

/// The server and what it stores.
pub struct Api {
    /// The store.
    pub store: Store,
    shared: Shared,
}

impl Api {
    /// A server that knows these namespaces.
    pub fn new(namespaces: &[&str]) -> Api {
        let range = ServiceRange::new(Ipv4Addr::new(10, 96, 0, 0), 24);
        let mut api = Api { store: Store::default(), shared: Shared::new(Luck::new(1), range) };
        for name in namespaces {
            let meta = Meta::new("".into(), (*name).into());
            let namespace = Object::Namespace(Box::new(Namespace::new(meta)));
            api.call(Call::Create(namespace)).expect("a namespace");
        }
        api
    }

    /// Asks it something.
    pub fn call(&mut self, call: Call) -> Result<Done, Status> {
        let mut effects: Effects<()> = Effects::new();
        effects.begin(NOW, 0, 1);
        let (store, shared) = (&mut self.store, &mut self.shared);
        Server { now: NOW, store, shared, effects: &mut effects }.execute(call)
    }

    /// Asks it to create something.
    pub fn create(&mut self, object: Object) -> Result<Done, Status> {
        self.call(Call::Create(object))
    }
}

/// A pod as a manifest gives it.
pub fn pod(value: &Value) -> Object {
    let mut whole = value.clone();
    if whole["metadata"]["name"].is_null() {
        whole["metadata"]["name"] = json!("it");
    }
    if whole["metadata"]["namespace"].is_null() {
        whole["metadata"]["namespace"] = json!("default");
    }
    if whole["spec"]["containers"].is_null() {
        whole["spec"]["containers"] = json!([]);
    }
    Compactor::new().pod(serde_json::from_value(whole).expect("a Pod")).object
}

/// A PriorityClass.
pub fn class(value: &Value) -> Object {
    let written = serde_json::from_value(value.clone()).expect("a PriorityClass");
    Compactor::new().priority_class(&written).object
}
