//! What a listener needs: its own certificate and, if it wants to know its clients, the CAs of theirs.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};

use crate::pem::{self, Identity};
use crate::{Error, provider};

/// What is spoken inside: HTTP/2 where the client can, else HTTP/1.1.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The files of a server's TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The server's own certificate and key.
    pub identity: Identity,
    /// The CAs that vouch for the other side.
    pub ca: Option<PathBuf>,
    /// Whether only clients with a certificate of these CAs are let in.
    pub verify_incoming: bool,
}

/// Which files there were: equal as long as none of them was replaced, changed, added or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp(Vec<Option<[i64; 4]>>);

impl Files {
    /// Reads and checks all of them. Whatever is missing, damaged, out of its time or not of one pair is an
    /// error, so that what is returned can be served with. `now` is compared with the certificates' times.
    pub fn load(&self, now: UnixTime) -> Result<ServerConfig, Error> {
        let chain = self.identity.chain()?;
        let roots = self.ca.as_deref().map(|path| vouching(path, now)).transpose()?;
        let building = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("the provider knows suites of both versions");
        let building = match (self.verify_incoming, roots) {
            (false, _) => building.with_no_client_auth(),
            (true, Some(roots)) => building.with_client_cert_verifier(verifier(roots)),
            (true, None) => return Err(Error::NothingToVerifyWith),
        };
        chain.iter().try_for_each(|link| pem::check_time(&self.identity.cert, link, now))?;
        let key = self.identity.key()?;
        let mut config =
            building.with_single_cert(chain, key).map_err(|error| self.identity.refused(&error))?;
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
        Ok(config)
    }

    /// Which files there are now. Taken before [`Files::load`], a later change never goes unnoticed.
    pub fn stamp(&self) -> Stamp {
        let paths = [Some(&self.identity.cert), Some(&self.identity.key), self.ca.as_ref()];
        let stamp = |path: &PathBuf| path.metadata().ok().as_ref().map(of_file);
        Stamp(paths.into_iter().flatten().map(stamp).collect())
    }
}

/// Times alone would miss a replacement within one tick of the file system's clock.
fn of_file(file: &Metadata) -> [i64; 4] {
    [file.mtime(), file.mtime_nsec(), file.ino().cast_signed(), file.size().cast_signed()]
}

/// The certificates of the file whose time it is. A bundle may still hold old ones, but not only those.
fn vouching(path: &Path, now: UnixTime) -> Result<RootCertStore, Error> {
    let (good, bad): (Vec<_>, Vec<_>) =
        pem::certificates(path)?.into_iter().map(|found| timely(path, found, now)).partition(Result::is_ok);
    if let (true, Some(Err(error))) = (good.is_empty(), bad.into_iter().next()) {
        return Err(error);
    }
    let mut roots = RootCertStore::empty();
    pem::trust(&mut roots, path, good.into_iter().flatten().collect())?;
    Ok(roots)
}

fn timely(
    path: &Path,
    certificate: CertificateDer<'static>,
    now: UnixTime,
) -> Result<CertificateDer<'static>, Error> {
    pem::check_time(path, &certificate, now).map(|()| certificate)
}

fn verifier(roots: RootCertStore) -> Arc<dyn ClientCertVerifier> {
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .expect("there is at least one root and no revocation list")
}
