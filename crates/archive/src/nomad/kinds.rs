//! The types of records: their numbers, what genuine tools call them, and the order of an archive.
//!
//! All of it from `hashicorp/nomad:nomad/fsm.go` of 1.11.3; where older types belong, from 1.8.4.

use std::borrow::Cow;

use crate::state::order::{Order, numbers, row};

/// A node: a machine that runs allocations.
pub const NODE: u8 = 0;
/// A job, in its current version.
pub const JOB: u8 = 1;
/// The last index of a table.
pub const INDEX: u8 = 2;
/// An evaluation: work for the scheduler.
pub const EVAL: u8 = 3;
/// An allocation: a task group on a node.
pub const ALLOC: u8 = 4;
/// Which index was when, until Nomad 1.9.1. Read and dropped since.
pub const TIME_TABLE: u8 = 5;
/// When a periodic job was launched last.
pub const PERIODIC_LAUNCH: u8 = 6;
/// How many allocations of a job are in which state.
pub const JOB_SUMMARY: u8 = 7;
/// A token of Vault's, until Nomad 1.9. Read and dropped since.
pub const VAULT_ACCESSOR: u8 = 8;
/// A version of a job, the current one included.
pub const JOB_VERSION: u8 = 9;
/// A deployment of a version of a job.
pub const DEPLOYMENT: u8 = 10;
/// An ACL policy.
pub const ACL_POLICY: u8 = 11;
/// An ACL token, its secret included.
pub const ACL_TOKEN: u8 = 12;
/// The configuration of the scheduler.
pub const SCHEDULER_CONFIG: u8 = 13;
/// The cluster's id.
pub const CLUSTER_METADATA: u8 = 14;
/// A token of Consul's, until Nomad 1.9. Read and dropped since.
pub const SERVICE_IDENTITY_TOKEN_ACCESSOR: u8 = 15;
/// A scaling policy.
pub const SCALING_POLICY: u8 = 16;
/// A CSI plugin.
pub const CSI_PLUGIN: u8 = 17;
/// A CSI volume.
pub const CSI_VOLUME: u8 = 18;
/// How a job was scaled.
pub const SCALING_EVENTS: u8 = 19;
/// An event sink, in betas of Nomad 1.0 alone. A genuine server refuses to restore it.
pub const EVENT_SINK: u8 = 20;
/// An instance of a service in Nomad's own catalog.
pub const SERVICE_REGISTRATION: u8 = 21;
/// A variable, encrypted.
pub const VARIABLE: u8 = 22;
/// How much a namespace's variables take.
pub const VARIABLES_QUOTA: u8 = 23;
/// What is known of a root key that itself is no part of the snapshot, until Nomad 1.8.
pub const ROOT_KEY_META: u8 = 24;
/// An ACL role.
pub const ACL_ROLE: u8 = 25;
/// An ACL auth method.
pub const ACL_AUTH_METHOD: u8 = 26;
/// An ACL binding rule.
pub const ACL_BINDING_RULE: u8 = 27;
/// A node pool.
pub const NODE_POOL: u8 = 28;
/// The source from which a version of a job was made.
pub const JOB_SUBMISSION: u8 = 29;
/// A root key, by which variables are encrypted, itself encrypted by another.
pub const ROOT_KEY: u8 = 30;
/// A dynamic host volume.
pub const HOST_VOLUME: u8 = 31;
/// A namespace. Of every Nomad, although its number was once Enterprise's.
pub const NAMESPACE: u8 = 64;

/// Where records of a type occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// In the snapshots of every current Nomad.
    Community,
    /// In those of older ones; a current server still reads them, and drops all but [`ROOT_KEY_META`].
    Legacy,
    /// In those of older ones; a current server refuses to restore them.
    Removed,
    /// In those of Nomad Enterprise. A community edition refuses to restore them.
    Enterprise,
    /// Nowhere that we know of.
    Unknown,
}

/// The types before Enterprise's, in the order in which a genuine server writes them.
const WRITE_ORDER_FIRST: [(u8, &str); 20] = [
    (TIME_TABLE, "TimeTable"),
    (INDEX, "Index"),
    (NODE, "Node"),
    (NODE_POOL, "NodePool"),
    (JOB, "Job"),
    (EVAL, "Eval"),
    (ALLOC, "Alloc"),
    (PERIODIC_LAUNCH, "PeriodicLaunch"),
    (JOB_SUMMARY, "JobSummary"),
    (VAULT_ACCESSOR, "VaultAccessor"),
    (SERVICE_IDENTITY_TOKEN_ACCESSOR, "ServiceIdentityTokenAccessor"),
    (JOB_VERSION, "JobVersion"),
    (DEPLOYMENT, "Deployment"),
    (SCALING_POLICY, "ScalingPolicy"),
    (SCALING_EVENTS, "ScalingEvents"),
    (CSI_PLUGIN, "CSIPlugin"),
    (CSI_VOLUME, "CSIVolume"),
    (ACL_POLICY, "ACLPolicy"),
    (ACL_TOKEN, "ACLToken"),
    (NAMESPACE, "Namespace"),
];

