//! The types of records: their numbers, what genuine tools call them, and the order of an archive.
//!
//! Numbers and names: `hashicorp/consul:agent/structs/structs.go`. Order:
//! `hashicorp/consul:agent/consul/fsm/snapshot_ce.go`.

use std::borrow::Cow;

use crate::state::order::{Order, numbers, row};

/// A node, or a node with one of its services or checks.
pub const REGISTER: u8 = 0;
/// A key and its value.
pub const KVS: u8 = 2;
/// A session.
pub const SESSION: u8 = 3;
/// The trace of a deleted key.
pub const TOMBSTONE: u8 = 5;
/// A node's network coordinate.
pub const COORDINATE: u8 = 6;
/// A prepared query.
pub const PREPARED_QUERY: u8 = 7;
/// The configuration of autopilot.
pub const AUTOPILOT: u8 = 9;
/// An intention, in data older than Consul 1.9.
pub const INTENTION: u8 = 12;
/// A root certificate of the service mesh.
pub const CONNECT_CA: u8 = 13;
/// What the built-in certificate authority keeps, its private key included.
pub const CONNECT_CA_PROVIDER_STATE: u8 = 14;
/// The configuration of the certificate authority.
pub const CONNECT_CA_CONFIG: u8 = 15;
/// The last index of a table or a part of one. Overrides what a restore computes.
pub const INDEX: u8 = 16;
/// An ACL token, its secret included.
pub const ACL_TOKEN: u8 = 17;
/// An ACL policy.
pub const ACL_POLICY: u8 = 19;
/// A configuration entry.
pub const CONFIG_ENTRY: u8 = 22;
/// An ACL role.
pub const ACL_ROLE: u8 = 23;
/// An ACL binding rule.
pub const ACL_BINDING_RULE: u8 = 25;
/// An ACL auth method.
pub const ACL_AUTH_METHOD: u8 = 27;
/// Unfinished chunks of large log entries. Always the last record.
pub const CHUNKING_STATE: u8 = 29;
/// What is known of another datacenter's mesh gateways.
pub const FEDERATION_STATE: u8 = 30;
/// A setting of Consul's own.
pub const SYSTEM_METADATA: u8 = 31;
/// The virtual address of a service.
pub const SERVICE_VIRTUAL_IP: u8 = 32;
/// A virtual address that can be given out again, or the next one.
pub const FREE_VIRTUAL_IP: u8 = 33;
/// A peering with another cluster.
pub const PEERING: u8 = 35;
/// The certificates of a peer.
pub const PEERING_TRUST_BUNDLE: u8 = 38;
/// The secrets of a peering.
pub const PEERING_SECRET: u8 = 40;
/// A resource of the resource API.
pub const RESOURCE: u8 = 42;
/// A namespace, in Consul Enterprise.
pub const NAMESPACE: u8 = 65;
/// An admin partition, in Consul Enterprise.
pub const PARTITION: u8 = 69;

/// Where records of a type occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// In the snapshots of every Consul.
    Community,
    /// In those of Consul Enterprise. A community edition refuses to restore them.
    Enterprise,
    /// In the Raft log alone, never in a snapshot.
    LogOnly,
    /// Nowhere that we know of.
    Unknown,
}

/// The types of the community edition in the order in which a genuine server writes them.
const WRITE_ORDER: [(u8, &str); 27] = [
    (SERVICE_VIRTUAL_IP, "ServiceVirtualIP"),
    (FREE_VIRTUAL_IP, "FreeVirtualIP"),
    (REGISTER, "Register"),
    (COORDINATE, "CoordinateBatchUpdate"),
    (SESSION, "Session"),
    (ACL_TOKEN, "ACLToken"),
    (ACL_POLICY, "ACLPolicy"),
    (ACL_ROLE, "ACLRole"),
    (ACL_BINDING_RULE, "ACLBindingRule"),
    (ACL_AUTH_METHOD, "ACLAuthMethod"),
    (KVS, "KVS"),
    (TOMBSTONE, "Tombstone"),
    (PREPARED_QUERY, "PreparedQuery"),
    (AUTOPILOT, "Autopilot"),
    (INTENTION, "Intention"),
    (CONNECT_CA, "ConnectCA"),
    (CONNECT_CA_PROVIDER_STATE, "ConnectCAProviderState"),
    (CONNECT_CA_CONFIG, "ConnectCAConfig"),
    (CONFIG_ENTRY, "ConfigEntry"),
    (FEDERATION_STATE, "FederationState"),
    (SYSTEM_METADATA, "SystemMetadata"),
    (INDEX, "Index"),
    (PEERING, "Peering"),
    (PEERING_TRUST_BUNDLE, "PeeringTrustBundle"),
    (PEERING_SECRET, "PeeringSecret"),
    (RESOURCE, "Resource"),
    (CHUNKING_STATE, "ChunkingState"),
];

