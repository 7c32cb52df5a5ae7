//! The runtime for real, where root and containerd are; elsewhere each says that it was skipped, and why.
use super::*;

/// A runtime, or why there is none here.
pub(super) fn runtime() -> Option<LinuxRuntime> {
    runtime_with(&Settings::default())
}

fn runtime_with(settings: &Settings) -> Option<LinuxRuntime> {
    match LinuxRuntime::start(settings) {
        Ok(runtime) => Some(runtime),
        #[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
        Err(Trouble::CannotHere(why)) => {
            println!("skipped: {why}");
            None
        }
        Err(trouble) => panic!("{trouble}"),
    }
}

/// Runs a container of the program to its end; gives its id.
fn ran(runtime: &LinuxRuntime, sandbox: &SandboxSpec, container: &ContainerSpec) -> ContainerTold {
    let client = runtime.client();
    let pod = client.run_pod_sandbox(sandbox).unwrap().value;
    let id = client.create_container(&pod, sandbox, container).unwrap().value;
    let _ = client.start_container(&id);
    loop {
        let told = client.container_status(&id).unwrap().value;
        if told.state == ContainerState::Exited {
            return told;
        }
        files::wait(10);
    }
}

fn container(image: &str, args: &[&str]) -> ContainerSpec {
    ContainerSpec {
        name: "main".to_owned(),
        image: image.to_owned(),
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        ..ContainerSpec::default()
    }
}

#[test]
fn containers_run_and_nothing_is_left() {
    let Some(runtime) = runtime() else { return };
    let image = runtime.offer(&Recipe::program("test/program:1", &[])).unwrap();
    let client = runtime.client().clone();
    assert_eq!(client.image_status(&image).unwrap().value, None);
    client.pull_image(&image).unwrap();
    assert!(client.image_status(&image).unwrap().value.is_some_and(|told| told.bytes > 1000));

    let ended =
        ran(&runtime, &runtime.sandbox("a"), &container(&image, &["run", "exit=50", "code=3"]));
    assert_eq!((ended.exit_code, ended.reason.as_str()), (3, "Error"));
    assert!(ended.started <= ended.finished);

    let mut hoard = container(&image, &["run", "memory=0:0:268435456:1000"]);
    hoard.memory_limit = 32 << 20;
    let ended = ran(&runtime, &runtime.sandbox("b"), &hoard);
    assert_eq!((ended.exit_code, ended.reason.as_str()), (137, "OOMKilled"));

    hoard.args.push("oom=7".to_owned());
    let ended = ran(&runtime, &runtime.sandbox("c"), &hoard);
    assert_eq!((ended.exit_code, ended.reason.as_str()), (7, "OOMKilled"));

    let mut nothing = container(&image, &[]);
    nothing.command = vec!["/nothing".to_owned()];
    let ended = ran(&runtime, &runtime.sandbox("d"), &nothing);
    assert_eq!((ended.exit_code, ended.reason.as_str()), (128, "StartError"));

    let missing = client.pull_image(&runtime.reference("test/nothing:1")).unwrap_err();
    assert_eq!(missing.kind, CriKind::NotFound);

    assert!(!runtime.left().is_empty());
    runtime.end().unwrap();
    assert_eq!(runtime.left(), Vec::<String>::new());
}

/// A run in the sandbox of a program that goes on.
fn serves(runtime: &LinuxRuntime) -> String {
    let image = runtime.offer(&Recipe::program("test/serves:1", &["run"])).unwrap();
    let client = runtime.client();
    client.pull_image(&image).unwrap();
    let sandbox = runtime.sandbox("serves");
    let pod = client.run_pod_sandbox(&sandbox).unwrap().value;
    let id = client.create_container(&pod, &sandbox, &container(&image, &[])).unwrap().value;
    client.start_container(&id).unwrap();
    id
}

#[test]
fn containers_survive_their_daemon_and_are_cleared_all_the_same() {
    let Some(runtime) = runtime() else { return };
    let id = serves(&runtime);
    let executed = runtime.client().exec_sync(&id, &["/program".into(), "true".into()], 5).unwrap();
    assert_eq!(executed.value.code, 0);
    assert_eq!(runtime.trouble(), None);

    let daemon = i32::try_from(runtime.daemon_id().unwrap()).unwrap();
    processes::signal(daemon, rustix::process::Signal::KILL);
    while runtime.trouble().is_none() {
        files::wait(5);
    }
    assert_eq!(runtime.client().version().unwrap_err().kind, CriKind::Unavailable);
    let left = runtime.left();
    assert!(left.iter().any(|one| one.contains("containerd-shim")), "{left:?}");
    runtime.end().unwrap();
    assert_eq!(runtime.left(), Vec::<String>::new());
}

#[test]
fn a_full_disk_is_told_and_cleared() {
    use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

    let folder = tempfile::TempDir::new().unwrap();
    let small = c"size=270m";
    if let Err(error) = mount("none", folder.path(), "tmpfs", MountFlags::empty(), small) {
        #[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
        {
            println!("skipped: no tmpfs can be mounted: {error}");
        }
        return;
    }
    let settings = Settings { work: folder.path().join("work"), ..Settings::default() };
    if let Some(runtime) = runtime_with(&settings) {
        let mut recipe = Recipe::program("test/big:1", &[]);
        recipe.filling = Filling { bytes: 180 << 20, files: 18, layers: 1 };
        let image = runtime.offer(&recipe).unwrap();
        let error = runtime.client().pull_image(&image).unwrap_err();
        assert_eq!(error.kind, CriKind::NoSpace, "{error}");
        runtime.end().unwrap();
        assert_eq!(runtime.left(), Vec::<String>::new());
    }
    unmount(folder.path(), UnmountFlags::DETACH).unwrap();
}

#[test]
fn a_panic_leaves_nothing() {
    let Some(runtime) = runtime() else { return };
    let places = sweep::Places::new(runtime.id(), &Settings::default());
    let came = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        serves(&runtime);
        panic!("on purpose, while a container runs");
    }));
    assert!(came.is_err());
    assert_eq!(sweep::left_of(&places), Vec::<String>::new());
}

#[test]
fn an_image_of_the_users_own_runs_what_is_in_it() {
    let Some(runtime) = runtime() else { return };
    let folder = tempfile::TempDir::new().unwrap();
    let mut recipe = Recipe::program("shop/web:1", &["run", "exit=10", "code=9"]);
    recipe.filling = Filling { bytes: 1 << 20, files: 3, layers: 2 };
    let path = folder.path().join("web.tar");
    files::write(&path, archive::tests::archive_of(&folder, &recipe)).unwrap();
    let images = runtime.offer_archive(&path).unwrap();
    let names = &images[0].1;
    runtime.client().pull_image(&names[0]).unwrap();
    let ended = ran(&runtime, &runtime.sandbox("own"), &container(&names[0], &[]));
    assert_eq!(ended.exit_code, 9);
    runtime.end().unwrap();
}
