//! What a client needs: whom it trusts and, if it is asked, who it is itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::pem::{self, Identity};
use crate::{Error, provider};

/// Whose word a client takes for who a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nobody's: for clients that never speak TLS.
    Nobody,
    /// That of the CAs which this system trusts.
    System,
    /// That of the CAs in a file alone.
    File(PathBuf),
    /// That of the CAs in all files of a directory alone.
    Directory(PathBuf),
    /// That of the system's CAs and of those in a file.
    SystemAnd(PathBuf),
    /// The server's own: traffic is hidden from those who only listen.
    Anyone,
}

/// A client's configuration. Reads all files that it names; nothing of it is read again later.
pub fn client_config(trust: &Trust, identity: Option<&Identity>) -> Result<ClientConfig, Error> {
    let building = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider knows suites of both versions");
    let building = match trust {
        Trust::Anyone => building.dangerous().with_custom_certificate_verifier(Arc::new(Blind)),
        trust => building.with_root_certificates(trust.roots()?),
    };
    match identity {
        None => Ok(building.with_no_client_auth()),
        Some(identity) => building
            .with_client_auth_cert(identity.chain()?, identity.key()?)
            .map_err(|error| identity.refused(&error)),
    }
}

impl Trust {
    fn roots(&self) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        match self {
            Trust::Nobody | Trust::Anyone => {}
            Trust::System => {
                if system(&mut roots) == 0 {
                    return Err(Error::NoSystemRoots);
                }
            }
            Trust::File(path) => pem::trust_file(&mut roots, path)?,
            Trust::Directory(path) => directory(&mut roots, path)?,
            Trust::SystemAnd(path) => {
                system(&mut roots);
                pem::trust_file(&mut roots, path)?;
            }
        }
        Ok(roots)
    }
}

/// Adds the system's CAs and says how many. Single ones that cannot be read are passed over, as elsewhere.
fn system(roots: &mut RootCertStore) -> usize {
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs).0
}

/// Every file of the directory, none of which may be without certificates; directories in it are passed over.
fn directory(roots: &mut RootCertStore, path: &Path) -> Result<(), Error> {
    let unreadable = |cause| Error::Unreadable { path: path.into(), cause };
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if !file.is_dir() {
            pem::trust_file(roots, &file)?;
        }
    }
    match roots.is_empty() {
        true => Err(Error::NoCertificate { path: path.into() }),
        false => Ok(()),
    }
}

/// Takes any certificate, but insists that the server holds its key.
#[derive(Debug)]
struct Blind;

impl ServerCertVerifier for Blind {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
