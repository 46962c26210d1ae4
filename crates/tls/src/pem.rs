//! Certificates and keys from PEM files: complete and usable, or an error that names the file.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, RootCertStore};

use crate::{Error, provider};

/// Systems' own collections of CAs have a quarter of a megabyte.
const FILE_BYTES_MAX: u64 = 8 << 20;

/// A certificate and its key, by the names of their files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, followed by those between it and its CA.
    pub cert: PathBuf,
    /// Its private key, without a passphrase.
    pub key: PathBuf,
}

impl Identity {
    pub(crate) fn chain(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        certificates(&self.cert)
    }

    pub(crate) fn key(&self) -> Result<PrivateKeyDer<'static>, Error> {
        PrivateKeyDer::from_pem_slice(&read(&self.key)?).map_err(|error| match error {
            pem::Error::NoItemsFound => Error::NoKey { path: self.key.clone() },
            error => Error::Key { path: self.key.clone(), cause: error.to_string() },
        })
    }

    /// What a configuration says about the two.
    pub(crate) fn refused(&self, error: &rustls::Error) -> Error {
        match error {
            rustls::Error::InconsistentKeys(_) => {
                Error::Mismatch { cert: self.cert.clone(), key: self.key.clone() }
            }
            rustls::Error::InvalidCertificate(cause) => {
                Error::Certificate { path: self.cert.clone(), cause: cause.to_string() }
            }
            error => Error::Key { path: self.key.clone(), cause: error.to_string() },
        }
    }
}

/// Every certificate of the file, at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|error| Error::Certificate { path: path.into(), cause: error.to_string() })?;
    if found.is_empty() {
        return Err(Error::NoCertificate { path: path.into() });
    }
    Ok(found)
}

/// Adds every certificate of the file to those that are trusted.
pub(crate) fn trust_file(roots: &mut RootCertStore, path: &Path) -> Result<(), Error> {
    trust(roots, path, certificates(path)?)
}

/// Trusts these certificates of a file.
pub(crate) fn trust(
    roots: &mut RootCertStore,
    path: &Path,
    certificates: Vec<CertificateDer<'static>>,
) -> Result<(), Error> {
    certificates.into_iter().try_for_each(|certificate| {
        roots
            .add(certificate)
            .map_err(|error| Error::Certificate { path: path.into(), cause: error.to_string() })
    })
}

/// Whether the certificate's time has come and isn't over.
pub(crate) fn check_time(path: &Path, certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let damaged = |cause: String| Error::Certificate { path: path.into(), cause };
    let parsed = ParsedCertificate::try_from(certificate).map_err(|error| damaged(error.to_string()))?;
    let algorithms = provider().signature_verification_algorithms;
    // Nobody is trusted here, so it always fails; but the time is looked at first.
    let verified =
        verify_server_cert_signed_by_trust_anchor(&parsed, &RootCertStore::empty(), &[], now, algorithms.all);
    match verified {
        Err(rustls::Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            Err(Error::Expired { path: path.into(), expired_at: timestamp(not_after) })
        }
        Err(rustls::Error::InvalidCertificate(CertificateError::NotValidYetContext {
            not_before, ..
        })) => Err(Error::NotYetValid { path: path.into(), valid_from: timestamp(not_before) }),
        Err(rustls::Error::InvalidCertificate(CertificateError::BadEncoding)) => {
            Err(damaged("it is not encoded as certificates are".to_owned()))
        }
        _ => Ok(()),
    }
}

fn timestamp(time: UnixTime) -> Timestamp {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |cause| Error::Unreadable { path: path.into(), cause };
    let mut text = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(unreadable)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(Error::TooLong { path: path.into(), bytes_max: FILE_BYTES_MAX });
    }
    Ok(text)
}
