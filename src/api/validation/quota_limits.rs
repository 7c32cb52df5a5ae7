//! LimitRanges and ResourceQuotas.

mod quota;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::core::v1::{LimitRange, LimitRangeItem},
    apimachinery::pkg::api::resource::Quantity as Written,
};

pub use quota::{validate_quota, validate_quota_update};

use super::{
    field::{Errors, Path},
    meta::{Scope, validate_object_meta, validate_object_meta_update},
    names, resource_names,
};
use crate::api::quantity::Quantity;

/// Above this many units, thousandths no longer fit 64 bits (`resource.MaxMilliValue`).
const MILLI_UNITS_MAX: i64 = i64::MAX / 1000;

type Amounts = BTreeMap<String, Written>;

/// Checks a new LimitRange whose defaults are set.
pub fn validate_limit_range(range: &LimitRange, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&range.metadata, Scope::Namespaced, rule, &metadata, errors);
    let Some(spec) = &range.spec else { return };
    let path = Path::ROOT.child("spec");
    let path = path.child("limits");
    let mut seen = BTreeSet::new();
    for (at, item) in spec.limits.iter().enumerate() {
        let path = path.index(at);
        check_type(&item.type_, &path.child("type"), errors);
        if !seen.insert(&item.type_) {
            errors.duplicate(&path.child("type"), &item.type_);
        }
        check_item(item, &path, errors);
    }
}

/// Checks that a LimitRange may become `new`.
pub fn validate_limit_range_update(new: &LimitRange, old: &LimitRange, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    validate_limit_range(new, errors);
}

fn check_type(name: &str, path: &Path<'_>, errors: &mut Errors) {
    let complaints = names::is_qualified_name(name);
    let standard = ["Pod", "Container", "PersistentVolumeClaim"].contains(&name);
    if complaints.is_empty() && !name.contains('/') && !standard {
        errors.invalid(path, name, "must be a standard limit type or fully qualified");
    }
    for complaint in complaints {
        errors.invalid(path, name, complaint);
    }
}

fn check_item(item: &LimitRangeItem, path: &Path<'_>, errors: &mut Errors) {
    let LimitRangeItem { default, default_request, max, max_limit_request_ratio, min, type_ } =
        item;
    let mut fields = vec![("max", max), ("min", min)];
    if type_ == "Pod" {
        for (field, amounts) in [("default", default), ("defaultRequest", default_request)] {
            if amounts.as_ref().is_some_and(|amounts| !amounts.is_empty()) {
                let detail = "may not be specified when `type` is 'Pod'";
                errors.forbidden(&path.child(field), detail);
            }
        }
    } else {
        fields.extend([("default", default), ("defaultRequest", default_request)]);
    }
    if type_ == "PersistentVolumeClaim" && ![min, max].iter().any(|m| has(m, "storage")) {
        let detail =
            "either minimum or maximum storage value is required, but neither was provided";
        errors.required(&path.child("limits"), detail);
    }
    fields.push(("maxLimitRequestRatio", max_limit_request_ratio));
    let mut names = BTreeSet::new();
    for (field, amounts) in &fields {
        let place = path.child(field);
        for name in amounts.iter().flat_map(|amounts| amounts.keys()) {
            names.insert(name.as_str());
            if matches!(type_.as_str(), "Pod" | "Container") {
                resource_names::check_container_name(name, &place.key(name), errors);
            } else {
                resource_names::check_name(name, &place.key(name), errors);
            }
        }
    }
    let of = |wanted: &str| fields.iter().find(|(f, _)| *f == wanted).and_then(|(_, a)| a.as_ref());
    for name in names {
        let mut read = |field: &str| {
            let written = of(field)?.get(name)?;
            resource_names::amount(written, &path.child(field).key(name), errors)
        };
        let bounds = Bounds {
            name,
            min: read("min"),
            max: read("max"),
            default: read("default"),
            request: read("defaultRequest"),
            ratio: read("maxLimitRequestRatio"),
        };
        bounds.check(path, errors);
    }
}

fn has(amounts: &Option<Amounts>, name: &str) -> bool {
    amounts.as_ref().is_some_and(|amounts| amounts.contains_key(name))
}

/// What a LimitRange item says of one resource.
struct Bounds<'a> {
    name: &'a str,
    min: Option<Quantity>,
    max: Option<Quantity>,
    default: Option<Quantity>,
    request: Option<Quantity>,
    ratio: Option<Quantity>,
}

impl Bounds<'_> {
    fn check(&self, path: &Path<'_>, errors: &mut Errors) {
        let Bounds { name, min, max, default, request, ratio } = *self;
        // The field found fault with, the value shown, and the two amounts in the wrong order.
        let orders = [
            ("min", min, (min, "min value"), (max, "max value")),
            ("defaultRequest", request, (min, "min value"), (request, "default request value")),
            ("defaultRequest", request, (request, "default request value"), (max, "max value")),
            (
                "defaultRequest",
                request,
                (request, "default request value"),
                (default, "default limit value"),
            ),
            ("default", min, (min, "min value"), (default, "default value")),
            ("default", max, (default, "default value"), (max, "max value")),
        ];
        for (field, shown, (low, low_name), (high, high_name)) in orders {
            if let (Some(shown), Some(low), Some(high)) = (shown, low, high)
                && low > high
            {
                let detail = format!("{low_name} {low} is greater than {high_name} {high}");
                errors.invalid(&path.child(field).key(name), &shown.to_string(), detail);
            }
        }
        if let Some(ratio) = ratio {
            self.check_ratio(ratio, &path.child("maxLimitRequestRatio").key(name), errors);
        }
        if let (Some(default), Some(request)) = (default, request)
            && default != request
            && !resource_names::may_be_overcommitted(name)
        {
            let detail = format!(
                "default value {default} must equal to defaultRequest value {request} in {name}"
            );
            errors.invalid(&path.child("defaultRequest").key(name), &request.to_string(), detail);
        }
    }

    fn check_ratio(&self, ratio: Quantity, path: &Path<'_>, errors: &mut Errors) {
        let shown = ratio.to_string();
        if ratio.milli_value() < 1000 {
            errors.invalid(path, &shown, format!("ratio {shown} is less than 1"));
        }
        let (Some(min), Some(max)) = (self.min, self.max) else { return };
        // Kubernetes decides this one in floating point.
        let fits = |quantity: Quantity| quantity.value() < MILLI_UNITS_MAX;
        let (ratio, min, max) = if fits(ratio) && fits(min) && fits(max) {
            (ratio.milli_value() as f64 / 1000.0, min.milli_value(), max.milli_value())
        } else {
            (ratio.value() as f64, min.value(), max.value())
        };
        let limit = max as f64 / min as f64;
        if ratio > limit {
            let detail = format!("ratio {shown} is greater than max/min = {limit:.6}");
            errors.invalid(path, &shown, detail);
        }
    }
}
