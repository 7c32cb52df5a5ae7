//! `metrics.csv`: a value a row.

use std::io::{self, Write};

use super::series::{Decimal, Series};
use crate::time::SimTime;

/// Writes series as `t_seconds,metric,object,value`. A value holds until the next row of its metric
/// and object; an empty one says that there is none from then on. The last row of each repeats what
/// held at `end`.
///
/// # Errors
/// Where `out` fails.
pub fn write_csv(out: &mut impl Write, series: &[Series], end: SimTime) -> io::Result<()> {
    writeln!(out, "t_seconds,metric,object,value")?;
    for one in series {
        let last = one.points.last().filter(|(at, _)| *at < end).map(|(_, value)| (end, *value));
        for (at, value) in one.points.iter().copied().chain(last) {
            // Names of metrics and objects hold neither commas nor quotes.
            write!(out, "{at},{},{},", one.metric.name(), one.object)?;
            match value {
                Some(value) => writeln!(out, "{}", Decimal(value, one.metric.decimals()))?,
                None => writeln!(out)?,
            }
        }
    }
    Ok(())
}
