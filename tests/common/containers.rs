//! Whether containers can be run for real here.

use wavetank::node::container_engine::linux::{Found, Settings, preflight};

/// Whether this machine can; says so if not.
pub fn can() -> bool {
    let missing: Vec<String> = preflight(&Settings::default())
        .into_iter()
        .filter_map(|check| match check.found {
            Found::Missing { what, .. } => Some(format!("{}: {what}", check.name)),
            Found::Fine(_) | Found::Weak { .. } => None,
        })
        .collect();
    #[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
    if !missing.is_empty() {
        println!("skipped: {}", missing.join("; "));
    }
    missing.is_empty()
}
