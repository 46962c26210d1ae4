//! Root keys, and what they encrypt: the items of variables.
//!
//! Follows `hashicorp/nomad:nomad/encrypter.go`; the bytes are those of `docs/formats/nomad.md`. Only keys that the
//! provider `aead` wrapped can be used, for the key that unwraps them lies beside them.

use std::collections::BTreeMap;
use std::fmt;

use archive::go_text::json_string;
use archive::nomad::{Blob, KeyInfo, RootKey, Variable, WrappedKey, kinds};
use archive::state::Bytes;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::root_keys::ACTIVE;
use crate::{Error, Read, error};

/// Bytes of a root key, and of the key that wraps it.
pub const KEY_BYTES: usize = 32;

/// Bytes of a nonce. None may be used twice with one key: they are drawn at random.
pub const NONCE_BYTES: usize = 12;

/// The names and values of a variable.
pub type Items = BTreeMap<String, String>;

const ALGORITHM: &str = "aes256-gcm";

const PROVIDER: &str = "aead";

/// What a root key is made of: all of it but the id drawn at random, by whoever proposes the key.
pub struct Drawn {
    /// Its id, a UUID.
    pub key_id: String,
    /// The key itself.
    pub key: [u8; KEY_BYTES],
    /// The key that wraps it.
    pub key_encryption_key: [u8; KEY_BYTES],
    /// The nonce of the wrapping.
    pub nonce: [u8; NONCE_BYTES],
}

impl Drawn {
    /// The record of an active root key. It has no RSA key, as those from before Nomad 1.7: genuine servers then
    /// sign identities of workloads with Ed25519.
    pub fn root_key(&self) -> RootKey {
        let ciphertext = seal(&key(&self.key_encryption_key).expect("32 bytes"), self.nonce, "", &self.key);
        let key_info = KeyInfo { key_id: self.key_id.clone(), ..KeyInfo::default() };
        let blob = Blob { ciphertext: Some(Bytes(ciphertext)), key_info: Some(key_info), ..Blob::default() };
        let wrapped = WrappedKey {
            provider: PROVIDER.into(),
            provider_id: PROVIDER.into(),
            data_encryption_key: Some(blob),
            rsa_key: Some(Blob::default()),
            key_encryption_key: Some(Bytes(self.key_encryption_key.to_vec())),
        };
        RootKey {
            key_id: self.key_id.clone(),
            algorithm: ALGORITHM.into(),
            state: ACTIVE.into(),
            wrapped_keys: Some(vec![wrapped]),
            ..RootKey::default()
        }
    }
}

/// A root key that can be used.
pub struct Cipher {
    key_id: String,
    key: LessSafeKey,
}

/// Items that can't be read. A genuine server says less.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Sealed {
    /// Another key made them, or they were changed.
    #[error("cipher: message authentication failed")]
    Authentication,
    /// The key fits, but what it yields are no items.
    #[error("the decrypted items are not an object of strings")]
    Items,
}

impl Cipher {
    /// Unwraps a root key; `None` if nothing that lies beside it does.
    pub fn unwrap(root_key: &RootKey) -> Option<Cipher> {
        if root_key.algorithm != ALGORITHM {
            return None;
        }
        root_key.wrapped_keys.iter().flatten().find_map(|wrapped| {
            if !matches!(wrapped.provider.as_str(), PROVIDER | "") {
                return None;
            }
            let wrapping = key(&wrapped.key_encryption_key.as_ref()?.0)?;
            let blob = wrapped.data_encryption_key.as_ref()?;
            let unwrapped = open(&wrapping, "", &blob.ciphertext.as_ref()?.0)?;
            Some(Cipher { key_id: root_key.key_id.clone(), key: key(&unwrapped)? })
        })
    }

    /// The id of the root key.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Encrypts items as a variable's `Data`. No items, as a lock may have, are another thing than none in them.
    pub fn seal(&self, nonce: [u8; NONCE_BYTES], items: Option<&Items>) -> Vec<u8> {
        seal(&self.key, nonce, &self.key_id, json(items).as_bytes())
    }

