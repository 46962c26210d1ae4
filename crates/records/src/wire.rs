//! Parts of records within commands and replies, in the bytes that archives have for them.

use archive::{consul, msgpack, nomad};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::ByteBuf;

/// What has bytes of its own.
pub(crate) trait Wire: Sized {
    /// Its bytes.
    fn to_bytes(&self) -> Vec<u8>;

    /// Reads its bytes.
    fn from_bytes(bytes: &[u8]) -> Result<Self, msgpack::Error>;
}

macro_rules! wire {
    ($($part:path),* $(,)?) => {$(
        impl Wire for $part {
            fn to_bytes(&self) -> Vec<u8> {
                self.encode()
            }

            fn from_bytes(bytes: &[u8]) -> Result<$part, msgpack::Error> {
                <$part>::decode(bytes)
            }
        }
    )*};
}

wire!(
    consul::AclPolicy,
    consul::AclRole,
    consul::AclToken,
    consul::Check,
    consul::DirEntry,
    consul::Node,
    consul::Service,
    consul::Session,
    nomad::AclPolicy,
    nomad::AclRole,
    nomad::AclToken,
    nomad::Job,
    nomad::JobSubmission,
    nomad::Namespace,
    nomad::RootKey,
    nomad::Variable,
);

impl<T: Wire> Wire for Box<T> {
    fn to_bytes(&self) -> Vec<u8> {
        T::to_bytes(self)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Box<T>, msgpack::Error> {
        T::from_bytes(bytes).map(Box::new)
    }
}

pub(crate) fn serialize<T: Wire, S: Serializer>(part: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(&part.to_bytes())
}

pub(crate) fn deserialize<'de, T: Wire, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let bytes = serde_bytes::deserialize::<Vec<u8>, D>(deserializer)?;
    T::from_bytes(&bytes).map_err(D::Error::custom)
}

/// One part, or none.
pub(crate) mod option {
    use super::{ByteBuf, Deserialize, Deserializer, Serialize, Serializer, Wire};
    use serde::de::Error as _;

    pub(crate) fn serialize<T: Wire, S: Serializer>(
        part: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        part.as_ref().map(|part| ByteBuf::from(part.to_bytes())).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, T: Wire, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let bytes = Option::<ByteBuf>::deserialize(deserializer)?;
        bytes.map(|bytes| T::from_bytes(&bytes)).transpose().map_err(D::Error::custom)
    }
}

/// Any number of parts.
pub(crate) mod list {
    use super::{ByteBuf, Deserialize, Deserializer, Serializer, Wire};
    use serde::de::Error as _;

    pub(crate) fn serialize<T: Wire, S: Serializer>(parts: &[T], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(parts.iter().map(|part| ByteBuf::from(part.to_bytes())))
    }

    pub(crate) fn deserialize<'de, T: Wire, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        let parts = Vec::<ByteBuf>::deserialize(deserializer)?;
        parts.iter().map(|bytes| T::from_bytes(bytes).map_err(D::Error::custom)).collect()
    }
}
