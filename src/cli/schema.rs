//! `wavetank schema`.

use serde_json::json;

use super::args::{SchemaArgs, SchemaName};
use super::{Code, Failure, say};
use crate::{record, report, scenario};

pub(super) fn schema(args: &SchemaArgs) -> Result<Code, Failure> {
    let schema = match args.name {
        Some(SchemaName::Scenario) => scenario::schema::scenario(),
        Some(SchemaName::Summary) => record::schema::summary(),
        Some(SchemaName::Timeline) => record::schema::timeline(),
        Some(SchemaName::Schedule) => report::placement::schema(),
        Some(SchemaName::Profile) => scenario::schema::profile(),
        None => json!({
            "scenario": scenario::schema::scenario(),
            "summary": record::schema::summary(),
            "timeline": record::schema::timeline(),
            "schedule": report::placement::schema(),
            "profile": scenario::schema::profile(),
        }),
    };
    say(format_args!("{schema:#}"));
    Ok(Code::Fine)
}
