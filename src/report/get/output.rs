//! The answer as text: tables, JSON, YAML, names.

mod yaml;

use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use serde_json::{Map, Serializer, Value};

use super::resource::{Resource, resources};
use super::search::{self, Found};
use super::table::Table;
use super::{Moment, Namespaces, Query, Width, printer};
use crate::api::kinds::Scope;

/// How objects are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// In columns.
    Table(Width),
    /// As an API server gives them, in JSON.
    Json,
    /// The same in YAML.
    Yaml,
    /// By kind and name.
    Name,
}

/// What is answered.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    /// The objects, as text with an end of line at its end; empty where there are none.
    pub text: String,
    /// What else is to be said: names that are no objects, in the API server's words.
    pub missing: Vec<String>,
    /// That nothing is there although nothing was asked for by name, in kubectl's words.
    pub nothing: Option<String>,
}

/// What somebody asks for: kinds by their names (`pods`, `deploy,svc`, `all`), and which of their objects.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Names of kinds, with commas between.
    pub kinds: String,
    /// Which objects.
    pub query: Query,
}

/// The objects of one kind that were found.
struct Batch<'a> {
    resource: Resource,
    query: &'a Query,
    found: Vec<Found>,
}

/// The objects asked for, as text.
///
/// # Errors
/// kubectl's words for a kind that is none.
pub fn answer(moment: Moment<'_>, asked: &[Asked], form: Form) -> Result<Answer, String> {
    let custom = search::custom(moment.store);
    let mut answer = Answer::default();
    let mut all: Vec<Batch<'_>> = Vec::new();
    for Asked { kinds, query } in asked {
        for resource in resources(kinds, &custom)? {
            let found = search::search(moment, &resource, query);
            let is_missing = |name: &&String| !found.iter().any(|it| it.name == **name);
            for name in query.names.iter().filter(is_missing) {
                let what = resource.qualified();
                let words = format!("Error from server (NotFound): {what} {name:?} not found");
                answer.missing.push(words);
            }
            all.push(Batch { resource, query, found });
        }
    }
    let names: usize = asked.iter().map(|it| it.query.names.len()).sum();
    let has_one_kind = all.windows(2).all(|pair| pair[0].resource == pair[1].resource);
    let is_nothing = all.iter().all(|it| it.found.is_empty());
    if is_nothing && names == 0 && !matches!(form, Form::Json | Form::Yaml) {
        answer.nothing = Some(nothing(&all));
    }
    all.retain(|it| !it.found.is_empty());
    answer.text = match form {
        Form::Table(width) => tables(moment, &all, width, has_one_kind),
        Form::Name => called(&all),
        Form::Json | Form::Yaml if is_nothing && names > 0 => String::new(),
        Form::Json | Form::Yaml => match &all[..] {
            [only] if names == 1 && only.found.len() == 1 => {
                whole(search::read(moment, &only.found[0]), form)
            }
            _ => list(moment, &all, form),
        },
    };
    Ok(answer)
}

fn nothing(all: &[Batch<'_>]) -> String {
    let mut namespaced = all.iter().filter(|it| it.resource.scope == Scope::Namespaced);
    match namespaced.next().map(|it| &it.query.namespaces) {
        Some(Namespaces::One(namespace)) => {
            format!("No resources found in {namespace} namespace.")
        }
        _ => "No resources found".to_owned(),
    }
}

/// One table a kind. With several kinds names tell the kind.
fn tables(moment: Moment<'_>, all: &[Batch<'_>], width: Width, has_one_kind: bool) -> String {
    let mut texts = Vec::new();
    for Batch { resource, query, found } in all {
        let printer = printer(&resource.group, &resource.kind);
        let is_namespace_told =
            query.namespaces == Namespaces::All && resource.scope == Scope::Namespaced;
        let mut table = Table::default();
        let headings = printer.headings(width);
        let name = headings.iter().position(|heading| heading == "NAME");
        let namespace = |told: &str| is_namespace_told.then(|| told.to_owned());
        table.line(namespace("NAMESPACE").into_iter().chain(headings).collect());
        for it in found {
            let mut cells = printer.cells(&search::read(moment, it), moment.clock(), width);
            if let Some(name) = name.filter(|_| !has_one_kind) {
                cells[name] = format!("{}/{}", resource.singular(), cells[name]);
            }
            table.line(namespace(&it.namespace).into_iter().chain(cells).collect());
        }
        texts.push(table.text());
    }
    texts.join("\n")
}

fn called(all: &[Batch<'_>]) -> String {
    let each = all.iter().flat_map(|of| of.found.iter().map(|it| (&of.resource, it)));
    each.map(|(resource, it)| format!("{}/{}\n", resource.singular(), it.name)).collect()
}

/// One object.
fn whole(object: Value, form: Form) -> String {
    let object = sorted(object);
    if form == Form::Yaml { yaml::written(&object) } else { json(&object) + "\n" }
}

/// A List, item by item: nothing but the text is held.
fn list(moment: Moment<'_>, all: &[Batch<'_>], form: Form) -> String {
    let items = all.iter().flat_map(|of| &of.found).map(|it| sorted(search::read(moment, it)));
    if form == Form::Yaml {
        let items: String = items.map(|it| yaml::item(&it)).collect();
        let items = if items.is_empty() { " []\n".to_owned() } else { format!("\n{items}") };
        return format!(
            "apiVersion: v1\nitems:{items}kind: List\nmetadata:\n  resourceVersion: \"\"\n"
        );
    }
    let items: Vec<String> = items.map(|it| indented(&json(&it), 8)).collect();
    let items =
        if items.is_empty() { "[]".to_owned() } else { format!("[\n{}\n    ]", items.join(",\n")) };
    format!(
        "{{\n    \"apiVersion\": \"v1\",\n    \"items\": {items},\n    \"kind\": \"List\",\n    \
         \"metadata\": {{\n        \"resourceVersion\": \"\"\n    }}\n}}\n"
    )
}

fn indented(text: &str, by: usize) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("{:by$}{line}", "")).collect();
    lines.join("\n")
}

/// JSON as kubectl writes it: four spaces a level.
fn json(value: &Value) -> String {
    let mut bytes = Vec::new();
    let mut writer = Serializer::with_formatter(&mut bytes, PrettyFormatter::with_indent(b"    "));
    // Values are written to memory and have no keys but text: nothing can go wrong.
    let _ = value.serialize(&mut writer);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The same with all fields by name, as kubectl has them.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut fields: Vec<(String, Value)> =
                map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(fields.into_iter().collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        plain => plain,
    }
}
