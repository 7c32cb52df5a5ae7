use super::*;
use crate::control_plane::scheduler::algorithm::framework::Plugin;
use crate::control_plane::scheduler::algorithm::profile::{
    Candidates, ResidentPreferences, Scored, SpreadDefaults, Strategy,
};
use crate::control_plane::scheduler::algorithm::{PluginSet, Profile};

const CONFIGURATION: &str =
    "apiVersion: kubescheduler.config.k8s.io/v1\nkind: KubeSchedulerConfiguration\n";

/// What is said of a configuration with this body.
fn said(body: &str) -> Vec<String> {
    let lines = findings(&format!("{CONFIGURATION}{body}\n"));
    let head = "(document 1, KubeSchedulerConfiguration): ";
    lines.iter().map(|line| line.replace(head, "").replace("in.yaml:", "")).collect()
}

/// The profiles of a configuration with this body, of which only warnings may be said.
fn profiles(body: &str) -> Vec<Profile> {
    let loaded = load(&format!("{CONFIGURATION}{body}\n"), Overrides::default());
    assert!(!loaded.has_errors(), "{:#?}", loaded.findings);
    loaded.plan.scheduler.profiles.iter().map(|profile| (**profile).clone()).collect()
}

/// The arguments of a plugin as the only thing a configuration says.
fn arguments(plugin: &str, args: &str) -> String {
    format!("profiles: [{{pluginConfig: [{{name: {plugin}, args: {args}}}]}}]")
}

fn with_arguments(plugin: &str, args: &str) -> Profile {
    profiles(&arguments(plugin, args)).remove(0)
}

#[test]
fn a_scheduler_configuration_is_judged_whole() {
    let said = said(
        "percentageOfNodesToScore: 101
paralelism: 4
profiles:
- schedulerName: a
  plugins:
    score:
      enabled:
      - {name: ImageLocality, weight: -1}
      - {name: NodePorts}
      disabled: [{name: NodeResourceFit}, {name: NodePreferAvoidPods}]
    multiPoint:
      enabled: [{name: GangSheduling}, {name: EBSLimits}]
  pluginConfig:
  - name: NodeResourcesFit
    args:
      scoringStrategy:
        type: MostAlocated
        resources: [{name: cpu, weight: 101}, {name: memory, weight: 0}]
  - {name: NodeResourcesFit, args: {ignoredResource: [a/b]}}
  - {name: InterPodAfinity, args: {hardPodAffinityWeight: 1}}
- schedulerName: a
  percentageOfNodesToScore: -1
- plugins: {queueSort: {enabled: [{name: PrioritySort}]}}
",
    );
    let expected = [
        "3:1 percentageOfNodesToScore: Invalid value: 101: not in valid range [0-100]",
        "4:1 paralelism: unknown field \"paralelism\" (did you mean \"parallelism\"?)",
        "10:31 profiles[0].plugins.score.enabled[0].weight: Invalid value: -1: must be greater than \
         or equal to 0",
        "11:10 profiles[0].plugins.score.enabled[1].name: plugin \"NodePorts\" does not extend \
         ScorePlugin plugin",
        "12:19 profiles[0].plugins.score.disabled[0].name: plugin \"NodeResourceFit\" does not \
         exist (did you mean \"NodeResourcesFit\"?)",
        "12:44 warning: profiles[0].plugins.score.disabled[1].name: there is no plugin \
         \"NodePreferAvoidPods\" any more",
        "14:18 profiles[0].plugins.multiPoint.enabled[0].name: plugin \"GangSheduling\" does not \
         exist (did you mean \"GangScheduling\"?)",
        "profiles[0].plugins.multiPoint.enabled[1]: Invalid value: \"EBSLimits\": was invalid in \
         version \"kubescheduler.config.k8s.io/v1\" (KubeSchedulerConfiguration is version \
         \"kubescheduler.config.k8s.io/v1\")",
        "profiles[0].pluginConfig[0].args.scoringStrategy.type: Unsupported value: \
         \"MostAlocated\": supported values: \"LeastAllocated\", \"MostAllocated\", \
         \"RequestedToCapacityRatio\"",
        "profiles[0].pluginConfig[0].args.scoringStrategy.resources[0].weight: Invalid value: 101: \
         resource weight of cpu not in valid range (0, 100]",
        "profiles[0].pluginConfig[1]: Duplicate value: \"NodeResourcesFit\"",
        "unknown field \"profiles[0].pluginConfig[1].args.ignoredResource\" (did you mean \
         \"ignoredResources\"?)",
        "profiles[0].pluginConfig[2].name: plugin \"InterPodAfinity\" does not exist (did you mean \
         \"InterPodAffinity\"?)",
        "profiles[1].schedulerName: Duplicate value: profiles[0].schedulerName",
        "profiles[1].percentageOfNodesToScore: Invalid value: -1: not in valid range [0-100]",
        "profiles[2].schedulerName: Required value",
        "profiles[2].plugins.queueSort: Invalid value: must be the same for all profiles",
    ];
    for part in expected {
        assert!(said.iter().any(|line| line.contains(part)), "{part}: {said:#?}");
    }
    assert_eq!(said.len(), expected.len(), "{said:#?}");
}

