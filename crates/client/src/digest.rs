//! What a server says beforehand about the bytes that it is going to send, and whether it was true.

use std::fmt;
use std::io::{self, Read};

use base64::prelude::{BASE64_STANDARD, Engine};
use sha2::{Digest as _, Sha256, Sha512};

/// A digest that was promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Digest {
    /// In lower-case hex. It is compared and shown, and nothing else.
    Sha256(String),
    /// Likewise.
    Sha512(String),
}

impl Digest {
    /// Reads the header `Digest`: `sha-256=` or `sha-512=` and base64, the two forms that Nomad's client knows
    /// (`hashicorp/nomad:api/ioutil.go`). `None` if it is anything else.
    pub(crate) fn parse(header: &str) -> Option<Digest> {
        let (algorithm, value) = header.split_once('=')?;
        let bytes = BASE64_STANDARD.decode(value).ok()?;
        match (algorithm, bytes.len()) {
            ("sha-256", 32) => Some(Digest::Sha256(hex(&bytes))),
            ("sha-512", 64) => Some(Digest::Sha512(hex(&bytes))),
            _ => None,
        }
    }

    /// A SHA-256 as the native API sends it, in hex.
    pub(crate) fn of_sha256(text: &str) -> Digest {
        Digest::Sha256(text.to_ascii_lowercase())
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Digest::Sha256(_) => "SHA-256",
            Digest::Sha512(_) => "SHA-512",
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Digest::Sha256(hex) | Digest::Sha512(hex)) = self;
        f.write_str(hex)
    }
}

/// Hashes what arrives: always by SHA-256, by which people compare files, and besides as was promised.
#[derive(Debug)]
pub(crate) struct Hash {
    sha256: Sha256,
    sha512: Option<Sha512>,
}

impl Hash {
    pub(crate) fn for_digest(digest: Option<&Digest>) -> Hash {
        let sha512 = matches!(digest, Some(Digest::Sha512(_))).then(Sha512::new);
        Hash { sha256: Sha256::new(), sha512 }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some(sha512) = &mut self.sha512 {
            sha512.update(bytes);
        }
    }

    /// In hex.
    pub(crate) fn sha256(&self) -> String {
        hex(&self.sha256.clone().finalize())
    }

    /// What was hashed, by the algorithm of `digest` and in hex.
    pub(crate) fn like(&self, digest: &Digest) -> String {
        match (digest, &self.sha512) {
            (Digest::Sha512(_), Some(sha512)) => hex(&sha512.clone().finalize()),
            _ => self.sha256(),
        }
    }

    pub(crate) fn is(&self, digest: &Digest) -> bool {
        self.like(digest) == digest.to_string()
    }
}

/// Hashes by SHA-256 what is read through it.
#[derive(Debug)]
pub struct Hashing<R> {
    source: R,
    hash: Sha256,
}

impl<R: Read> Hashing<R> {
    /// Nothing is read yet.
    pub fn new(source: R) -> Hashing<R> {
        Hashing { source, hash: Sha256::new() }
    }

    /// The digest, in hex, of what was read so far.
    pub fn sha256(&self) -> String {
        hex(&self.hash.clone().finalize())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let found = self.source.read(out)?;
        self.hash.update(&out[..found]);
        Ok(found)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(header: &str, content: &[u8]) -> Option<bool> {
        let digest = Digest::parse(header)?;
        let mut hash = Hash::for_digest(Some(&digest));
        hash.update(content);
        Some(hash.is(&digest))
    }

    #[test]
    fn both_algorithms_tell_contents_apart() {
        let sha256 = format!("sha-256={}", BASE64_STANDARD.encode(Sha256::digest(b"archive")));
        let sha512 = format!("sha-512={}", BASE64_STANDARD.encode(Sha512::digest(b"archive")));
        for header in [&sha256, &sha512] {
            assert_eq!(check(header, b"archive"), Some(true), "{header}");
            assert_eq!(check(header, b"archivf"), Some(false), "{header}");
        }
    }

    #[test]
    fn what_is_no_digest_is_none() {
        let md5 = format!("md5={}", BASE64_STANDARD.encode([0; 16]));
        let short = format!("sha-512={}", BASE64_STANDARD.encode([0; 32]));
        for header in ["", "sha-256", "sha-256=", "sha-256=?", "sha-256=AAAA", &md5, &short] {
            assert_eq!(check(header, b""), None, "{header:?}");
        }
    }
}