    /// Encrypts for `other` what this key encrypted, whatever it is.
    pub fn hand_over(
        &self,
        data: &[u8],
        other: &Cipher,
        nonce: [u8; NONCE_BYTES],
    ) -> Result<Vec<u8>, Sealed> {
        let clear = open(&self.key, &self.key_id, data).ok_or(Sealed::Authentication)?;
        Ok(seal(&other.key, nonce, &other.key_id, &clear))
    }

    /// Decrypts a variable's `Data`.
    pub fn open(&self, data: &[u8]) -> Result<Items, Sealed> {
        let json = open(&self.key, &self.key_id, data).ok_or(Sealed::Authentication)?;
        let items: Option<Items> = serde_json::from_slice(&json).map_err(|_| Sealed::Items)?;
        Ok(items.unwrap_or_default())
    }
}

impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cipher").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

/// The key that encrypts new variables, if there is one that can be used.
pub fn active(read: &dyn Read) -> Result<Option<Cipher>, Error> {
    for entry in read.scan(kinds::ROOT_KEY, b"") {
        let root_key = decode(&entry?.1)?;
        if root_key.state == ACTIVE
            && let Some(cipher) = Cipher::unwrap(&root_key)
        {
            return Ok(Some(cipher));
        }
    }
    Ok(None)
}

/// The key called `key_id`, if it is there and can be used.
pub fn cipher(read: &dyn Read, key_id: &str) -> Result<Option<Cipher>, Error> {
    let found = read.get(kinds::ROOT_KEY, key_id.as_bytes())?.map(|bytes| decode(&bytes)).transpose()?;
    Ok(found.as_ref().and_then(Cipher::unwrap))
}

/// Variables that nobody could read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unreadable {
    /// How many there are.
    pub count: u64,
    /// Namespace and path of the first few.
    pub first: Vec<(String, String)>,
}

/// How many unreadable variables are called by name.
const NAMED_MAX: usize = 5;

/// The variables whose items can't be decrypted by the keys that are there: the key is missing, only a foreign
/// service unwraps it, or it is not the one.
pub fn unreadable(read: &dyn Read) -> Result<Unreadable, Error> {
    let mut unreadable = Unreadable::default();
    let mut ciphers: BTreeMap<String, Option<Cipher>> = BTreeMap::new();
    for entry in read.scan(kinds::VARIABLE, b"") {
        let variable = Variable::decode(&entry?.1).map_err(|e| error::stored("variable", e))?;
        if !ciphers.contains_key(&variable.key_id) {
            ciphers.insert(variable.key_id.clone(), cipher(read, &variable.key_id)?);
        }
        let data = variable.data.unwrap_or_default().0;
        let is_readable = ciphers[&variable.key_id].as_ref().is_some_and(|cipher| cipher.open(&data).is_ok());
        if !is_readable {
            unreadable.count += 1;
            if unreadable.first.len() < NAMED_MAX {
                unreadable.first.push((variable.namespace, variable.path));
            }
        }
    }
    Ok(unreadable)
}

/// Whether there is a root key of that id, whether or not it can be used.
pub(super) fn exists(read: &dyn Read, key_id: &str) -> Result<bool, Error> {
    Ok(read.get(kinds::ROOT_KEY, key_id.as_bytes())?.is_some())
}

fn json(items: Option<&Items>) -> String {
    let Some(items) = items else { return "null".into() };
    let pairs = items.iter().map(|(name, value)| format!("{}:{}", json_string(name), json_string(value)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
}

fn key(bytes: &[u8]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM, bytes).ok().map(LessSafeKey::new)
}

fn seal(key: &LessSafeKey, nonce: [u8; NONCE_BYTES], additional: &str, clear: &[u8]) -> Vec<u8> {
    let mut body = clear.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(additional), &mut body)
        .expect("far below what one nonce can encrypt");
    [&nonce[..], &body].concat()
}

fn open(key: &LessSafeKey, additional: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let mut body = body.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let clear = key.open_in_place(nonce, Aad::from(additional), &mut body).ok()?;
    Some(clear.to_vec())
}

pub(super) fn decode(bytes: &[u8]) -> Result<RootKey, Error> {
    RootKey::decode(bytes).map_err(|e| error::stored("root key", e))
}
