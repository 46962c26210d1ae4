//! Why certificates and keys cannot be used: one sentence each, naming the file.

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

/// Why certificates and keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file or directory is not there or not ours to read.
    #[error("{} cannot be read: {cause}", .path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        cause: io::Error,
    },
    /// The file is longer than any that holds certificates.
    #[error("{} is longer than {bytes_max} bytes: it can't be a file of certificates or keys", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// How long a file may be.
        bytes_max: u64,
    },
    /// No PEM section of the file is a certificate.
    #[error("{} holds no certificate in PEM form", .path.display())]
    NoCertificate {
        /// The file or, where none of its files has one, the directory.
        path: PathBuf,
    },
    /// No PEM section of the file is a key that needs no passphrase.
    #[error("{} holds no unencrypted private key in PEM form", .path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// A certificate's bytes don't decode.
    #[error("{} holds a damaged certificate: {cause}", .path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// A key's bytes don't decode, or it is of a kind that isn't known.
    #[error("{} holds a private key that cannot be used: {cause}", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        cause: String,
    },
    /// The time of the certificate is over.
    #[error("the certificate in {} expired at {expired_at}", .path.display())]
    Expired {
        /// The file.
        path: PathBuf,
        /// Since when.
        expired_at: Timestamp,
    },
    /// The time of the certificate has not come, or our clock is wrong.
    #[error("the certificate in {} is not valid before {valid_from}", .path.display())]
    NotYetValid {
        /// The file.
        path: PathBuf,
        /// From when on it will be.
        valid_from: Timestamp,
    },
    /// Certificate and key are not of one pair.
    #[error("the private key in {} does not belong to the certificate in {}", .key.display(), .cert.display())]
    Mismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// Certificates are asked of clients, and nothing says whose are good.
    #[error("verify_incoming needs `ca`: the certificates of those who may vouch for clients")]
    NothingToVerifyWith,
    /// This machine has no certificates of its own that it trusts.
    #[error("this system has no CA certificates installed, and none are named")]
    NoSystemRoots,
}
