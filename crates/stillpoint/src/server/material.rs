//! The certificates in force: read at the start, read again on SIGHUP and when their files change.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tls::{Files, ServerConfig, Stamp, UnixTime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::exit::{ExitCode, Failure};

/// How often the files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(3);

/// What the listeners make handshakes with, as of now.
pub(super) type Current = watch::Receiver<Arc<ServerConfig>>;

/// The TLS of the listeners, or that there is none. From its opening on SIGHUP no longer ends the process.
pub(super) struct Material {
    hangups: Signal,
    certificates: Option<Certificates>,
}

impl Material {
    /// Reads and checks the files, if any are named.
    pub(super) fn open(files: Option<Files>) -> anyhow::Result<Material> {
        let hangups = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
        let certificates = files.map(Certificates::open).transpose().map_err(cannot_use)?;
        Ok(Material { hangups, certificates })
    }

    /// What to make handshakes with, unless there is no TLS. Each handshake should look anew.
    pub(super) fn current(&self) -> Option<Current> {
        self.certificates.as_ref().map(|certificates| certificates.current.subscribe())
    }

    /// Follows signals and files as long as it is polled. It reads files where it is polled, which should not
    /// be on a thread that serves.
    pub(super) async fn keep_fresh(mut self) -> Infallible {
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(()) = self.hangups.recv() => match &mut self.certificates {
                    Some(certificates) => certificates.reload(),
                    None => tracing::info!("SIGHUP: there are no certificates to reload"),
                },
                _ = looks.tick() => if let Some(certificates) = &mut self.certificates {
                    certificates.refresh();
                },
            }
        }
    }
}

pub(super) fn cannot_use(error: tls::Error) -> anyhow::Error {
    Failure::new(ExitCode::Failed, format!("TLS cannot be set up: {error}")).into()
}

struct Certificates {
    files: Files,
    /// Of the files as they were read last, whether they could be used or not.
    stamp: Stamp,
    current: watch::Sender<Arc<ServerConfig>>,
}

impl Certificates {
    fn open(files: Files) -> Result<Certificates, tls::Error> {
        let stamp = files.stamp();
        let config = files.load(UnixTime::now())?;
        Ok(Certificates { files, stamp, current: watch::Sender::new(Arc::new(config)) })
    }

    /// Reads the files again if they changed. The same bad files are told of once.
    fn refresh(&mut self) {
        if self.files.stamp() != self.stamp {
            self.reload();
        }
    }

    /// Reads the files again. If they cannot be used, those in force stay.
    fn reload(&mut self) {
        self.stamp = self.files.stamp();
        match self.files.load(UnixTime::now()) {
            Ok(config) => {
                self.current.send_replace(Arc::new(config));
                tracing::info!("the TLS certificates were read again");
            }
            Err(error) => tracing::warn!("the TLS certificates stay as they were: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tls::testing::Authority;

    use super::*;

    /// Whether a new configuration came into force.
    fn replaced(certificates: &mut Certificates, step: fn(&mut Certificates)) -> bool {
        let before = Arc::clone(&certificates.current.borrow());
        step(certificates);
        !Arc::ptr_eq(&before, &certificates.current.borrow())
    }

    #[test]
    fn changed_files_replace_the_certificate_and_bad_ones_leave_it() {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca");
        let files = authority.issue(&["localhost"]).serve(directory.path(), &authority, false);
        let mut certificates = Certificates::open(files.clone()).unwrap();
        assert!(!replaced(&mut certificates, Certificates::refresh), "nothing changed");
        assert!(replaced(&mut certificates, Certificates::reload), "it was asked for");

        authority.issue(&["localhost"]).write(directory.path());
        assert!(replaced(&mut certificates, Certificates::refresh));
        assert!(!replaced(&mut certificates, Certificates::refresh), "nothing changed since");

        let half = authority.issue(&["localhost"]);
        std::fs::write(&files.identity.cert, &half.cert).unwrap();
        assert!(!replaced(&mut certificates, Certificates::refresh), "the key is still the old one's");
        std::fs::write(&files.identity.key, &half.key).unwrap();
        assert!(replaced(&mut certificates, Certificates::refresh), "now both are there");

        authority.issue_between(&["localhost"], 2000, 2001).write(directory.path());
        assert!(!replaced(&mut certificates, Certificates::refresh), "it expired");
        assert!(!replaced(&mut certificates, Certificates::reload), "even if asked for");
    }
}
