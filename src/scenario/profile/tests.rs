use super::*;
use crate::api::documents::Limits;
use crate::scenario::read_profile;

const NAME: &str = "debian12-containerd";

fn read(text: &str) -> Result<EngineProfile, Vec<String>> {
    let found = read_profile("p.yaml", text.as_bytes(), &Limits::default(), &mut |_| {});
    found.map_err(|wrong| wrong.iter().map(ToString::to_string).collect())
}

fn built_in() -> &'static str {
    built_in::text(NAME).expect("it comes with the program")
}

/// What is said of the built-in profile with one text in place of another.
fn said(old: &str, new: &str) -> String {
    let text = built_in();
    assert!(text.contains(old), "{old}");
    let wrong = read(&text.replacen(old, new, 1)).expect_err("it is wrong");
    wrong.join("\n")
}

/// The first line that begins so, as it is written.
fn line_of(start: &str) -> (usize, &'static str) {
    let line =
        built_in().lines().enumerate().find(|(_, line)| line.trim_start().starts_with(start));
    let (number, line) = line.expect("a line of it");
    (number + 1, line)
}

#[test]
fn every_built_in_profile_is_right_and_is_written_as_it_is_read() {
    for name in built_in::names().into_iter().filter(|name| *name != "default") {
        let profile = read(built_in::text(name).expect("its text")).expect("it is right");
        assert_eq!(profile.name, name);
        assert_eq!(read(&profile.yaml()).expect("it is written right"), profile);
        assert_ne!(profile.settings(), EngineSettings::default());
    }
}

#[test]
fn a_wrong_value_is_told_with_its_line() {
    let (number, line) = line_of("createContainer:");
    let told = said(line, "    createContainer: {floor: 5ms, p50: -5ms, p99: 50ms}");
    assert!(told.starts_with(&format!("p.yaml:{number}:")), "{told}");
    assert!(told.contains("p50: invalid") && told.contains("must not be negative"), "{told}");
    let told = said(line, "    createContainer: {floor: 5ms, p51: 9ms, p99: 50ms}");
    assert!(told.contains(&format!("p.yaml:{number}:")), "{told}");
    assert!(told.contains("did you mean \"p50\"?"), "{told}");
    let told = said("createContainer:", "createContainr:");
    assert!(told.contains(&format!("p.yaml:{number}:")), "{told}");
    assert!(told.contains("did you mean \"createContainer\"?"), "{told}");
    let told = said(line, "");
    assert!(told.contains("spec.phases.createContainer: Required value"), "{told}");
}

#[test]
fn what_is_no_profile_of_this_version_is_refused() {
    let told = said("wavetank.dev/v1alpha1", "wavetank.dev/v9");
    assert!(
        told.contains("no matches for kind \"Profile\" in version \"wavetank.dev/v9\""),
        "{told}"
    );
    assert_eq!(read("").expect_err("nothing"), ["p.yaml: the file is empty"]);
    assert!(read("\u{1}: [").is_err() && read("{").is_err());
    let two = format!("{}\n---\n{}", built_in(), built_in());
    assert!(read(&two).expect_err("two")[0].contains("a second document"));
}

#[test]
fn numbers_have_their_limits() {
    for (old, new, field) in [
        ("spread: ", "spread: 0.5 # ", "spec.pull.spread"),
        ("bytesPerSecond: ", "bytesPerSecond: 0 # ", "spec.pull.bytesPerSecond"),
    ] {
        // The rest of the line goes into a comment, so the object is closed first.
        let new = new.replace(" #", "} #");
        let told = said(old, &new);
        assert!(told.contains(field) && told.contains("Invalid value"), "{told}");
    }
    let (_, line) = line_of("startContainer:");
    let told = said(line, "    startContainer: {floor: 9ms, p50: 5ms, p99: 7ms}");
    assert!(told.contains("startContainer.floor: is longer than p50"), "{told}");
    let told = said(line, "    startContainer: {quantiles: [9ms, 5ms]}");
    assert!(told.contains("quantiles[1]: is shorter than the one before"), "{told}");
}

#[test]
fn an_engine_costs_what_the_profile_says() {
    let profile = read(built_in()).expect("it is right");
    let settings = profile.settings();
    let Cost::Drawn { time, .. } = &settings.start else { panic!("{:?}", settings.start) };
    assert_eq!(*time, profile.phases[&Phase::StartContainer].time);
    assert!(settings.signal.is_some());
    assert!(Phase::ALL.into_iter().all(|phase| Phase::called(phase.name()) == Some(phase)));
}
