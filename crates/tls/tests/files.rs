//! Files that cannot be served with or trusted: each refused in a sentence that names it.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed, which is all it can do")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tls::testing::Authority;
use tls::{Files, Identity, Trust, UnixTime, client_config};

/// The beginning of 2026.
fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600))
}

/// A good set of files, to be spoilt.
struct Set {
    directory: TempDir,
    authority: Authority,
    files: Files,
}

impl Set {
    fn new() -> Set {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca");
        let files = authority.issue(&["localhost"]).serve(directory.path(), &authority, true);
        Set { directory, authority, files }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// Refused, with this after the file's name or before it.
    #[track_caller]
    fn check(&self, name: &str, sentence: &str) {
        let error = self.files.load(now()).unwrap_err().to_string();
        let file = self.path(name).display().to_string();
        assert!(error.contains(&file) && error.contains(sentence), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn a_good_set_is_loaded() {
    let config = Set::new().files.load(now()).unwrap();
    assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
}

#[test]
fn missing_and_unreadable_files_are_named() {
    for name in ["cert.pem", "key.pem", "ca.pem"] {
        let set = Set::new();
        fs::remove_file(set.path(name)).unwrap();
        set.check(name, "cannot be read: No such file");
        fs::create_dir(set.path(name)).unwrap();
        set.check(name, "cannot be read: Is a directory");
    }
}

#[test]
fn files_without_what_they_should_hold_are_named() {
    let set = Set::new();
    let key = fs::read_to_string(set.path("key.pem")).unwrap();
    set.write("key.pem", "");
    set.check("key.pem", "holds no unencrypted private key");
    set.write("key.pem", &key.replace("PRIVATE", "ENCRYPTED PRIVATE"));
    set.check("key.pem", "holds no unencrypted private key");
    set.write("cert.pem", &key);
    set.check("cert.pem", "holds no certificate");
}

#[test]
fn damaged_files_are_named() {
    let set = Set::new();
    let (cert, key) = (set.path("cert.pem"), set.path("key.pem"));
    let text = fs::read_to_string(&key).unwrap();
    set.write("key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    set.check("key.pem", "cannot be used");
    set.write("key.pem", &text[..text.len() / 2]);
    set.check("key.pem", "cannot be used");
    set.write("key.pem", &text);
    let text = fs::read_to_string(&cert).unwrap();
    set.write("cert.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    set.check("cert.pem", "damaged certificate");
    set.write("cert.pem", &text[..text.len() / 2]);
    set.check("cert.pem", "damaged certificate");
}

#[test]
fn no_file_is_read_without_end() {
    let mut set = Set::new();
    let endless = PathBuf::from("/dev/zero");
    set.files.identity.cert = endless;
    assert!(set.files.load(now()).unwrap_err().to_string().starts_with("/dev/zero is longer than"));
}

#[test]
fn a_key_of_another_certificate_is_told_with_both_names() {
    let set = Set::new();
    set.write("key.pem", &set.authority.issue(&["localhost"]).key);
    set.check("key.pem", "does not belong to the certificate in");
    set.check("cert.pem", "does not belong to the certificate in");
}

#[test]
fn certificates_out_of_their_time_are_told_with_the_time() {
    let set = Set::new();
    let old = set.authority.issue_between(&["localhost"], 2020, 2025);
    old.write(set.directory.path());
    set.check("cert.pem", "expired at 2025-01-01T00:00:00Z");
    let new = set.authority.issue_between(&["localhost"], 2027, 2030);
    new.write(set.directory.path());
    set.check("cert.pem", "is not valid before 2027-01-01T00:00:00Z");
}

#[test]
fn a_bundle_of_authorities_may_hold_old_ones_but_not_only_those() {
    let set = Set::new();
    let old = set.authority.issue_between(&["old"], 2020, 2025).cert;
    set.write("ca.pem", &format!("{old}{}", set.authority.pem()));
    set.files.load(now()).unwrap();
    set.write("ca.pem", &old);
    set.check("ca.pem", "expired at 2025-01-01T00:00:00Z");
}

#[test]
fn clients_cannot_be_verified_without_an_authority() {
    let mut set = Set::new();
    set.files.ca = None;
    assert!(set.files.load(now()).unwrap_err().to_string().contains("verify_incoming needs `ca`"));
    set.files.verify_incoming = false;
    set.files.load(now()).unwrap();
}

#[test]
fn a_stamp_changes_with_every_file_and_only_then() {
    let set = Set::new();
    let stamp = set.files.stamp();
    assert_eq!(set.files.stamp(), stamp);
    for name in ["cert.pem", "key.pem", "ca.pem"] {
        let before = set.files.stamp();
        let text = fs::read_to_string(set.path(name)).unwrap();
        let new = set.write("new", &text);
        fs::rename(new, set.path(name)).unwrap();
        assert_ne!(set.files.stamp(), before, "{name}");
    }
    let before = set.files.stamp();
    fs::remove_file(set.path("ca.pem")).unwrap();
    assert_ne!(set.files.stamp(), before);
}

#[test]
fn a_client_is_told_which_of_its_files_is_wrong() {
    let set = Set::new();
    let check = |trust: Trust, identity: Option<&Identity>, name: &Path, sentence: &str| {
        let error = client_config(&trust, identity).unwrap_err().to_string();
        assert!(error.contains(&name.display().to_string()) && error.contains(sentence), "{error}");
    };
    let nowhere = set.path("nowhere");
    check(Trust::File(nowhere.clone()), None, &nowhere, "cannot be read");
    check(Trust::Directory(nowhere.clone()), None, &nowhere, "cannot be read");
    check(Trust::SystemAnd(nowhere.clone()), None, &nowhere, "cannot be read");
    check(Trust::File(set.path("key.pem")), None, &set.path("key.pem"), "holds no certificate");
    let whole = set.directory.path().to_owned();
    check(Trust::Directory(whole), None, &set.path("key.pem"), "holds no certificate");
    let other = set.authority.issue(&["other"]);
    let mixed = Identity { key: set.write("other.pem", &other.key), ..set.files.identity.clone() };
    check(Trust::Nobody, Some(&mixed), &mixed.key, "does not belong");
}

#[test]
fn a_directory_of_authorities_is_read_whole() {
    let set = Set::new();
    let directory = set.path("authorities");
    fs::create_dir_all(directory.join("deeper")).unwrap();
    let trust = Trust::Directory(directory.clone());
    assert!(client_config(&trust, None).unwrap_err().to_string().contains("holds no certificate"));
    fs::write(directory.join("a.pem"), set.authority.pem()).unwrap();
    client_config(&trust, None).unwrap();
}