const LOG_ONLY: [(u8, &str); 17] = [
    (1, "Deregister"),
    (4, "ACL (Deprecated)"),
    (8, "Txn"),
    (10, "Area"),
    (11, "ACLBootstrap"),
    (18, "ACLTokenDelete"),
    (20, "ACLPolicyDelete"),
    (21, "ConnectCALeaf"),
    (24, "ACLRoleDelete"),
    (26, "ACLBindingRuleDelete"),
    (28, "ACLAuthMethodDelete"),
    (34, "KindServiceName"),
    (36, "PeeringDelete"),
    (37, ""), // It has no name in the genuine table either.
    (39, "PeeringTrustBundleDelete"),
    (41, "RaftLogVerifierCheckpoint"),
    (43, "UpdateManualVirtualIPRequestType"),
];

/// From here on numbers belong to Consul Enterprise.
const ENTERPRISE_FIRST: u8 = 64;

/// Enterprise types come first, as a genuine server has them, the community's follow in its order.
static ORDER: Order = Order::new(&[&row::<192>(ENTERPRISE_FIRST)], &[&numbers(&WRITE_ORDER)]);

/// What `consul snapshot inspect` calls the type.
pub fn name(kind: u8) -> Cow<'static, str> {
    let named =
        WRITE_ORDER.iter().chain(&LOG_ONLY).find(|(number, name)| *number == kind && !name.is_empty());
    match named {
        Some((_, name)) => Cow::Borrowed(name),
        None => Cow::Owned(format!("Unknown({kind})")),
    }
}

/// Where records of this type occur.
pub fn edition(kind: u8) -> Edition {
    let is_in = |table: &[(u8, &str)]| table.iter().any(|(number, _)| *number == kind);
    match kind {
        ENTERPRISE_FIRST.. => Edition::Enterprise,
        _ if is_in(&WRITE_ORDER) => Edition::Community,
        _ if is_in(&LOG_ONLY) => Edition::LogOnly,
        _ => Edition::Unknown,
    }
}

/// Whether we know what records of this type are about.
pub fn is_known(kind: u8) -> bool {
    edition(kind) == Edition::Community || matches!(kind, NAMESPACE | PARTITION)
}

/// The place of a type in an archive; no two types share one, and [`CHUNKING_STATE`] is last.
pub fn rank(kind: u8) -> u8 {
    ORDER.rank(kind)
}

/// The type at a place in an archive.
pub fn of_rank(place: u8) -> u8 {
    ORDER.of_rank(place)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_type_has_a_rank_of_its_own() {
        let ranks: BTreeSet<u8> = (0..=u8::MAX).map(rank).collect();
        assert_eq!(ranks.len(), 256);
        assert!((0..=u8::MAX).all(|kind| of_rank(rank(kind)) == kind));
        assert_eq!(rank(CHUNKING_STATE), u8::MAX);
        // Ranks are stored, so they must stay: 192 of Enterprise, then 37 numbers that are nobody's.
        assert_eq!((rank(64), rank(1), rank(SERVICE_VIRTUAL_IP)), (0, 192, 229));
    }

    #[test]
    fn enterprise_comes_first_and_indexes_after_what_they_count() {
        assert!(rank(NAMESPACE) < rank(PARTITION));
        assert!(rank(u8::MAX) < rank(SERVICE_VIRTUAL_IP));
        assert!(rank(63) < rank(SERVICE_VIRTUAL_IP));
        for counted in [REGISTER, KVS, TOMBSTONE, SESSION, ACL_TOKEN, CONFIG_ENTRY] {
            assert!(rank(counted) < rank(INDEX));
        }
    }

    #[test]
    fn numbers_below_64_are_all_told_apart() {
        let count = |wanted| (0..=u8::MAX).filter(|kind| edition(*kind) == wanted).count();
        assert_eq!(count(Edition::Community), WRITE_ORDER.len());
        assert_eq!(count(Edition::LogOnly), LOG_ONLY.len());
        assert_eq!(count(Edition::Enterprise), 192);
        assert_eq!(edition(44), Edition::Unknown);
        assert_eq!((name(2), name(37), name(65)), ("KVS".into(), "Unknown(37)".into(), "Unknown(65)".into()));
    }
}