#[test]
fn older_versions_are_not_there_any_more() {
    let said = findings(
        "apiVersion: kubescheduler.config.k8s.io/v1beta3\nkind: KubeSchedulerConfiguration\n",
    );
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains(
            "no kind \"KubeSchedulerConfiguration\" is registered for version \
             \"kubescheduler.config.k8s.io/v1beta3\" (did you mean KubeSchedulerConfiguration in \
             \"kubescheduler.config.k8s.io/v1\"?)"
        ),
        "{said:?}"
    );
}

#[test]
fn an_empty_configuration_and_an_empty_profile_are_the_default() {
    assert_eq!(profiles(""), [Profile::default()]);
    assert_eq!(profiles("profiles: [{}]"), [Profile::default()]);
    let named = Profile { name: "x".into(), ..Profile::default() };
    assert_eq!(profiles("profiles: [{schedulerName: x}]"), [named]);
}

#[test]
fn profiles_are_those_the_configuration_names() {
    let text = include_str!("../../../scenarios/with/packing.yaml");
    let loaded = load(text, Overrides::default());
    let [profile] = loaded.plan.scheduler.profiles.as_slice() else { panic!("one profile") };
    let mut expected = Profile::default();
    expected.fit.strategy = Strategy::MostAllocated;
    assert_eq!(**profile, expected);
}

#[test]
fn a_weight_of_zero_or_none_is_one() {
    let weights = |body: &str| {
        let profile = profiles(&format!("profiles: [{{plugins: {body}}}]")).remove(0);
        [Plugin::TaintToleration, Plugin::ImageLocality].map(|plugin| profile.weight(plugin))
    };
    let enabled = "enabled: [{name: TaintToleration, weight: 0}, {name: ImageLocality, weight: 9}]";
    assert_eq!(weights(&format!("{{multiPoint: {{{enabled}}}}}")), [1, 9]);
    assert_eq!(weights(&format!("{{score: {{{enabled}}}}}")), [1, 9]);
    assert_eq!(
        weights("{score: {disabled: [{name: '*'}], enabled: [{name: ImageLocality}]}}"),
        [0, 1]
    );
    assert_eq!(weights("{multiPoint: {disabled: [{name: ImageLocality}]}}"), [3, 0]);
}

#[test]
fn plugins_are_taken_out_and_put_in_point_by_point() {
    let profile = profiles(
        "profiles:
- plugins:
    filter: {disabled: [{name: NodePorts}, {name: NodeAffinity}]}
    postFilter: {disabled: [{name: '*'}]}
    preEnqueue: {disabled: [{name: SchedulingGates}]}",
    );
    let default = Profile::default();
    assert!(!profile[0].filters.has(Plugin::NodePorts));
    assert!(!profile[0].filters.has(Plugin::NodeAffinity));
    assert_eq!(profile[0].weights, default.weights);
    assert_eq!(profile[0].post_filter, PluginSet::EMPTY);
    assert!(!profile[0].pre_enqueue.has(Plugin::SchedulingGates));
    assert_eq!(profile[0].filters.iter().count() + 2, default.filters.iter().count());
}

