//! A part of a document as a type of ours: every value that does not fit is named and left out.

use serde::de::DeserializeOwned;

use super::judge::Judge;
use crate::api::decode::read;
use crate::api::tree::{Node, Value};

/// Wrong values named per part; more are not looked for.
const MISFITS_MAX: usize = 20;

/// Reads what stands at `at` (empty: the whole document); what does not fit is told to `judge`, as
/// are fields that the type does not have.
pub(super) fn whole<T: DeserializeOwned + Default>(at: &str, judge: &mut Judge<'_, '_>) -> T {
    let document = judge.document;
    let Some(mut node) = document.node.at_path(at).cloned() else { return T::default() };
    let full = |path: &str| match (at, path) {
        ("", path) => path.to_owned(),
        (at, "") => at.to_owned(),
        (at, path) => format!("{at}.{path}"),
    };
    let mut told: Vec<String> = Vec::new();
    for _ in 0..MISFITS_MAX {
        let mut unknown = Vec::new();
        let misfit = match read::<T>(&node, &mut unknown) {
            Ok(found) => {
                for field in unknown {
                    let path = full(&field.path);
                    judge.unknown_field(&path, field.nearest);
                }
                return found;
            }
            Err(misfit) => misfit,
        };
        if !told.contains(&misfit.path) {
            judge.error(&full(&misfit.path), misfit.message.clone());
        }
        if !blank_out(&mut node, &misfit.path) {
            break;
        }
        told.push(misfit.path);
    }
    T::default()
}

/// Takes out the value at `path`; if it was taken out before, what holds it: nothing there is not
/// good enough everywhere.
fn blank_out(node: &mut Node<'_>, path: &str) -> bool {
    let mut path = path;
    loop {
        match node.at_path_mut(path) {
            Some(place) if !matches!(place.value, Value::Null) => {
                place.value = Value::Null;
                return true;
            }
            _ => match path.rfind(['.', '[']) {
                Some(end) => path = &path[..end],
                None => return false,
            },
        }
    }
}
