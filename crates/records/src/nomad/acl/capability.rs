//! The words of rules: levels, and the capabilities that they stand for.
//!
//! Follows `hashicorp/nomad:acl/policy.go` of 1.11.3, whose words are those of every release before it and more.

use super::grant::Grant;

/// What the `policy` of a rule says. Of two rules about what there is one of, the greater one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Change how many there are. Means something to namespaces alone, but is no error elsewhere.
    Scale,
    /// See which there are. Of plugins alone.
    List,
    /// See.
    Read,
    /// Change.
    Write,
    /// Nothing at all.
    Deny,
}

impl Level {
    /// The level called `word`; for plugins [`Level::plugin`].
    pub(super) fn named(word: &str) -> Option<Level> {
        match word {
            "list" => None,
            _ => Level::any(word),
        }
    }

    /// The level of plugins called `word`.
    pub(super) fn plugin(word: &str) -> Option<Level> {
        match word {
            "scale" => None,
            _ => Level::any(word),
        }
    }

    fn any(word: &str) -> Option<Level> {
        match word {
            "scale" => Some(Level::Scale),
            "list" => Some(Level::List),
            "read" => Some(Level::Read),
            "write" => Some(Level::Write),
            "deny" => Some(Level::Deny),
            _ => None,
        }
    }
}

/// What can be granted about things of one kind.
pub(super) trait Capability: Copy + Ord + 'static {
    /// The capability that rules call `word`.
    fn named(word: &str) -> Option<Self>;

    /// What rules call it.
    fn word(&self) -> &'static str;

    /// What a level other than [`Level::Deny`] stands for, in the genuine order.
    fn of_level(level: Level) -> &'static [Self];

    /// What this capability contains.
    fn implied(self) -> &'static [Self] {
        &[]
    }

    /// What a word of a rule's `capabilities` grants, if it is one.
    fn grant(word: &str) -> Option<Grant<Self>> {
        match word {
            "deny" => Some(Grant::Denied),
            _ => Self::named(word).map(|capability| {
                let mut grant = Grant::of(&[capability]);
                grant.merge(&Grant::of(capability.implied()));
                grant
            }),
        }
    }

    /// What the level of a rule grants.
    fn grant_of_level(level: Level) -> Grant<Self> {
        match level {
            Level::Deny => Grant::Denied,
            _ => Grant::of(Self::of_level(level)),
        }
    }
}

/// Declares the capabilities of one kind, with the words for them.
macro_rules! capabilities {
    ($(#[$doc:meta])* $visible:vis $kind:ident { $($name:ident $word:literal)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        $visible enum $kind {
            $(#[doc = concat!("`", $word, "`")] $name,)*
        }

        impl $kind {
            /// Every one of them.
            $visible const ALL: &[$kind] = &[$($kind::$name,)*];

            /// The capability that rules call `word`.
            $visible fn named(word: &str) -> Option<$kind> {
                match word {
                    $($word => Some($kind::$name),)*
                    _ => None,
                }
            }

            /// What rules call it.
            $visible fn word(self) -> &'static str {
                match self {
                    $($kind::$name => $word,)*
                }
            }
        }
    };
}

capabilities! {
    /// What can be done in a namespace.
    pub NamespaceCapability {
        ListJobs "list-jobs"
        ParseJob "parse-job"
        ReadJob "read-job"
        SubmitJob "submit-job"
        DispatchJob "dispatch-job"
        ReadLogs "read-logs"
        ReadFs "read-fs"
        AllocExec "alloc-exec"
        AllocNodeExec "alloc-node-exec"
        AllocLifecycle "alloc-lifecycle"
        SentinelOverride "sentinel-override"
        CsiRegisterPlugin "csi-register-plugin"
        CsiWriteVolume "csi-write-volume"
        CsiReadVolume "csi-read-volume"
        CsiListVolume "csi-list-volume"
        CsiMountVolume "csi-mount-volume"
        HostVolumeCreate "host-volume-create"
        HostVolumeRegister "host-volume-register"
        HostVolumeRead "host-volume-read"
        HostVolumeWrite "host-volume-write"
        HostVolumeDelete "host-volume-delete"
        ListScalingPolicies "list-scaling-policies"
        ReadScalingPolicy "read-scaling-policy"
        ReadJobScaling "read-job-scaling"
        ScaleJob "scale-job"
        SubmitRecommendation "submit-recommendation"
        RegisterJob "register-job"
        RevertJob "revert-job"
        DeregisterJob "deregister-job"
        PurgeJob "purge-job"
        EvaluateJob "evaluate-job"
        PlanJob "plan-job"
        TagJobVersion "tag-job-version"
        StableJob "stable-job"
        FailDeployment "fail-deployment"
        PauseDeployment "pause-deployment"
        PromoteDeployment "promote-deployment"
        UnblockDeployment "unblock-deployment"
        CancelDeployment "cancel-deployment"
        SetAllocHealthDeployment "set-alloc-health-deployment"
        GcAllocation "gc-allocation"
        PauseAllocation "pause-allocation"
        ForcePeriodicJob "force-periodic-job"
        DeleteServiceRegistration "delete-service-registration"
    }
}