#[test]
fn a_profile_needs_one_order_of_the_queue_and_somebody_who_binds_and_no_plugin_twice() {
    let said = said(
        "profiles:
- plugins:
    queueSort: {disabled: [{name: PrioritySort}]}
    bind: {disabled: [{name: DefaultBinder}]}
    filter: {enabled: [{name: NodeName}, {name: NodeName}]}",
    );
    for part in [
        "profiles[0].plugins.queueSort: only one queue sort plugin required for profile with \
         scheduler name \"default-scheduler\", but got 0",
        "at least one bind plugin is needed for profile with scheduler name \"default-scheduler\"",
        "plugin \"NodeName\" already registered as \"FilterPlugin\"",
        "plugins.filter: accepted, not modelled: NodeName runs after NodeUnschedulable, as by default",
    ] {
        assert!(said.iter().any(|line| line.contains(part)), "{part}: {said:#?}");
    }
}

#[test]
fn arguments_of_every_plugin_are_taken() {
    let profile = with_arguments(
        "InterPodAffinity",
        "{hardPodAffinityWeight: 25, ignorePreferredTermsOfExistingPods: true}",
    );
    assert_eq!(profile.hard_pod_affinity_weight, 25);
    assert_eq!(profile.preferences_of_residents, ResidentPreferences::Ignored);
    let profile = with_arguments("DefaultPreemption", "{minCandidateNodesPercentage: 0}");
    assert_eq!(profile.candidates, Candidates { percentage: 0, absolute: 100 });
    let profile = with_arguments(
        "NodeResourcesBalancedAllocation",
        "{resources: [{name: cpu, weight: 1}, {name: nvidia.com/gpu}]}",
    );
    assert_eq!(profile.balanced, [Scored::Cpu, Scored::Extended("nvidia.com/gpu".into())]);
    let profile = with_arguments("PodTopologySpread", "{defaultingType: List}");
    assert_eq!(profile.spread, SpreadDefaults::List(Vec::new()));
    let profile = with_arguments(
        "PodTopologySpread",
        "{defaultingType: List, defaultConstraints: [{maxSkew: 2, topologyKey: zone, \
         whenUnsatisfiable: ScheduleAnyway}]}",
    );
    let SpreadDefaults::List(list) = &profile.spread else { panic!("{:?}", profile.spread) };
    assert_eq!((list.len(), list[0].max_skew, &*list[0].topology_key), (1, 2, "zone"));
    let profile = with_arguments(
        "NodeAffinity",
        "{apiVersion: kubescheduler.config.k8s.io/v1, kind: NodeAffinityArgs, addedAffinity: \
         {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: \
         [{matchExpressions: [{key: zone, operator: In, values: [a]}]}]}}}",
    );
    assert_eq!(profile.added_affinity.required.map(|terms| terms.len()), Some(1));
}

