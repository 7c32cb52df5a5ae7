//! Which plugins act at which point: the defaults, `multiPoint` and each point's own list put together
//! (`mergePluginSet` of pkg/scheduler/apis/config/v1, `expandMultiPointPlugins` and `getScoreWeights`
//! of pkg/scheduler/framework/runtime, 1.36).

use super::registry::{self, Point, Standing};

/// A plugin that is enabled somewhere.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Enabled {
    pub name: String,
    /// 0: none given.
    pub weight: i32,
    /// Where it is written; empty for a default.
    pub at: String,
}

/// One list of a configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct List {
    pub enabled: Vec<Enabled>,
    pub disabled: Vec<String>,
}

/// What is written twice: where, which plugin, and the point that notices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Twice {
    pub at: String,
    pub name: String,
    pub point: Point,
}

/// `multiPoint` of the default configuration.
pub(super) fn defaults() -> Vec<Enabled> {
    let plugins = registry::ALL.iter().filter(|it| it.standing == Standing::Default);
    plugins
        .map(|it| Enabled { name: it.name.to_owned(), weight: it.weight, at: String::new() })
        .collect()
}

/// The default list with a written one over it: a default that is enabled again keeps its place and
/// takes what was written.
pub(super) fn merged(defaults: Vec<Enabled>, custom: &List) -> Vec<Enabled> {
    let is_off = |name: &str| custom.disabled.iter().any(|it| it == name);
    let mut replaced = vec![false; custom.enabled.len()];
    let mut list = Vec::new();
    if !is_off("*") {
        for default in defaults.into_iter().filter(|it| !is_off(&it.name)) {
            match custom.enabled.iter().rposition(|it| it.name == default.name) {
                Some(at) => {
                    replaced[at] = true;
                    list.push(custom.enabled[at].clone());
                }
                None => list.push(default),
            }
        }
    }
    let others = custom.enabled.iter().zip(&replaced).filter(|(_, replaced)| !**replaced);
    list.extend(others.map(|(it, _)| it.clone()));
    list
}

/// The plugins of one point, in the order they run: those of its own list that `multi` has too, then
/// the rest of `multi`, then the rest of its own.
pub(super) fn at_point(
    point: Point,
    own: &List,
    multi: &[Enabled],
    twice: &mut Vec<Twice>,
) -> Vec<Enabled> {
    let acts =
        |name: &str| registry::named(name).is_some_and(|plugin| plugin.points.contains(&point));
    let mut note = |it: &Enabled| {
        twice.push(Twice { at: it.at.clone(), name: it.name.clone(), point });
    };
    let mut specific: Vec<&Enabled> = Vec::new();
    for it in own.enabled.iter().filter(|it| acts(&it.name)) {
        match specific.iter().any(|known| known.name == it.name) {
            true => note(it),
            false => specific.push(it),
        }
    }
    let is_off = |name: &str| own.disabled.iter().any(|it| it == name);
    if is_off("*") {
        return specific.into_iter().cloned().collect();
    }
    let mut inherited: Vec<&Enabled> = Vec::new();
    let mut overriding: Vec<&str> = Vec::new();
    for it in multi.iter().filter(|it| acts(&it.name) && !is_off(&it.name)) {
        if specific.iter().any(|known| known.name == it.name) {
            overriding.push(&it.name);
        } else if inherited.iter().any(|known| known.name == it.name) {
            note(it);
        } else {
            inherited.push(it);
        }
    }
    let (first, last): (Vec<&Enabled>, Vec<&Enabled>) =
        specific.into_iter().partition(|it| overriding.contains(&it.name.as_str()));
    first.into_iter().chain(inherited).chain(last).cloned().collect()
}

/// What the score of `name` counts for: the first of the point's own list and `multi`; none or 0
/// means 1.
pub(super) fn weight(name: &str, own: &List, multi: &[Enabled]) -> i32 {
    let given = own.enabled.iter().chain(multi).find(|it| it.name == name);
    given.map_or(1, |it| if it.weight == 0 { 1 } else { it.weight })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(enabled: &[(&str, i32)], disabled: &[&str]) -> List {
        let enabled = enabled.iter().map(|(name, weight)| Enabled {
            name: (*name).to_owned(),
            weight: *weight,
            at: "here".to_owned(),
        });
        List {
            enabled: enabled.collect(),
            disabled: disabled.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn names(list: &[Enabled]) -> Vec<&str> {
        list.iter().map(|it| it.name.as_str()).collect()
    }

    fn at(point: Point, own: &List, multi: &[Enabled]) -> (Vec<String>, usize) {
        let mut twice = Vec::new();
        let found = at_point(point, own, multi, &mut twice);
        (found.into_iter().map(|it| it.name).collect(), twice.len())
    }

    #[test]
    fn a_default_enabled_again_keeps_its_place_and_takes_the_weight() {
        let custom = list(&[("GpuShare", 5), ("TaintToleration", 0)], &["NodeAffinity"]);
        let multi = merged(defaults(), &custom);
        assert_eq!(names(&multi)[3..6], ["NodeName", "TaintToleration", "NodePorts"]);
        assert_eq!(multi.last().map(|it| it.name.as_str()), Some("GpuShare"));
        // Without a weight it counts 1, not the 3 of the default.
        assert_eq!(weight("TaintToleration", &List::default(), &multi), 1);
        assert_eq!(weight("GpuShare", &List::default(), &multi), 5);
        // VolumeBinding has no weight in the defaults.
        assert_eq!(weight("VolumeBinding", &List::default(), &multi), 1);
    }

    #[test]
    fn a_star_takes_all_defaults_away_and_what_is_enabled_stays() {
        let multi = merged(defaults(), &list(&[("ImageLocality", 2)], &["*"]));
        assert_eq!(names(&multi), ["ImageLocality"]);
        let own = list(&[("NodeResourcesFit", 3)], &["*"]);
        let (found, twice) = at(Point::Score, &own, &defaults());
        assert_eq!((found, twice), (vec!["NodeResourcesFit".to_owned()], 0));
    }

    #[test]
    fn overriding_plugins_run_first_and_others_of_the_point_last() {
        let own = list(&[("GpuShare", 1), ("NodePorts", 0), ("NodeName", 0)], &["NodeAffinity"]);
        let multi = merged(defaults(), &List::default());
        let (found, _) = at(Point::Filter, &own, &multi);
        assert_eq!(found[..4], ["NodePorts", "NodeName", "NodeUnschedulable", "TaintToleration"]);
        assert_eq!(found.last().map(String::as_str), Some("GpuShare"));
        assert!(!found.contains(&"NodeAffinity".to_owned()));
    }

    #[test]
    fn the_weight_of_the_point_goes_before_that_of_multi_point() {
        let own = list(&[("PodTopologySpread", 7)], &["PodTopologySpread"]);
        let (found, _) = at(Point::Score, &own, &defaults());
        assert_eq!(found.last().map(String::as_str), Some("PodTopologySpread"));
        assert_eq!(weight("PodTopologySpread", &own, &defaults()), 7);
    }

    #[test]
    fn a_plugin_given_twice_is_noticed() {
        let own = list(&[("NodeName", 0), ("NodeName", 0)], &[]);
        assert_eq!(at(Point::Filter, &own, &defaults()).1, 1);
        let multi = merged(defaults(), &list(&[("ImageLocality", 1), ("ImageLocality", 2)], &[]));
        assert_eq!(at(Point::Score, &List::default(), &multi).1, 1);
    }
}
