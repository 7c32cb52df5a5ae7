//! `wavetank get`.

use super::args::{GetArgs, GetFormat};
use super::replay::world;
use super::{Code, Failure, complain};
use crate::api::selector_text::LabelQuery;
use crate::kernel::Engine;
use crate::messages::Listening;
use crate::report::get::{
    Asked, Form, Moment, Namespaces, Query, Width, answer, asks_for_events, proxy_rules,
};
use crate::time::{SimDuration, SimTime};

pub(super) fn get(args: &GetArgs) -> Result<Code, Failure> {
    let (asked, node) = (asked(args)?, of_proxy(&args.objects));
    let at = args.at.as_deref().map(instant).transpose()?;
    let form = match args.output {
        GetFormat::Text => Form::Table(Width::Narrow),
        GetFormat::Wide => Form::Table(Width::Wide),
        GetFormat::Json => Form::Json,
        GetFormat::Yaml => Form::Yaml,
        GetFormat::Name => Form::Name,
    };
    let listening = match asked.iter().any(|it| asks_for_events(&it.kinds)) {
        true => Listening::All,
        false => Listening::Nobody,
    };
    let mut world = world(&args.run, at, listening)?;
    let events = world.core_events().cloned();
    let moment = Moment {
        store: world.store(),
        now: world.now(),
        epoch_seconds: world.plan().epoch_seconds,
        families: world.plan().families,
        renewals: Some(world.renewals()),
        events: events.as_ref(),
    };
    if let Some(node) = node {
        let Some(rules) = proxy_rules(moment, node) else {
            complain(format!("Error from server (NotFound): nodes {node:?} not found"));
            return Ok(Code::Input);
        };
        super::say(rules.trim_end_matches('\n'));
        return Ok(Code::Fine);
    }
    let answer = answer(moment, &asked, form).map_err(Failure::usage)?;
    if !answer.text.is_empty() {
        super::say(answer.text.trim_end_matches('\n'));
    }
    answer.nothing.iter().chain(&answer.missing).for_each(complain);
    // As with any name on a command line: one that names nothing is wrong usage.
    Ok(if answer.missing.is_empty() { Code::Fine } else { Code::Input })
}

/// The node whose kube-proxy is asked for its rules, if that is what is asked: `iptables NODE`.
fn of_proxy(objects: &[String]) -> Option<&str> {
    match objects {
        [kind, node] if kind == "iptables" => Some(node),
        [one] => one.strip_prefix("iptables/"),
        _ => None,
    }
}

fn instant(text: &str) -> Result<SimTime, Failure> {
    let since_start = SimDuration::parse(text);
    let since_start = since_start.map_err(|error| Failure::usage(format!("--at: {error}")))?;
    Ok(SimTime::ZERO + since_start)
}

/// What the words on the command line ask for: `KIND NAME..`, or `KIND/NAME ..` in any number.
fn asked(args: &GetArgs) -> Result<Vec<Asked>, Failure> {
    let labels = args.selector.as_deref().map(LabelQuery::parse).transpose();
    let labels = labels.map_err(|error| Failure::usage(format!("--selector: {error}")))?;
    let namespaces = match args.all_namespaces {
        true => Namespaces::All,
        false => Namespaces::One(args.namespace.clone()),
    };
    let query = Query { namespaces, names: Vec::new(), labels };
    let (kind, names) = match &args.objects[..] {
        [kind, names @ ..] if !args.objects.iter().any(|it| it.contains('/')) => (kind, names),
        parts => {
            return parts.iter().map(|it| one(it, &query)).collect::<Result<_, _>>().map(merged);
        }
    };
    check(!names.is_empty(), &query)?;
    Ok(vec![Asked { kinds: kind.clone(), query: Query { names: names.to_vec(), ..query } }])
}

/// An object as `KIND/NAME` or `KIND/NAMESPACE/NAME`.
fn one(text: &str, query: &Query) -> Result<Asked, Failure> {
    let parts: Vec<&str> = text.split('/').collect();
    let (kinds, namespace, name) = match parts[..] {
        [kind, name] => (kind, None, name),
        [kind, namespace, name] => (kind, Some(namespace), name),
        _ => {
            let why =
                "expected KIND/NAME or KIND/NAMESPACE/NAME; with one of them, all are written so";
            return Err(Failure::usage(format!("{text}: {why}")));
        }
    };
    let mut query = Query { names: vec![name.to_owned()], ..query.clone() };
    if let Some(namespace) = namespace {
        query.namespaces = Namespaces::One(namespace.to_owned());
    }
    check(true, &query)?;
    Ok(Asked { kinds: kinds.to_owned(), query })
}

/// Objects of one kind and namespace that follow each other are one table.
fn merged(all: Vec<Asked>) -> Vec<Asked> {
    let mut merged: Vec<Asked> = Vec::new();
    for asked in all {
        match merged.last_mut() {
            Some(last)
                if last.kinds == asked.kinds && last.query.namespaces == asked.query.namespaces =>
            {
                last.query.names.extend(asked.query.names);
            }
            _ => merged.push(asked),
        }
    }
    merged
}

/// kubectl's rules on what goes with names.
fn check(is_named: bool, query: &Query) -> Result<(), Failure> {
    let why = match query {
        _ if !is_named => return Ok(()),
        Query { namespaces: Namespaces::All, .. } => {
            "a resource cannot be retrieved by name across all namespaces"
        }
        Query { labels: Some(_), .. } => "name cannot be provided when a selector is specified",
        _ => return Ok(()),
    };
    Err(Failure::usage(why))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;

    use super::super::args::{Cli, Command};
    use super::*;

    /// Kinds, names and where to look.
    type Words = (String, Vec<String>, Namespaces);

    fn asked_for(words: &[&str]) -> Result<Vec<Words>, Option<String>> {
        let words = ["wavetank", "get", "reports/x"].iter().chain(words);
        let Command::Get(args) = Cli::parse_from(words).command else { panic!("get") };
        assert_eq!(args.run, Path::new("reports/x"));
        let asked = asked(&args).map_err(|failure| failure.message)?;
        Ok(asked.into_iter().map(|it| (it.kinds, it.query.names, it.query.namespaces)).collect())
    }

    #[test]
    fn objects_are_named_as_kubectl_takes_them() {
        let one = |namespace: &str| Namespaces::One(namespace.to_owned());
        let names = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            asked_for(&["po", "a", "b", "-n", "shop"]),
            Ok(vec![("po".into(), names(&["a", "b"]), one("shop"))])
        );
        assert_eq!(
            asked_for(&["po/a", "po/b", "svc/shop/web"]),
            Ok(vec![
                ("po".into(), names(&["a", "b"]), one("default")),
                ("svc".into(), names(&["web"]), one("shop")),
            ])
        );
        assert_eq!(asked_for(&["all", "-A"]), Ok(vec![("all".into(), vec![], Namespaces::All)]));
        for wrong in [
            &["po", "po/a"][..],
            &["po", "a", "-A"],
            &["po", "a", "-l", "x=y"],
            &["po", "-l", "=="],
        ] {
            assert!(asked_for(wrong).is_err(), "{wrong:?}");
        }
    }
}