#[test]
fn arguments_out_of_bounds_are_refused() {
    for (plugin, args, part) in [
        ("InterPodAffinity", "{hardPodAffinityWeight: 101}", "101: not in valid range [0, 100]"),
        ("InterPodAffinity", "{hardPodAffinityWeight: -1}", "-1: not in valid range [0, 100]"),
        ("InterPodAffinity", "{hardPodAffinityWeight: many}", "expected an integer"),
        (
            "DefaultPreemption",
            "{minCandidateNodesPercentage: 101}",
            "minCandidateNodesPercentage: Invalid value: 101: not in valid range [0, 100]",
        ),
        (
            "DefaultPreemption",
            "{minCandidateNodesPercentage: 0, minCandidateNodesAbsolute: 0}",
            "cannot be zero at the same time as minCandidateNodesPercentage",
        ),
        (
            "NodeResourcesBalancedAllocation",
            "{resources: [{name: cpu, weight: 2}]}",
            "resources[0].weight: Invalid value: 2: must be 1",
        ),
        ("NodeResourcesFit", "{ignoredResourceGroups: [a/b]}", "can't contain '/'"),
        (
            "NodeResourcesFit",
            "{scoringStrategy: {type: LeastAllocated, resources: [{name: cpu, weight: -1}]}}",
            "Invalid value: -1: resource weight of cpu not in valid range (0, 100]",
        ),
        (
            "NodeResourcesFit",
            "{scoringStrategy: {type: RequestedToCapacityRatio}}",
            "must be specified when type is RequestedToCapacityRatio",
        ),
        (
            "NodeResourcesFit",
            "{scoringStrategy: {type: RequestedToCapacityRatio, requestedToCapacityRatio: {}}}",
            "shape: Required value: at least one point must be specified",
        ),
        (
            "NodeResourcesFit",
            "{scoringStrategy: {type: RequestedToCapacityRatio, requestedToCapacityRatio: {shape: \
             [{utilization: 50, score: 1}, {utilization: 50, score: 11}]}}}",
            "shape[1].utilization: Invalid value: 50: values must be sorted in increasing order",
        ),
        (
            "NodeResourcesFit",
            "{scoringStrategy: {type: MostAllocated, requestedToCapacityRatio: {shape: []}}}",
            "Forbidden: must be nil when type is not RequestedToCapacityRatio",
        ),
        ("VolumeBinding", "{bindTimeoutSeconds: -1}", "should not be a negative value"),
        ("VolumeBinding", "{shape: [{utilization: 0, score: 0}]}", "unexpected field `shape`"),
        ("DynamicResources", "{bindingTimeout: 10ms}", "must be at least 1 second"),
        (
            "NodeAffinity",
            "{addedAffinity: {requiredDuringSchedulingIgnoredDuringExecution: \
             {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Is}]}]}}}",
            "not a valid selector operator",
        ),
        (
            "NodeAffinity",
            "{kind: NodeResourcesFitArgs}",
            "args for plugin NodeAffinity were not of type NodeAffinityArgs",
        ),
    ] {
        let said = said(&arguments(plugin, args));
        let is_told = said.iter().any(|line| line.contains(part) && !line.contains("warning"));
        assert!(is_told, "{plugin} {args}: {said:#?}");
    }
}

#[test]
fn contradictory_spread_constraints_are_refused() {
    let constraint = "{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: DoNotSchedule}";
    for (args, part) in [
        (
            format!("{{defaultConstraints: [{constraint}]}}"),
            "defaultingType: Invalid value: \"System\": when .defaultConstraints are not empty",
        ),
        (
            format!("{{defaultingType: List, defaultConstraints: [{constraint}, {constraint}]}}"),
            "defaultConstraints[1]: Duplicate value: \"{zone, DoNotSchedule}\"",
        ),
        (
            "{defaultingType: List, defaultConstraints: [{maxSkew: 0, whenUnsatisfiable: Never, \
             labelSelector: {}}]}"
                .to_owned(),
            "maxSkew: Invalid value: 0: not in valid range (0, inf)",
        ),
        (
            "{defaultingType: List, defaultConstraints: [{maxSkew: 1, whenUnsatisfiable: Never, \
             labelSelector: {}}]}"
                .to_owned(),
            "labelSelector: Forbidden: constraint must not define a selector",
        ),
        (
            "{defaultingType: Lists}".to_owned(),
            "defaultingType: Unsupported value: \"Lists\": supported values: \"System\", \"List\"",
        ),
    ] {
        let said = said(&arguments("PodTopologySpread", &args));
        assert!(said.iter().any(|line| line.contains(part)), "{args}: {said:#?}");
    }
}

#[test]
fn how_the_process_runs_is_checked_and_plays_no_part() {
    let said = said(
        "parallelism: 0
podInitialBackoffSeconds: 0
podMaxBackoffSeconds: -1
leaderElection: {leaderElect: true, resourceLock: endpoints, leaseDuration: 15s}
clientConnection: {kubeconfig: /x, qps: 50}
extenders:
- {urlPrefix: 'http://x', prioritizeVerb: rank, bindVerb: bind}
- {bindVerb: bind}",
    );
    for part in [
        "parallelism: Invalid value: 0: should be an integer value greater than zero",
        "podInitialBackoffSeconds: Invalid value: 0: must be greater than 0",
        "podMaxBackoffSeconds: Invalid value: -1: must be greater than or equal to",
        "Invalid value: \"endpoints\": resourceLock value must be \"leases\"",
        "warning: clientConnection: accepted, not modelled",
        "extenders[0].weight: Invalid value: 0: must have a positive weight applied to it",
        "extenders: Invalid value: \"found 2 extenders implementing bind\": only one",
        "warning: extenders: accepted, not modelled",
    ] {
        assert!(said.iter().any(|line| line.contains(part)), "{part}: {said:#?}");
    }
    assert_eq!(said.len(), 8, "{said:#?}");
}

