//! The certificates in force, for who comes in and for whom we go to: read at the start, read again on SIGHUP
//! and when their files change.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use dialects::Outgoing;
use tls::{ClientConfig, Files, ServerConfig, Stamp, Trust, UnixTime};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use crate::exit::{ExitCode, Failure};

/// How often the files are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(3);

/// What the listeners make handshakes with, as of now.
pub(super) type Current = watch::Receiver<Arc<ServerConfig>>;

/// The TLS of the listeners and of connections to other datacenters, or that there is none. From its opening on
/// SIGHUP no longer ends the process.
pub(super) struct Material {
    hangups: Signal,
    certificates: Option<Certificates>,
    outgoing: Outgoing,
}

impl Material {
    /// Reads and checks the files, if any are named. `trust` is in other datacenters.
    pub(super) fn open(files: Option<Files>, trust: Trust) -> anyhow::Result<Material> {
        let hangups = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
        let Some(files) = files else {
            let outgoing = tls::client_config(&trust, None).map_err(cannot_use)?;
            let outgoing = watch::Sender::new(Arc::new(outgoing)).subscribe();
            return Ok(Material { hangups, certificates: None, outgoing });
        };
        let certificates = Certificates::open(files, trust).map_err(cannot_use)?;
        let outgoing = certificates.outgoing.subscribe();
        Ok(Material { hangups, certificates: Some(certificates), outgoing })
    }

    /// What to make handshakes with, unless there is no TLS. Each handshake should look anew.
    pub(super) fn current(&self) -> Option<Current> {
        self.certificates.as_ref().map(|certificates| certificates.current.subscribe())
    }

    /// What to reach other datacenters with: the server's own certificate is ours as a client, too.
    pub(super) fn outgoing(&self) -> Outgoing {
        self.outgoing.clone()
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

fn cannot_use(error: tls::Error) -> anyhow::Error {
    Failure::new(ExitCode::Failed, format!("TLS cannot be set up: {error}")).into()
}

struct Certificates {
    files: Files,
    /// In other datacenters.
    trust: Trust,
    /// Of the files as they were read last, whether they could be used or not.
    stamp: Stamp,
    current: watch::Sender<Arc<ServerConfig>>,
    outgoing: watch::Sender<Arc<ClientConfig>>,
}

impl Certificates {
    fn open(files: Files, trust: Trust) -> Result<Certificates, tls::Error> {
        let stamp = files.stamp();
        let (incoming, outgoing) = load(&files, &trust)?;
        let (current, outgoing) = (watch::Sender::new(incoming), watch::Sender::new(outgoing));
        Ok(Certificates { files, trust, stamp, current, outgoing })
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
        match load(&self.files, &self.trust) {
            Ok((incoming, outgoing)) => {
                self.current.send_replace(incoming);
                self.outgoing.send_replace(outgoing);
                tracing::info!("the TLS certificates were read again");
            }
            Err(error) => tracing::warn!("the TLS certificates stay as they were: {error}"),
        }
    }
}

/// Both or neither come into force.
fn load(files: &Files, trust: &Trust) -> Result<(Arc<ServerConfig>, Arc<ClientConfig>), tls::Error> {
    let incoming = files.load(UnixTime::now())?;
    let outgoing = tls::client_config(trust, Some(&files.identity))?;
    Ok((Arc::new(incoming), Arc::new(outgoing)))
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
        let mut certificates = Certificates::open(files.clone(), Trust::Nobody).unwrap();
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
