//! Variables and the keys that encrypt them, field by field (`hashicorp/nomad:nomad/structs/variables.go`,
//! `keyring.go`). What the bytes of `data` and of wrapped keys are made of is told in `docs/formats/nomad.md`.

use crate::state::structure::{Bytes, Opaque, structure};

structure! { Nomad:
    /// A variable. Its items are encrypted, everything else is in clear.
    pub struct Variable {
        /// The namespace it is in.
        pub namespace: String = "Namespace",
        /// Where it is in the namespace.
        pub path: String = "Path",
        /// Who holds it, if it is a lock that is held.
        pub lock: Option<VariableLock> = "Lock",
        /// The index at which it was created.
        pub create_index: u64 = "CreateIndex",
        /// When it was created, in nanoseconds since 1970.
        pub create_time_ns: i64 = "CreateTime",
        /// The index at which it was last changed.
        pub modify_index: u64 = "ModifyIndex",
        /// When it was last changed, in nanoseconds since 1970.
        pub modify_time_ns: i64 = "ModifyTime",
        /// The items as JSON, encrypted: nonce, ciphertext, tag.
        pub data: Option<Bytes> = "Data",
        /// The root key by which they are encrypted.
        pub key_id: String = "KeyID",
    }

    /// A lock that somebody holds.
    pub struct VariableLock {
        /// A UUID that the holder knows.
        pub id: String = "ID",
        /// How long it is held without being renewed, in nanoseconds.
        pub ttl_ns: i64 = "TTL",
        /// How long nobody gets it after it was lost, in nanoseconds.
        pub lock_delay_ns: i64 = "LockDelay",
    }

    /// How much the variables of a namespace take.
    pub struct VariablesQuota {
        /// The namespace.
        pub namespace: String = "Namespace",
        /// The bytes of all `data`.
        pub size_bytes: i64 = "Size",
        /// The index at which there was a first variable.
        pub create_index: u64 = "CreateIndex",
        /// The index at which it last changed.
        pub modify_index: u64 = "ModifyIndex",
    }

    /// A root key, wrapped by one or more others.
    pub struct RootKey {
        /// A UUID.
        pub key_id: String = "KeyID",
        /// `aes256-gcm`.
        pub algorithm: String = "Algorithm",
        /// When it was made, in nanoseconds since 1970.
        pub create_time_ns: i64 = "CreateTime",
        /// The index at which it was made.
        pub create_index: u64 = "CreateIndex",
        /// The index at which it was last changed.
        pub modify_index: u64 = "ModifyIndex",
        /// `active`, `inactive`, `rekeying`, `prepublished` or `deprecated`.
        pub state: String = "State",
        /// When it will become active, if it is `prepublished`; nanoseconds since 1970.
        pub publish_time_ns: i64 = "PublishTime",
        /// The key, once for each that wraps it.
        pub wrapped_keys: Option<Vec<WrappedKey>> = "WrappedKeys",
    }

    /// A root key as one provider wrapped it.
    pub struct WrappedKey {
        /// `aead`, `awskms`, `azurekeyvault`, `gcpckms` or `transit`.
        pub provider: String = "Provider",
        /// Tells providers of the same kind apart.
        pub provider_id: String = "ProviderID",
        /// The key that encrypts variables.
        pub data_encryption_key: Option<Blob> = "WrappedDataEncryptionKey",
        /// The key that signs identities of workloads.
        pub rsa_key: Option<Blob> = "WrappedRSAKey",
        /// What unwraps both, in clear; only there with `aead`.
        pub key_encryption_key: Option<Bytes> = "KeyEncryptionKey",
    }

    /// What a provider made of a key. Keys are sorted in every build, as this structure is foreign to Nomad
    /// (`hashicorp/go-kms-wrapping`).
    pub struct Blob {
        /// With `aead`: nonce, ciphertext, tag.
        pub ciphertext: Option<Bytes> = "Ciphertext",
        /// What the provider noted.
        pub client_data: Opaque = "ClientData",
        /// Nil with `aead`.
        pub hmac: Option<Bytes> = "Hmac",
        /// Nil with `aead`, whose nonce is part of the ciphertext.
        pub iv: Option<Bytes> = "Iv",
        /// Which key of the provider's it was.
        pub key_info: Option<KeyInfo> = "KeyInfo",
        /// Nil.
        pub plaintext: Option<Bytes> = "Plaintext",
        /// Empty.
        pub value_path: String = "ValuePath",
        /// False.
        pub wrapped: bool = "Wrapped",
    }

    /// Which key of a provider's wrapped a blob.
    pub struct KeyInfo {
        /// Of the provider's.
        pub flags: u64 = "Flags",
        /// Of the provider's.
        pub hmac_key_id: String = "HmacKeyId",
        /// Of the provider's.
        pub hmac_mechanism: u64 = "HmacMechanism",
        /// Nil.
        pub key: Option<Bytes> = "Key",
        /// Of the provider's.
        pub key_encoding: i64 = "KeyEncoding",
        /// With `aead`: the id of the root key.
        pub key_id: String = "KeyId",
        /// Of the provider's.
        pub key_purposes: Option<Vec<i64>> = "KeyPurposes",
        /// Of the provider's.
        pub key_type: i64 = "KeyType",
        /// Of the provider's.
        pub mechanism: u64 = "Mechanism",
        /// Of the provider's.
        pub wrapped_key: Option<Bytes> = "WrappedKey",
        /// Of the provider's.
        pub wrapped_key_encoding: i64 = "WrappedKeyEncoding",
    }
}
