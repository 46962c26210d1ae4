//! Which thing a record is about, as `hashicorp/nomad:nomad/state/schema.go` tells records apart.

use super::kinds;
use crate::msgpack::Cursor;
use crate::state::id::{SEPARATOR, map, tenancy_part, whole};
use crate::state::{Fault, Id};

/// The namespace of what names none: what older servers wrote before there were namespaces.
const DEFAULT_NAMESPACE: &[u8] = b"default";

/// The fields that tell records of a type apart.
enum Key {
    /// A field.
    Field(&'static str),
    /// A field, in the namespace that another field names.
    Namespaced(&'static str),
    /// A field, in a namespace, and the number in `Version`.
    Versioned(&'static str),
    /// The namespace itself: there is one in each.
    Namespace,
    /// None: there is one.
    Single,
    /// Not known.
    Unknown,
}

fn key(kind: u8) -> Key {
    match kind {
        kinds::INDEX => Key::Field("Key"),
        kinds::NODE
        | kinds::EVAL
        | kinds::ALLOC
        | kinds::DEPLOYMENT
        | kinds::SCALING_POLICY
        | kinds::CSI_PLUGIN
        | kinds::ACL_ROLE
        | kinds::ACL_BINDING_RULE => Key::Field("ID"),
        kinds::NODE_POOL | kinds::ACL_POLICY | kinds::ACL_AUTH_METHOD | kinds::NAMESPACE => {
            Key::Field("Name")
        }
        kinds::ACL_TOKEN | kinds::SERVICE_IDENTITY_TOKEN_ACCESSOR => Key::Field("AccessorID"),
        kinds::VAULT_ACCESSOR => Key::Field("Accessor"),
        kinds::ROOT_KEY | kinds::ROOT_KEY_META => Key::Field("KeyID"),
        kinds::JOB
        | kinds::PERIODIC_LAUNCH
        | kinds::CSI_VOLUME
        | kinds::SERVICE_REGISTRATION
        | kinds::HOST_VOLUME => Key::Namespaced("ID"),
        kinds::JOB_SUMMARY | kinds::SCALING_EVENTS => Key::Namespaced("JobID"),
        kinds::VARIABLE => Key::Namespaced("Path"),
        kinds::JOB_VERSION => Key::Versioned("ID"),
        kinds::JOB_SUBMISSION => Key::Versioned("JobID"),
        kinds::VARIABLES_QUOTA => Key::Namespace,
        kinds::TIME_TABLE | kinds::SCHEDULER_CONFIG | kinds::CLUSTER_METADATA => Key::Single,
        _ => Key::Unknown,
    }
}

/// Says what the record with type `kind` and value `bytes` is about. The tenancy is the namespace of what is in
/// one.
///
/// | type | id |
/// |---|---|
/// | Index | `Key` |
/// | Node, Eval, Alloc, Deployment, ScalingPolicy, CSIPlugin, ACLRole, ACLBindingRule | `ID` |
/// | NodePool, ACLPolicy, ACLAuthMethod, Namespace | `Name` |
/// | ACLToken, ServiceIdentityTokenAccessor; VaultAccessor | `AccessorID`; `Accessor` |
/// | WrappedRootKeys, RootKeyMeta | `KeyID` |
/// | Job, PeriodicLaunch, CSIVolume, ServiceRegistration, HostVolumeSnapshot | namespace, `ID` |
/// | JobSummary, ScalingEvents; Variables | namespace, `JobID`; `Path` |
/// | JobVersion; JobSubmission | namespace, `ID`; `JobID`; a zero byte and the `Version` in eight bytes |
/// | VariablesQuota | namespace |
/// | TimeTable, SchedulerConfig, ClusterMetadata | nothing: there is one |
/// | any other | SHA-256 of the value |
///
/// Ids are compared byte for byte. Fails if the bytes are not a whole value of the type, or a field of the id
/// is empty, which a genuine server does not restore; an empty namespace is `default`.
pub fn identity(kind: u8, bytes: &[u8]) -> Result<Id, Fault> {
    match key(kind) {
        Key::Field(name) => Fields::read(bytes, name)?.id(name, false),
        Key::Namespaced(name) => Fields::read(bytes, name)?.id(name, true),
        Key::Versioned(name) => {
            let fields = Fields::read(bytes, name)?;
            let mut id = fields.id(name, true)?;
            if id.id.contains(&SEPARATOR) {
                return Err(Fault::ZeroByteInId);
            }
            id.id.push(SEPARATOR);
            // A missing version is 0.
            let version = if fields.version.is_empty() { 0 } else { Cursor::new(fields.version).uint()? };
            id.id.extend(version.to_be_bytes());
            Ok(id)
        }
        Key::Namespace => Id::of(Fields::read(bytes, "")?.tenancy()?, &[]),
        Key::Single => {
            whole(bytes, |cursor| match kind {
                kinds::TIME_TABLE => cursor.elements(|entry| entry.skip().map(drop)).map(drop),
                _ => cursor.fields(|_, _| Ok(())).map(drop),
            })?;
            Ok(Id::default())
        }
        Key::Unknown => whole(bytes, |cursor| cursor.skip().map(drop)).map(|()| Id::by_hash(bytes)),
    }
}

/// What ids are made of.
#[derive(Default)]
struct Fields<'a> {
    id: &'a [u8],
    namespace: &'a [u8],
    /// The whole value: it is a number in some types and a text in others.
    version: &'a [u8],
}

impl<'a> Fields<'a> {
    fn read(bytes: &'a [u8], id: &str) -> Result<Fields<'a>, Fault> {
        let mut fields = Fields::default();
        map(bytes, |key, value: &mut Cursor<'a>| {
            match key {
                b"Namespace" => fields.namespace = value.raw()?,
                b"Version" => fields.version = value.skip()?,
                _ if key == id.as_bytes() => fields.id = value.raw()?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(fields)
    }

    fn tenancy(&self) -> Result<String, Fault> {
        tenancy_part(if self.namespace.is_empty() { DEFAULT_NAMESPACE } else { self.namespace })
            .map(Into::into)
    }

    fn id(&self, name: &'static str, is_namespaced: bool) -> Result<Id, Fault> {
        if self.id.is_empty() {
            return Err(Fault::NoId(name));
        }
        let tenancy = if is_namespaced { self.tenancy()? } else { String::new() };
        Id::of(tenancy, &[self.id])
    }
}
