//! Images that cannot be fetched.
use super::rig::*;
use crate::api::pod::*;

/// What is said of waiting, and when.
fn waits(rig: &mut Rig) -> Vec<String> {
    let log = rig.take();
    log.into_iter().filter(|line| line.contains("write") || line.contains("pull")).collect()
}

#[test]
fn a_pull_that_fails_is_tried_again_after_waits_that_double() {
    let mut rig = Rig::new();
    rig.engines.withhold(&"app:*".into(), 0);
    rig.assign(1, spec(vec![], vec![container("app")]), vec![]);
    rig.run_to(40);
    assert_eq!(
        waits(&mut rig),
        [
            "0.000 write Pending [ContainerCreating]",
            "0.095 fact pulling",
            "0.135 fact pull-failed seconds=10",
            "0.135 write Pending [ErrImagePull]",
            "0.763 write Pending [ImagePullBackOff]",
            "10.135 fact pulling",
            "10.175 fact pull-failed seconds=20",
            "10.175 write Pending [ErrImagePull]",
            "20.175 write Pending [ImagePullBackOff]",
            "30.175 fact pulling",
            "30.215 fact pull-failed seconds=40",
            "30.215 write Pending [ErrImagePull]",
        ]
    );
    rig.engines.give_out(&"app:*".into());
    rig.run_to(90);
    let log = rig.take();
    assert_eq!(log.last().map(|line| &line[6..]), Some(" write Running ready [running ready]"));
}

#[test]
fn a_container_without_its_image_does_not_hold_back_the_others() {
    let mut rig = Rig::new();
    rig.engines.withhold(&"bad:*".into(), 0);
    rig.assign(1, spec(vec![], vec![container("bad"), container("good")]), vec![]);
    rig.run_to(9);
    let log = rig.take();
    assert!(
        log.iter().any(|line| line.ends_with("Pending [ImagePullBackOff, running ready]")),
        "{log:#?}"
    );
}

#[test]
fn an_image_that_must_be_there_and_a_name_that_is_none_are_looked_at_again() {
    let mut rig = Rig::new();
    let never = Container { pull: PullPolicy::Never, ..container("never") };
    let named = Container { image: "Bad Name".into(), ..container("named") };
    rig.assign(1, spec(vec![], vec![never, named]), vec![]);
    rig.run_to(30);
    let log = rig.take();
    assert_eq!(
        log.last().map(String::as_str),
        Some("0.095 write Pending [ErrImageNeverPull, InvalidImageName]")
    );
}
