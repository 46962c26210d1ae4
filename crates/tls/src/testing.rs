//! Certificate authorities for tests, and what they issue: PEM texts and files.

use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};

use crate::{Files, Identity};

/// An authority of its own.
pub struct Authority {
    certificate: Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key as PEM texts.
pub struct Issued {
    /// The certificate.
    pub cert: String,
    /// The key.
    pub key: String,
}

impl Authority {
    /// A new authority. Two of one name are still two.
    pub fn new(name: &str) -> Authority {
        let mut params = CertificateParams::new(Vec::new()).expect("it has no names that could be wrong");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Authority { certificate, issuer: Issuer::new(params, key) }
    }

    /// The authority's own certificate as a PEM text.
    pub fn pem(&self) -> String {
        self.certificate.pem()
    }

    /// A certificate for these names and addresses, good for servers and clients.
    pub fn issue(&self, names: &[&str]) -> Issued {
        self.issue_between(names, 2000, 3000)
    }

    /// A certificate of which the time is from the beginning of one year to that of another.
    pub fn issue_between(&self, names: &[&str], from_year: i32, until_year: i32) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names are ASCII");
        params.not_before = date_time_ymd(from_year, 1, 1);
        params.not_after = date_time_ymd(until_year, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Issued { cert: certificate.pem(), key: key.serialize_pem() }
    }
}

impl Issued {
    /// Writes `cert.pem` and `key.pem`, replacing what is there as careful tools do: whole files by renaming.
    pub fn write(&self, directory: &Path) -> Identity {
        Identity {
            cert: write(directory, "cert.pem", &self.cert),
            key: write(directory, "key.pem", &self.key),
        }
    }

    /// The same, as files of a server that trusts `authority` and, if it has to, asks clients for certificates.
    pub fn serve(&self, directory: &Path, authority: &Authority, verify_incoming: bool) -> Files {
        let ca = Some(write(directory, "ca.pem", &authority.pem()));
        Files { identity: self.write(directory), ca, verify_incoming }
    }
}

fn write(directory: &Path, name: &str, text: &str) -> std::path::PathBuf {
    let (new, path) = (directory.join(format!("{name}.new")), directory.join(name));
    fs::write(&new, text).expect("the directory takes files");
    fs::rename(&new, &path).expect("and names");
    path
}
