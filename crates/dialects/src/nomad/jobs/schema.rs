//! What jobs consist of: the fields of each structure with their types, in the order in which records have them
//! (`hashicorp/nomad:nomad/structs/structs.go`, by reflection over 1.11.3).
//!
//! One table for both directions: JSON becomes a record by it (`read`, `write`), and a record JSON (`show`). What
//! stands `beside` is only read: the HTTP API has it, records don't (`hashicorp/nomad:api/jobs.go`).

/// A structure.
pub(super) struct Shape {
    /// What records hold.
    pub(super) fields: &'static [Field],
    /// What else may be asked for.
    pub(super) beside: &'static [Field],
    /// Whether fields that are zero are left out.
    pub(super) is_sparse: bool,
}

/// A field of a structure.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// What a field holds.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Bool,
    Text,
    /// A signed integer of so many bits. Durations are nanoseconds.
    Int(u32),
    /// An unsigned one.
    UInt(u32),
    /// Bytes: base64 in JSON.
    Bytes,
    /// Anything that JSON can say.
    Any,
    Struct(&'static Shape),
    /// A value, or nil.
    Maybe(&'static Kind),
    List(&'static Kind),
    /// A map by names.
    Map(&'static Kind),
}

use Kind::{Any, Bool, Bytes, Int, List, Map, Maybe, Struct, Text, UInt};

const INT: Kind = Int(64);
const UINT: Kind = UInt(64);
const TEXTS: Kind = List(&Text);
const META: Kind = Map(&Text);
const ANYTHING: Kind = Map(&Any);

macro_rules! shapes {
    ($($shape:ident = $how:ident { $($name:ident: $kind:expr,)* }
        $(+ { $($other:ident: $other_kind:expr,)* })?)*) => {
        $(pub(super) static $shape: Shape = Shape {
            fields: &[$(Field { name: stringify!($name), kind: $kind }),*],
            beside: &[$($(Field { name: stringify!($other), kind: $other_kind }),*)?],
            is_sparse: shapes!($how),
        };)*
    };
    (whole) => { false };
    (sparse) => { true };
}

shapes! {
    JOB = whole {
        Stop: Bool, Region: Text, Namespace: Text, ID: Text, ParentID: Text, Name: Text,
        Type: Text, Priority: INT, AllAtOnce: Bool, Datacenters: TEXTS, NodePool: Text,
        Constraints: List(&Maybe(&Struct(&CONSTRAINT))),
        Affinities: List(&Maybe(&Struct(&AFFINITY))), Spreads: List(&Maybe(&Struct(&SPREAD))),
        TaskGroups: List(&Maybe(&Struct(&TASK_GROUP))), Update: Struct(&UPDATE_STRATEGY),
        Multiregion: Maybe(&Struct(&MULTIREGION)), Periodic: Maybe(&Struct(&PERIODIC_CONFIG)),
        ParameterizedJob: Maybe(&Struct(&PARAMETERIZED_JOB_CONFIG)), Dispatched: Bool,
        DispatchIdempotencyToken: Text, Payload: Bytes, Meta: META, ConsulNamespace: Text,
        VaultNamespace: Text, NomadTokenID: Text, Status: Text, StatusDescription: Text,
        Stable: Bool, Version: UINT, SubmitTime: INT, CreateIndex: UINT, ModifyIndex: UINT,
        JobModifyIndex: UINT, UI: Maybe(&Struct(&JOB_UI_CONFIG)),
        VersionTag: Maybe(&Struct(&JOB_VERSION_TAG)),
    } + { Migrate: Maybe(&Struct(&MIGRATE_STRATEGY)), Reschedule: Maybe(&Struct(&RESCHEDULE_POLICY)), }
    CONSTRAINT = whole {
        LTarget: Text, RTarget: Text, Operand: Text,
    }
    AFFINITY = whole {
        LTarget: Text, RTarget: Text, Operand: Text, Weight: Int(8),
    }
    SPREAD = whole {
        Attribute: Text, Weight: Int(8), SpreadTarget: List(&Maybe(&Struct(&SPREAD_TARGET))),
    }
    SPREAD_TARGET = whole {
        Value: Text, Percent: UInt(8),
    }
    TASK_GROUP = whole {
        Name: Text, Count: INT, Update: Maybe(&Struct(&UPDATE_STRATEGY)),
        Migrate: Maybe(&Struct(&MIGRATE_STRATEGY)),
        Constraints: List(&Maybe(&Struct(&CONSTRAINT))),
        Scaling: Maybe(&Struct(&SCALING_POLICY)),
        RestartPolicy: Maybe(&Struct(&RESTART_POLICY)),
        Disconnect: Maybe(&Struct(&DISCONNECT_STRATEGY)), Tasks: List(&Maybe(&Struct(&TASK))),
        EphemeralDisk: Maybe(&Struct(&EPHEMERAL_DISK)), Meta: META,
        ReschedulePolicy: Maybe(&Struct(&RESCHEDULE_POLICY)),
        Affinities: List(&Maybe(&Struct(&AFFINITY))), Spreads: List(&Maybe(&Struct(&SPREAD))),
        Networks: List(&Maybe(&Struct(&NETWORK_RESOURCE))), Consul: Maybe(&Struct(&CONSUL)),
        Services: List(&Maybe(&Struct(&SERVICE))),
        Volumes: Map(&Maybe(&Struct(&VOLUME_REQUEST))), ShutdownDelay: Maybe(&INT),
        StopAfterClientDisconnect: Maybe(&INT), MaxClientDisconnect: Maybe(&INT),
        PreventRescheduleOnLost: Bool,
    }
    UPDATE_STRATEGY = whole {
        Stagger: INT, MaxParallel: INT, HealthCheck: Text, MinHealthyTime: INT,
        HealthyDeadline: INT, ProgressDeadline: INT, AutoRevert: Bool, AutoPromote: Bool,
        Canary: INT,
    }
    MIGRATE_STRATEGY = whole {
        MaxParallel: INT, HealthCheck: Text, MinHealthyTime: INT, HealthyDeadline: INT,
    }
    SCALING_POLICY = whole {
        ID: Text, Type: Text, Target: META, Policy: ANYTHING, Min: INT, Max: INT, Enabled: Bool,
        CreateIndex: UINT, ModifyIndex: UINT,
    }
    RESTART_POLICY = whole {
        Attempts: INT, Interval: INT, Delay: INT, Mode: Text, RenderTemplates: Bool,
    }
    DISCONNECT_STRATEGY = whole {
        LostAfter: INT, StopOnClientAfter: Maybe(&INT), Replace: Maybe(&Bool), Reconcile: Text,
    }
    CONSUL = whole {
        Namespace: Text, Cluster: Text, Partition: Text,
    }
    EPHEMERAL_DISK = whole {
        Sticky: Bool, SizeMB: INT, Migrate: Bool,
    }
    RESCHEDULE_POLICY = whole {
        Attempts: INT, Interval: INT, Delay: INT, DelayFunction: Text, MaxDelay: INT,
        Unlimited: Bool,
    }
    VOLUME_REQUEST = whole {
        Name: Text, Type: Text, Source: Text, ReadOnly: Bool, Sticky: Bool, AccessMode: Text,
        AttachmentMode: Text, MountOptions: Maybe(&Struct(&CSI_MOUNT_OPTIONS)), PerAlloc: Bool,
    }
    CSI_MOUNT_OPTIONS = whole {
        FSType: Text, MountFlags: TEXTS,
    }
    MULTIREGION = whole {
        Strategy: Maybe(&Struct(&MULTIREGION_STRATEGY)),
        Regions: List(&Maybe(&Struct(&MULTIREGION_REGION))),
    }
    MULTIREGION_STRATEGY = whole {
        MaxParallel: INT, OnFailure: Text,
    }
    MULTIREGION_REGION = whole {
        Name: Text, Count: INT, Datacenters: TEXTS, NodePool: Text, Meta: META,
    }
    PERIODIC_CONFIG = whole {
        Enabled: Bool, Spec: Text, Specs: TEXTS, SpecType: Text, ProhibitOverlap: Bool,
        TimeZone: Text,
    }
    PARAMETERIZED_JOB_CONFIG = whole {
        Payload: Text, MetaRequired: TEXTS, MetaOptional: TEXTS,
    }
    JOB_UI_CONFIG = whole {
        Description: Text, Links: List(&Maybe(&Struct(&JOB_UI_LINK))),
    }
    JOB_UI_LINK = whole {
        Label: Text, Url: Text,
    }
    JOB_VERSION_TAG = whole {
        Name: Text, Description: Text, TaggedTime: INT,
    }

    TASK = whole {
        Name: Text, Driver: Text, User: Text, Config: ANYTHING, Env: META,
        Services: List(&Maybe(&Struct(&SERVICE))), Vault: Maybe(&Struct(&VAULT)),
        Secrets: List(&Maybe(&Struct(&SECRET))), Consul: Maybe(&Struct(&CONSUL)),
        Templates: List(&Maybe(&Struct(&TEMPLATE))),
        Constraints: List(&Maybe(&Struct(&CONSTRAINT))),
        Affinities: List(&Maybe(&Struct(&AFFINITY))), Resources: Maybe(&Struct(&RESOURCES)),
        RestartPolicy: Maybe(&Struct(&RESTART_POLICY)),
        DispatchPayload: Maybe(&Struct(&DISPATCH_PAYLOAD_CONFIG)),
        Lifecycle: Maybe(&Struct(&TASK_LIFECYCLE_CONFIG)), Meta: META, KillTimeout: INT,
        LogConfig: Maybe(&Struct(&LOG_CONFIG)),
        Artifacts: List(&Maybe(&Struct(&TASK_ARTIFACT))), Leader: Bool, ShutdownDelay: INT,
        VolumeMounts: List(&Maybe(&Struct(&VOLUME_MOUNT))),
        ScalingPolicies: List(&Maybe(&Struct(&SCALING_POLICY))), KillSignal: Text, Kind: Text,
        CSIPluginConfig: Maybe(&Struct(&TASK_CSI_PLUGIN_CONFIG)),
        Identity: Maybe(&Struct(&WORKLOAD_IDENTITY)),
        Identities: List(&Maybe(&Struct(&WORKLOAD_IDENTITY))),
        Actions: List(&Maybe(&Struct(&ACTION))), Schedule: Maybe(&Struct(&TASK_SCHEDULE)),
    }
    RESOURCES = whole {
        CPU: INT, Cores: INT, MemoryMB: INT, MemoryMaxMB: INT, DiskMB: INT, IOPS: INT,
        Networks: List(&Maybe(&Struct(&NETWORK_RESOURCE))),
        Devices: List(&Maybe(&Struct(&REQUESTED_DEVICE))), NUMA: Maybe(&Struct(&NUMA)),
        SecretsMB: INT,
    }
    NETWORK_RESOURCE = sparse {
        Mode: Text, Device: Text, CIDR: Text, IP: Text, Hostname: Text, MBits: INT,
        DNS: Maybe(&Struct(&DNS_CONFIG)), ReservedPorts: List(&Struct(&PORT)),
        DynamicPorts: List(&Struct(&PORT)), CNI: Maybe(&Struct(&CNI_CONFIG)),
    }
    DNS_CONFIG = whole {
        Servers: TEXTS, Searches: TEXTS, Options: TEXTS,
    }
    PORT = sparse {
        Label: Text, Value: INT, To: INT, HostNetwork: Text, IgnoreCollision: Bool,
    }
    CNI_CONFIG = whole {
        Args: META,
    }
    REQUESTED_DEVICE = whole {
        Name: Text, Count: UINT, Constraints: List(&Maybe(&Struct(&CONSTRAINT))),
        Affinities: List(&Maybe(&Struct(&AFFINITY))),
    }
    NUMA = whole {
        Affinity: Text, Devices: TEXTS,
    }
    LOG_CONFIG = whole {
        MaxFiles: INT, MaxFileSizeMB: INT, Disabled: Bool,
    }
    VOLUME_MOUNT = whole {
        Volume: Text, Destination: Text, ReadOnly: Bool, PropagationMode: Text,
        SELinuxLabel: Text,
    }
    WORKLOAD_IDENTITY = whole {
        Name: Text, Audience: TEXTS, ChangeMode: Text, ChangeSignal: Text, Env: Bool,
        File: Bool, Filepath: Text, ServiceName: Text, TTL: INT,
    }
    VAULT = whole {
        Role: Text, Namespace: Text, Cluster: Text, Env: Bool, DisableFile: Bool,
        ChangeMode: Text, ChangeSignal: Text, AllowTokenExpiration: Bool,
    }
    SECRET = whole {
        Name: Text, Provider: Text, Path: Text, Config: ANYTHING, Env: META,
    }
    TEMPLATE = whole {
        SourcePath: Text, DestPath: Text, EmbeddedTmpl: Text, ChangeMode: Text,
        ChangeSignal: Text, ChangeScript: Maybe(&Struct(&CHANGE_SCRIPT)), Once: Bool,
        Splay: INT, Perms: Text, Uid: Maybe(&INT), Gid: Maybe(&INT), LeftDelim: Text,
        RightDelim: Text, Envvars: Bool, VaultGrace: INT, Wait: Maybe(&Struct(&WAIT_CONFIG)),
        ErrMissingKey: Bool,
    }
    CHANGE_SCRIPT = whole {
        Command: Text, Args: TEXTS, Timeout: INT, FailOnError: Bool,
    }
    WAIT_CONFIG = whole {
        Min: Maybe(&INT), Max: Maybe(&INT),
    }
    DISPATCH_PAYLOAD_CONFIG = whole {
        File: Text,
    }
    TASK_LIFECYCLE_CONFIG = whole {
        Hook: Text, Sidecar: Bool,
    }
    TASK_ARTIFACT = whole {
        GetterSource: Text, GetterOptions: META, GetterHeaders: META, GetterMode: Text,
        GetterInsecure: Bool, RelativeDest: Text, Chown: Bool,
    }
    TASK_CSI_PLUGIN_CONFIG = whole {
        ID: Text, Type: Text, MountDir: Text, StagePublishBaseDir: Text, HealthTimeout: INT,
    }
    ACTION = whole {
        Name: Text, Command: Text, Args: TEXTS,
    }
    TASK_SCHEDULE = whole {
        Cron: Maybe(&Struct(&TASK_SCHEDULE_CRON)),
    }
    TASK_SCHEDULE_CRON = whole {
        Start: Text, End: Text, Timezone: Text,
    }

    SERVICE = whole {
        Name: Text, TaskName: Text, PortLabel: Text, AddressMode: Text, Address: Text,
        EnableTagOverride: Bool, Tags: TEXTS, CanaryTags: TEXTS,
        Checks: List(&Maybe(&Struct(&SERVICE_CHECK))), Connect: Maybe(&Struct(&CONSUL_CONNECT)),
        Meta: META, CanaryMeta: META, Weights: Maybe(&Struct(&SERVICE_WEIGHTS)),
        TaggedAddresses: META, Namespace: Text, OnUpdate: Text, Provider: Text, Cluster: Text,
        Identity: Maybe(&Struct(&WORKLOAD_IDENTITY)), Kind: Text,
    } + { CheckRestart: Maybe(&Struct(&CHECK_RESTART)), }
    SERVICE_CHECK = whole {
        Name: Text, Type: Text, Command: Text, Args: TEXTS, Path: Text, Protocol: Text,
        PortLabel: Text, Expose: Bool, AddressMode: Text, Interval: INT, Timeout: INT,
        InitialStatus: Text, Notes: Text, TLSServerName: Text, TLSSkipVerify: Bool,
        Method: Text, Header: Map(&TEXTS), CheckRestart: Maybe(&Struct(&CHECK_RESTART)),
        GRPCService: Text, GRPCUseTLS: Bool, TaskName: Text, SuccessBeforePassing: INT,
        FailuresBeforeCritical: INT, FailuresBeforeWarning: INT, Body: Text, OnUpdate: Text,
    }
    CHECK_RESTART = whole {
        Limit: INT, Grace: INT, IgnoreWarnings: Bool,
    }
    CONSUL_CONNECT = whole {
        Native: Bool, SidecarService: Maybe(&Struct(&CONSUL_SIDECAR_SERVICE)),
        SidecarTask: Maybe(&Struct(&SIDECAR_TASK)), Gateway: Maybe(&Struct(&CONSUL_GATEWAY)),
    }
    CONSUL_SIDECAR_SERVICE = whole {
        Tags: TEXTS, Port: Text, Proxy: Maybe(&Struct(&CONSUL_PROXY)),
        DisableDefaultTCPCheck: Bool, Meta: META,
    }
    CONSUL_PROXY = whole {
        LocalServiceAddress: Text, LocalServicePort: INT,
        Upstreams: List(&Struct(&CONSUL_UPSTREAM)),
        Expose: Maybe(&Struct(&CONSUL_EXPOSE_CONFIG)),
        TransparentProxy: Maybe(&Struct(&CONSUL_TRANSPARENT_PROXY)), Config: ANYTHING,
    } + { ExposeConfig: Maybe(&Struct(&CONSUL_EXPOSE_CONFIG)), }
    CONSUL_UPSTREAM = whole {
        DestinationName: Text, DestinationNamespace: Text, DestinationPartition: Text,
        DestinationPeer: Text, DestinationType: Text, LocalBindPort: INT, Datacenter: Text,
        LocalBindAddress: Text, LocalBindSocketPath: Text, LocalBindSocketMode: Text,
        MeshGateway: Struct(&CONSUL_MESH_GATEWAY), Config: ANYTHING,
    }
    CONSUL_MESH_GATEWAY = whole {
        Mode: Text,
    }
    CONSUL_EXPOSE_CONFIG = whole {
        Paths: List(&Struct(&CONSUL_EXPOSE_PATH)),
    } + { Path: List(&Struct(&CONSUL_EXPOSE_PATH)), }
    CONSUL_EXPOSE_PATH = whole {
        Path: Text, Protocol: Text, LocalPathPort: INT, ListenerPort: Text,
    }
    CONSUL_TRANSPARENT_PROXY = whole {
        UID: Text, OutboundPort: UInt(16), ExcludeInboundPorts: TEXTS,
        ExcludeOutboundPorts: List(&UInt(16)), ExcludeOutboundCIDRs: TEXTS, ExcludeUIDs: TEXTS,
        NoDNS: Bool,
    }
    SIDECAR_TASK = whole {
        Name: Text, Driver: Text, User: Text, Config: ANYTHING, Env: META,
        Resources: Maybe(&Struct(&RESOURCES)), Meta: META, KillTimeout: Maybe(&INT),
        LogConfig: Maybe(&Struct(&LOG_CONFIG)), ShutdownDelay: Maybe(&INT), KillSignal: Text,
        VolumeMounts: List(&Maybe(&Struct(&VOLUME_MOUNT))),
        Identities: List(&Maybe(&Struct(&WORKLOAD_IDENTITY))),
    }
    CONSUL_GATEWAY = whole {
        Proxy: Maybe(&Struct(&CONSUL_GATEWAY_PROXY)),
        Ingress: Maybe(&Struct(&CONSUL_INGRESS_CONFIG_ENTRY)),
        Terminating: Maybe(&Struct(&CONSUL_TERMINATING_CONFIG_ENTRY)),
        Mesh: Maybe(&Struct(&CONSUL_MESH_CONFIG_ENTRY)),
    }
    CONSUL_GATEWAY_PROXY = whole {
        ConnectTimeout: Maybe(&INT), EnvoyGatewayBindTaggedAddresses: Bool,
        EnvoyGatewayBindAddresses: Map(&Maybe(&Struct(&CONSUL_GATEWAY_BIND_ADDRESS))),
        EnvoyGatewayNoDefaultBind: Bool, EnvoyDNSDiscoveryType: Text, Config: ANYTHING,
    }
    CONSUL_GATEWAY_BIND_ADDRESS = whole {
        Address: Text, Port: INT,
    }
    CONSUL_INGRESS_CONFIG_ENTRY = whole {
        TLS: Maybe(&Struct(&CONSUL_GATEWAY_TLS_CONFIG)),
        Listeners: List(&Maybe(&Struct(&CONSUL_INGRESS_LISTENER))),
    }
    CONSUL_GATEWAY_TLS_CONFIG = whole {
        Enabled: Bool, TLSMinVersion: Text, TLSMaxVersion: Text, CipherSuites: TEXTS,
        SDS: Maybe(&Struct(&CONSUL_GATEWAY_TLSSDS_CONFIG)),
    }
    CONSUL_GATEWAY_TLSSDS_CONFIG = whole {
        ClusterName: Text, CertResource: Text,
    }
    CONSUL_INGRESS_LISTENER = whole {
        Port: INT, Protocol: Text, Services: List(&Maybe(&Struct(&CONSUL_INGRESS_SERVICE))),
    }
    CONSUL_INGRESS_SERVICE = whole {
        Name: Text, Hosts: TEXTS, TLS: Maybe(&Struct(&CONSUL_GATEWAY_TLS_CONFIG)),
        RequestHeaders: Maybe(&Struct(&CONSUL_HTTP_HEADER_MODIFIERS)),
        ResponseHeaders: Maybe(&Struct(&CONSUL_HTTP_HEADER_MODIFIERS)),
        MaxConnections: Maybe(&UInt(32)), MaxPendingRequests: Maybe(&UInt(32)),
        MaxConcurrentRequests: Maybe(&UInt(32)),
    }
    CONSUL_HTTP_HEADER_MODIFIERS = whole {
        Add: META, Set: META, Remove: TEXTS,
    }
    CONSUL_TERMINATING_CONFIG_ENTRY = whole {
        Services: List(&Maybe(&Struct(&CONSUL_LINKED_SERVICE))),
    }
    CONSUL_LINKED_SERVICE = whole {
        Name: Text, CAFile: Text, CertFile: Text, KeyFile: Text, SNI: Text,
    }
    CONSUL_MESH_CONFIG_ENTRY = whole {

    }
    SERVICE_WEIGHTS = whole {
        Passing: INT, Warning: INT,
    }

    SCALING_EVENT = whole {
        Time: INT, Count: Maybe(&INT), PreviousCount: INT, Message: Text, Error: Bool, Meta: ANYTHING,
        EvalID: Maybe(&Text), CreateIndex: UINT,
    }

    REVERT_REQUEST = whole { JobID: Text, JobVersion: UINT, EnforcePriorVersion: Maybe(&UINT), }
    STABILITY_REQUEST = whole { JobID: Text, JobVersion: UINT, Stable: Bool, }
    TAG_REQUEST = whole { Version: UINT, Description: Text, }
    SCALE_REQUEST = whole {
        Count: Maybe(&INT), Target: META, Message: Text, Error: Bool, Meta: ANYTHING, JobModifyIndex: UINT,
    }
    DISPATCH_REQUEST = whole {
        JobID: Text, Payload: Bytes, Meta: META, IdPrefixTemplate: Text, Priority: INT, IdempotencyToken: Text,
    }
}