capabilities! {
    /// What can be done to variables under a path.
    pub VariableCapability {
        List "list"
        Read "read"
        Write "write"
        Destroy "destroy"
    }
}

capabilities! {
    /// What can be done to a node pool.
    pub NodePoolCapability {
        Delete "delete"
        Read "read"
        Write "write"
    }
}

capabilities! {
    /// What can be done with a host volume.
    pub HostVolumeCapability {
        MountReadOnly "mount-readonly"
        MountReadWrite "mount-readwrite"
    }
}

capabilities! {
    /// What can be done to the cluster.
    pub OperatorCapability {
        SnapshotSave "snapshot-save"
        LicenseRead "license-read"
        KeyringRotate "keyring-rotate"
        KeyringRead "keyring-read"
        KeyringDelete "keyring-delete"
    }
}

capabilities! {
    /// What can be done to Sentinel's policies. Rules may say it; nothing here asks.
    pub(super) SentinelCapability {
        Read "sentinel-read"
        Submit "sentinel-submit"
        Delete "sentinel-delete"
    }
}

impl Capability for NamespaceCapability {
    fn named(word: &str) -> Option<Self> {
        NamespaceCapability::named(word)
    }

    fn word(&self) -> &'static str {
        NamespaceCapability::word(*self)
    }

    fn of_level(level: Level) -> &'static [Self] {
        use NamespaceCapability::*;
        match level {
            Level::Read => &[
                ListJobs,
                ParseJob,
                ReadJob,
                CsiListVolume,
                CsiReadVolume,
                ReadJobScaling,
                ListScalingPolicies,
                ReadScalingPolicy,
                HostVolumeRead,
            ],
            Level::Write => &[
                ListJobs,
                ParseJob,
                ReadJob,
                CsiListVolume,
                CsiReadVolume,
                ReadJobScaling,
                ListScalingPolicies,
                ReadScalingPolicy,
                HostVolumeRead,
                ScaleJob,
                SubmitJob,
                DispatchJob,
                ReadLogs,
                ReadFs,
                AllocExec,
                AllocLifecycle,
                CsiMountVolume,
                CsiWriteVolume,
                SubmitRecommendation,
                HostVolumeCreate,
            ],
            Level::Scale => &[
                ListScalingPolicies,
                ReadScalingPolicy,
                ReadJobScaling,
                ScaleJob,
                ReadJob,
                SubmitRecommendation,
            ],
            Level::List | Level::Deny => &[],
        }
    }

    fn implied(self) -> &'static [Self] {
        use NamespaceCapability::*;
        match self {
            HostVolumeWrite => &[HostVolumeRegister, HostVolumeCreate, HostVolumeDelete, HostVolumeRead],
            HostVolumeRegister => &[HostVolumeCreate, HostVolumeRead],
            HostVolumeCreate => &[HostVolumeRead],
            _ => &[],
        }
    }
}

impl Capability for VariableCapability {
    fn named(word: &str) -> Option<Self> {
        VariableCapability::named(word)
    }

    fn word(&self) -> &'static str {
        VariableCapability::word(*self)
    }

    fn of_level(_: Level) -> &'static [Self] {
        &[]
    }

    fn implied(self) -> &'static [Self] {
        match self {
            VariableCapability::Read => &[VariableCapability::List],
            _ => &[],
        }
    }
}

impl Capability for NodePoolCapability {
    fn named(word: &str) -> Option<Self> {
        NodePoolCapability::named(word)
    }

    fn word(&self) -> &'static str {
        NodePoolCapability::word(*self)
    }

    fn of_level(level: Level) -> &'static [Self] {
        match level {
            Level::Read => &[NodePoolCapability::Read],
            Level::Write => NodePoolCapability::ALL,
            _ => &[],
        }
    }
}

impl Capability for HostVolumeCapability {
    fn named(word: &str) -> Option<Self> {
        HostVolumeCapability::named(word)
    }

    fn word(&self) -> &'static str {
        HostVolumeCapability::word(*self)
    }

    fn of_level(level: Level) -> &'static [Self] {
        match level {
            Level::Read => &[HostVolumeCapability::MountReadOnly],
            Level::Write => HostVolumeCapability::ALL,
            _ => &[],
        }
    }
}

impl Capability for OperatorCapability {
    fn named(word: &str) -> Option<Self> {
        OperatorCapability::named(word)
    }

    fn word(&self) -> &'static str {
        OperatorCapability::word(*self)
    }

    fn of_level(level: Level) -> &'static [Self] {
        match level {
            Level::Read => &[OperatorCapability::LicenseRead, OperatorCapability::KeyringRead],
            Level::Write => OperatorCapability::ALL,
            _ => &[],
        }
    }
}

impl Capability for SentinelCapability {
    fn named(word: &str) -> Option<Self> {
        SentinelCapability::named(word)
    }

    fn word(&self) -> &'static str {
        SentinelCapability::word(*self)
    }

    fn of_level(level: Level) -> &'static [Self] {
        match level {
            Level::Read => &[SentinelCapability::Read],
            Level::Write => SentinelCapability::ALL,
            _ => &[],
        }
    }
}
