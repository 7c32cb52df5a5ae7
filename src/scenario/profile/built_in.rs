//! The profiles that come with the program, each with where it was measured in it.

/// Their names and documents. Their samples lie beside the documents.
const PROFILES: [(&str, &str); 1] = [(
    "debian12-containerd",
    include_str!("../../calibration/profiles/debian12-containerd/profile.yaml"),
)];

/// Names of all of them, `default` first: it is no measurement but sizes that were.
pub fn names() -> Vec<&'static str> {
    ["default"].into_iter().chain(PROFILES.iter().map(|(name, _)| *name)).collect()
}

/// The document of the profile of this name.
pub fn text(name: &str) -> Option<&'static str> {
    PROFILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