#[test]
fn gates_of_the_scenario_act_or_are_told() {
    let text = |gates: &str| format!("{HEAD}spec: {{cluster: {{featureGates: {gates}}}}}\n");
    let loaded = load(&text("{SchedulerAsyncPreemption: false}"), Overrides::default());
    assert!(loaded.findings.is_empty(), "{:?}", loaded.findings);
    assert!(!loaded.plan.scheduler.gates.async_preemption && loaded.plan.scheduler.gates.batching);
    let feature_gates = FeatureGates::parse("SchedulerAsyncPreemption=true").expect("gates");
    let overrides = Overrides { feature_gates, ..Overrides::default() };
    let loaded = load(&text("{SchedulerAsyncPreemption: false}"), overrides);
    assert!(loaded.plan.scheduler.gates.async_preemption);
    let said =
        findings(&text("{SchedulerAsyncPreemtion: false, DynamicResourceAllocation: false}"));
    for part in [
        "spec.cluster.featureGates.SchedulerAsyncPreemtion: unrecognized feature gate: \
         SchedulerAsyncPreemtion (did you mean \"SchedulerAsyncPreemption\"?)",
        "cannot set feature gate DynamicResourceAllocation to false, feature is locked to true",
    ] {
        assert!(said.iter().any(|line| line.contains(part)), "{part}: {said:#?}");
    }
}

#[test]
fn plugins_behind_gates_that_are_off_are_named() {
    let config = format!(
        "{CONFIGURATION}profiles: [{{plugins: {{multiPoint: {{enabled: [{{name: GangScheduling}}]}}}}}}]\n"
    );
    let off = findings(&config);
    assert!(
        off.iter().any(|line| line.contains(
            "plugin \"GangScheduling\" is behind the feature gate GangScheduling, which is off"
        )),
        "{off:#?}"
    );
    let feature_gates =
        FeatureGates::parse("GenericWorkload=true,GangScheduling=true").expect("gates");
    let loaded = load(&config, Overrides { feature_gates, ..Overrides::default() });
    assert!(!loaded.has_errors(), "{:#?}", loaded.findings);
}

/// The weights that kube-scheduler 1.36.2 worked out for the configurations of recorded runs
/// (tests/data/scheduler-cases, where their source is named).
#[test]
fn weights_are_those_of_the_real_scheduler() {
    for case in [
        include_str!("../../../tests/data/scheduler-cases/profile-least-custom-weights.json"),
        include_str!("../../../tests/data/scheduler-cases/profile-rtcr-piecewise.json"),
        // Of the case profile-weights-disabled, without its pods.
        r#"{"name": "weights-disabled", "profile": {
            "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
            "profiles": [{"schedulerName": "default-scheduler", "plugins": {"score": {
                "disabled": [{"name": "NodeResourcesBalancedAllocation"},
                    {"name": "PodTopologySpread"}, {"name": "ImageLocality"}],
                "enabled": [{"name": "PodTopologySpread", "weight": 7}]}}}]},
            "plugin_weights": {"default-scheduler": {"DynamicResources": 2, "InterPodAffinity": 2,
                "NodeAffinity": 2, "NodeResourcesFit": 1, "PodTopologySpread": 7,
                "TaintToleration": 3, "VolumeBinding": 1}}}"#,
    ] {
        let case: serde_json::Value = serde_json::from_str(case).expect("JSON");
        let loaded = load(&case["profile"].to_string(), Overrides::default());
        assert!(!loaded.has_errors(), "{}: {:#?}", case["name"], loaded.findings);
        for profile in &loaded.plan.scheduler.profiles {
            let weights = Plugin::ALL.into_iter().filter(|it| profile.weight(*it) > 0);
            let found: serde_json::Map<String, serde_json::Value> =
                weights.map(|it| (it.name().to_owned(), profile.weight(it).into())).collect();
            let recorded = case["plugin_weights"][&*profile.name].as_object().expect("weights");
            assert_eq!(found.len(), recorded.len(), "{}: {found:?}", case["name"]);
            for (name, weight) in recorded {
                assert_eq!(found.get(name), Some(weight), "{}: {name}", case["name"]);
            }
        }
    }
}
