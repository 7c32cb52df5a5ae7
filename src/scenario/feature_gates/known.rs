//! The feature gates that kube-scheduler 1.36 knows, by stage.
//!
//! Alpha and beta gates with their defaults are those its `--help` lists. The others are those of
//! `pkg/features` and the API server's library that 1.35 listed as stable or deprecated, or as beta
//! while 1.36 does not any more: those have become stable. A stable gate is locked, with the one
//! exception kept apart.

/// How far a gate is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    Alpha,
    Beta,
    Stable,
    Deprecated,
}

/// What is known of a gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Known {
    pub name: &'static str,
    pub stage: Stage,
    pub default: bool,
    pub lock: Lock,
}

/// Whether a gate can be set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lock {
    Free,
    /// Only to its default.
    Locked,
}

const ALPHA: &str = "\
    APIServingWithRoutine AllAlpha AllowUnsafeMalformedObjectDeletion CBORServingAndStorage \
    CPUManagerPolicyAlphaOptions CRIListStreaming CSIVolumeHealth ClientsAllowCBOR ClientsPreferCBOR \
    CloudControllerManagerWatchBasedRoutesReconciliation CloudControllerManagerWebhook \
    ContainerStopSignals ControllerManagerReleaseLeaderElectionLockOnExit \
    CrossNamespaceVolumeDataSource DRAListTypeAttributes DRANodeAllocatableResources \
    DRAResourcePoolStatus DRAWorkloadResourceClaims EventedPLEG GangScheduling GenericWorkload \
    HPAScaleToZero ImageVolumeWithDigest InPlacePodVerticalScalingExclusiveCPUs \
    InPlacePodVerticalScalingExclusiveMemory KubeletInUserNamespace LoggingAlphaOptions \
    ManifestBasedAdmissionControlConfig MemoryQoS MutablePVNodeAffinity NativeHistograms \
    PersistentVolumeClaimUnusedSinceTime PodAndContainerStatsFromCRI PodLevelResourceManagers \
    PodLogsQuerySplitStreams PodsAPI QOSReserved ReduceDefaultCrashLoopBackOffDecay \
    RuntimeClassInImageCriApi ShardedListAndWatch StorageCapacityScoring StorageVersionAPI \
    TaintTolerationComparisonOperators TopologyAwareWorkloadScheduling \
    TopologyManagerPolicyAlphaOptions UserNamespacesHostNetworkSupport VolumeLimitScaling \
    WindowsCPUAndMemoryAffinity WorkloadAwarePreemption WorkloadWithJob";

const BETA: &str = "\
    APIResponseCompression APIServerIdentity AllowParsingUserUIDFromCertAuth AtomicFIFO \
    AuthorizePodWebsocketUpgradeCreatePermission CPUManagerPolicyBetaOptions \
    CRDObservedGenerationTracking ClearingNominatedNodeNameAfterBinding ClientsAllowCARotation \
    ClientsAllowTLSCacheGC ComponentFlagz ComponentStatusz ConstrainedImpersonation \
    ContainerCheckpoint ContainerRestartRules ContextualLogging DRAConsumableCapacity \
    DRADeviceBindingConditions DRADeviceTaints DRAExtendedResource DRAPartitionableDevices \
    DRAResourceClaimDeviceStatus DRAResourceClaimGranularStatusAuthorization \
    DRASchedulerFilterTimeout DeclarativeValidationBeta DeploymentReplicaSetTerminatingReplicas \
    DetectCacheInconsistency EnvFiles ExtendWebSocketsToKubelet GracefulNodeShutdown \
    GracefulNodeShutdownBasedOnPodPriority HPAConfigurableTolerance HostnameOverride \
    InOrderInformersBatchProcess InPlacePodLevelResourcesVerticalScaling \
    InPlacePodVerticalScalingInitContainers KubeletCrashLoopBackOffMax \
    KubeletEnsureSecretPulledImages KubeletSeparateDiskGC \
    KubeletServiceAccountTokenForCredentialProviders ListFromCacheSnapshot LoggingBetaOptions \
    MatchLabelKeysInPodTopologySpread MatchLabelKeysInPodTopologySpreadSelectorMerge \
    MutablePodResourcesForSuspendedJobs MutableSchedulingDirectivesForSuspendedJobs \
    NodeDeclaredFeatures NominatedNodeNameForExpectation OpenAPIEnums OpportunisticBatching \
    PLEGOnDemandRelist PodDeletionCost PodLevelResources PodReadyToStartContainersCondition \
    PodTopologyLabelsAdmission PortForwardWebsockets PreventStaticPodAPIReferences \
    RelaxedServiceNameValidation ReloadKubeletClientCAFile ReloadKubeletServerCertificateFile \
    RemoteRequestHeaderUID ResourceHealthStatus ResourceHealthStatusMessage \
    RestartAllContainersOnContainerExits RotateKubeletServerCertificate SchedulerAsyncPreemption \
    SchedulerPopFromBackoffQ ServiceAccountNodeAudienceRestriction SizeBasedListCostEstimate \
    StaleControllerConsistencyDaemonSet StaleControllerConsistencyJob \
    StaleControllerConsistencyReplicaSet StaleControllerConsistencyStatefulSet \
    StatefulSetSemanticRevisionComparison StorageVersionHash StrictIPCIDRValidation \
    StructuredAuthenticationConfigurationEgressSelector \
    StructuredAuthenticationConfigurationJWKSMetrics TokenRequestServiceAccountUIDValidation \
    TopologyManagerPolicyBetaOptions TranslateStreamCloseWebsocketRequests \
    UnauthenticatedHTTP2DOSMitigation UnknownVersionInteroperabilityProxy \
    UnlockWhileProcessingFIFO WatchCacheInitializationPostStartHook WatchList WatchListClient \
    WindowsGracefulNodeShutdown";