/// The types after Enterprise's.
const WRITE_ORDER_LAST: [(u8, &str); 12] = [
    (SCHEDULER_CONFIG, "SchedulerConfig"),
    (CLUSTER_METADATA, "ClusterMetadata"),
    (SERVICE_REGISTRATION, "ServiceRegistration"),
    (VARIABLE, "Variables"),
    (VARIABLES_QUOTA, "VariablesQuota"),
    (ROOT_KEY_META, "RootKeyMeta"),
    (ROOT_KEY, "WrappedRootKeys"),
    (ACL_ROLE, "ACLRole"),
    (ACL_AUTH_METHOD, "ACLAuthMethod"),
    (ACL_BINDING_RULE, "ACLBindingRule"),
    (JOB_SUBMISSION, "JobSubmission"),
    (HOST_VOLUME, "HostVolumeSnapshot"),
];

const REMOVED: [(u8, &str); 1] = [(EVENT_SINK, "EventSink")];

/// Numbers from here on belong to Nomad Enterprise.
const ENTERPRISE_FIRST: u8 = 65;

/// Numbers that are nobody's come last.
static ORDER: Order = Order::new(
    &[
        &numbers(&WRITE_ORDER_FIRST),
        &row::<191>(ENTERPRISE_FIRST),
        &numbers(&WRITE_ORDER_LAST),
        &numbers(&REMOVED),
    ],
    &[],
);

/// What `nomad operator snapshot inspect` calls the type.
pub fn name(kind: u8) -> Cow<'static, str> {
    let mut named = WRITE_ORDER_FIRST.iter().chain(&WRITE_ORDER_LAST).chain(&REMOVED);
    match named.find(|(number, _)| *number == kind) {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(format!("Unknown({kind})")),
    }
}

/// Where records of this type occur.
pub fn edition(kind: u8) -> Edition {
    match kind {
        TIME_TABLE | VAULT_ACCESSOR | SERVICE_IDENTITY_TOKEN_ACCESSOR | ROOT_KEY_META => Edition::Legacy,
        EVENT_SINK => Edition::Removed,
        ENTERPRISE_FIRST.. => Edition::Enterprise,
        ..=HOST_VOLUME | NAMESPACE => Edition::Community,
        _ => Edition::Unknown,
    }
}

/// Whether we know what records of this type are about.
pub fn is_known(kind: u8) -> bool {
    matches!(edition(kind), Edition::Community | Edition::Legacy)
}

/// The place of a type in an archive; no two types share one.
pub fn rank(kind: u8) -> u8 {
    ORDER.rank(kind)
}

/// The type at a place in an archive.
pub fn of_rank(place: u8) -> u8 {
    ORDER.of_rank(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_has_a_rank_of_its_own() {
        assert!((0..=u8::MAX).all(|kind| of_rank(rank(kind)) == kind));
        // Ranks are stored, so they must stay.
        let stored =
            [TIME_TABLE, INDEX, NAMESPACE, 65, 255, SCHEDULER_CONFIG, HOST_VOLUME, EVENT_SINK, 32, 63];
        assert_eq!(stored.map(rank), [0, 1, 19, 20, 210, 211, 222, 223, 224, 255]);
    }

    #[test]
    fn every_number_is_told_apart() {
        let count = |wanted| (0..=u8::MAX).filter(|kind| edition(*kind) == wanted).count();
        assert_eq!(count(Edition::Community), 28);
        assert_eq!((count(Edition::Legacy), count(Edition::Removed)), (4, 1));
        assert_eq!((count(Edition::Enterprise), count(Edition::Unknown)), (191, 32));
        assert!((0..=u8::MAX).filter(|kind| is_known(*kind)).all(|kind| !name(kind).starts_with("Unknown")));
        assert_eq!(
            (name(31), name(20), name(65)),
            ("HostVolumeSnapshot".into(), "EventSink".into(), "Unknown(65)".into())
        );
    }
}
