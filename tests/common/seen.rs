//! A run of a Scenario and objects given as text, and what `get` shows of it at its end.

use serde_json::Value;
use wavetank::api::ip_family::Families;
use wavetank::cluster::World;
use wavetank::kernel::Engine;
use wavetank::report::get::{Asked, Form, Moment, Namespaces, Query, answer};

use super::listened::listened;

/// A run that is over.
pub struct Seen {
    /// How it ended.
    pub world: World,
    /// Fields that play no part in it.
    pub idle: Vec<String>,
}

impl Seen {
    /// Runs a Scenario's `spec` with these objects to its end.
    pub fn of(spec: &str, objects: &str) -> Seen {
        let head =
            "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {name: told}\nspec:\n";
        let (world, idle) = listened(&format!("{head}{spec}\n---\n{objects}"));
        Seen { world, idle }
    }

    /// An object of the default namespace as an API server gives it.
    pub fn get(&self, kind: &str, name: &str) -> Value {
        self.read(kind, vec![name.to_owned()])
    }

    /// The object of this name, or the List of all where none is asked for.
    pub fn read(&self, kind: &str, names: Vec<String>) -> Value {
        let (store, now) = (self.world.store(), self.world.now());
        let families = Families::V4;
        let renewals = Some(self.world.renewals());
        let moment = Moment { store, now, epoch_seconds: 0, families, renewals, events: None };
        let namespaces = Namespaces::One("default".to_owned());
        let asked =
            Asked { kinds: kind.to_owned(), query: Query { namespaces, names, labels: None } };
        let text = answer(moment, &[asked], Form::Json).expect("a kind").text;
        serde_json::from_str(&text).expect("JSON")
    }
}