const BETA_OFF: &str = "\
    AllBeta ClusterTrustBundle ClusterTrustBundleProjection ConcurrentWatchObjectDecode \
    CoordinatedLeaderElection DRADeviceTaintRules LocalStorageCapacityIsolationFSQuotaMonitoring \
    MaxUnavailableStatefulSet PodCertificateRequest SELinuxMount SchedulerAsyncAPICalls \
    StorageVersionMigrator";

const STABLE: &str = "\
    APIServerTracing AnonymousAuthConfigurableEndpoints AnyVolumeDataSource \
    AuthorizeNodeWithSelectors AuthorizeWithSelectors BtreeWatchCache CPUManagerPolicyOptions \
    CRDValidationRatcheting CSIServiceAccountTokenSecrets ConsistentListFromCache \
    CustomResourceFieldSelectors DRAAdminAccess DRAPrioritizedList DeclarativeValidation \
    DisableAllocatorDualWrite DisableCPUQuotaWithExclusiveCPUs DynamicResourceAllocation \
    ExecProbeTimeout ExternalServiceAccountTokenSigner HonorPVReclaimPolicy ImageMaximumGCAge \
    ImageVolume InOrderInformers InPlacePodVerticalScaling JobBackoffLimitPerIndex JobManagedBy \
    JobPodReplacementPolicy JobSuccessPolicy KubeletCgroupDriverFromCRI KubeletFineGrainedAuthz \
    KubeletPSI KubeletPodResourcesDynamicResources KubeletPodResourcesGet KubeletTracing \
    LogarithmicScaleDown MatchLabelKeysInPodAffinity MultiCIDRServiceAllocator \
    MutableCSINodeAllocatableCount MutatingAdmissionPolicy NFTablesProxyMode \
    NodeInclusionPolicyInPodTopologySpread NodeLogQuery NodeSwap OrderedNamespaceDeletion \
    PodLifecycleSleepAction PodLifecycleSleepActionAllowZero PodObservedGenerationTracking \
    PodSchedulingReadiness PreferSameTrafficDistribution ProcMountType RecoverVolumeExpansionFailure \
    RecursiveReadOnlyMounts RelaxedDNSSearchValidation RelaxedEnvironmentVariableValidation \
    ResilientWatchCacheInitialization RetryGenerateName SELinuxChangePolicy \
    SELinuxMountReadWriteOncePod SchedulerQueueingHints SeparateTaintEvictionController \
    ServiceAccountTokenJTI ServiceAccountTokenNodeBinding ServiceAccountTokenNodeBindingValidation \
    ServiceAccountTokenPodNodeInfo SidecarContainers StreamingCollectionEncodingToJSON \
    StreamingCollectionEncodingToProtobuf StructuredAuthenticationConfiguration \
    SupplementalGroupsPolicy SystemdWatchdog TopologyManagerPolicyOptions UserNamespacesSupport \
    VolumeAttributesClass WinDSR WinOverlay";

const STABLE_FREE: &str = "InformerResourceVersion";

const DEPRECATED: &str = "\
    AllowDNSOnlyNodeCSR AllowInsecureKubeletCertificateSigningRequests \
    ChangeContainerStatusOnKubeletRestart CustomCPUCFSQuotaPeriod DeclarativeValidationTakeover \
    GitRepoVolumeDriver InPlacePodVerticalScalingAllocatedStatus KMSv1 \
    KubeletRegistrationGetOnExistsOnly SeparateCacheWatchRPC WindowsHostNetwork";

const DEPRECATED_ON: &str = "\
    DisableNodeKubeProxyVersion KubeletPodResourcesListUseActivePods StorageNamespaceIndex";

/// Gates with what must be on for them to be (those of scheduling, and those off by default).
pub(super) const NEEDS: [(&str, &str); 6] = [
    ("ClusterTrustBundleProjection", "ClusterTrustBundle"),
    ("DRADeviceBindingConditions", "DRAResourceClaimDeviceStatus"),
    ("DRADeviceTaintRules", "DRADeviceTaints"),
    ("GangScheduling", "GenericWorkload"),
    ("MatchLabelKeysInPodTopologySpreadSelectorMerge", "MatchLabelKeysInPodTopologySpread"),
    ("TopologyAwareWorkloadScheduling", "GenericWorkload"),
];

/// All gates.
pub(super) fn all() -> impl Iterator<Item = Known> {
    let lists = [
        (ALPHA, Stage::Alpha, false, Lock::Free),
        (BETA, Stage::Beta, true, Lock::Free),
        (BETA_OFF, Stage::Beta, false, Lock::Free),
        (STABLE, Stage::Stable, true, Lock::Locked),
        (STABLE_FREE, Stage::Stable, true, Lock::Free),
        (DEPRECATED, Stage::Deprecated, false, Lock::Free),
        (DEPRECATED_ON, Stage::Deprecated, true, Lock::Free),
        ("AggregatedDiscoveryRemoveBetaType", Stage::Deprecated, true, Lock::Locked),
        ("AllowOverwriteTerminationGracePeriodSeconds", Stage::Deprecated, false, Lock::Locked),
    ];
    lists.into_iter().flat_map(|(names, stage, default, lock)| {
        names.split_whitespace().map(move |name| Known { name, stage, default, lock })
    })
}

/// The gate of this name.
pub(super) fn named(name: &str) -> Option<Known> {
    all().find(|gate| gate.name == name)
}
