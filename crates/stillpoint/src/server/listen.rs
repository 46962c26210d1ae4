//! The addresses that the server takes, and what it serves there.

use std::io;
use std::net::SocketAddr;

use axum::Router;
#[cfg(feature = "qdrant")]
use dialects::{Fetcher, qdrant};
use dialects::{Outgoing, consul, native, nomad, observed};
use node::Node;
use tokio::net::TcpListener;

use super::config::Config;
use crate::args::Listen;
use crate::exit::{ExitCode, Failure};

/// Every address taken, by the name of its listener; `None` for those that are off.
pub(super) struct Listeners(Vec<(&'static str, Option<TcpListener>)>);

impl Listeners {
    /// Takes every address or none.
    pub(super) async fn bind(config: &Config) -> anyhow::Result<Listeners> {
        let mut listeners = Vec::new();
        for (what, listen) in config.addresses() {
            listeners.push((what, bind(what, listen).await?));
        }
        Ok(Listeners(listeners))
    }

    /// Every listener and where it is.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (&'static str, Option<SocketAddr>)> {
        let address = |listener: &TcpListener| listener.local_addr().ok();
        self.0.iter().map(move |(what, listener)| (*what, listener.as_ref().and_then(address)))
    }

    /// Where a listener is, if it is on.
    pub(super) fn address(&self, what: &str) -> Option<SocketAddr> {
        self.addresses().find(|(name, _)| *name == what)?.1
    }

    /// Each listener with the routes of its dialect, whose requests are logged and counted. `outgoing` is for
    /// connections to other datacenters and regions.
    pub(super) fn with_routes(
        self,
        node: &Node,
        config: &Config,
        outgoing: &Outgoing,
    ) -> Vec<(TcpListener, Router)> {
        #[cfg(feature = "qdrant")]
        let setup = self.qdrant_setup(config, outgoing);
        #[cfg(not(feature = "qdrant"))]
        let setup = config;
        let served = self.0.into_iter().filter_map(|(what, listener)| Some((what, listener?)));
        served.map(|(what, listener)| (listener, routes(what, node, &setup, outgoing))).collect()
    }

    #[cfg(feature = "qdrant")]
    fn qdrant_setup(&self, config: &Config, outgoing: &Outgoing) -> qdrant::Setup {
        let scheme = if config.tls.is_some() { "https" } else { "http" };
        // An address that stands for all of them leads clients nowhere.
        let native = self.address("native").filter(|address| !address.ip().is_unspecified());
        qdrant::Setup {
            keys: config.qdrant.keys.clone(),
            native_url: native.map(|address| format!("{scheme}://{address}")),
            fetcher: config.fetch_policy().map(|policy| Fetcher::new(policy, outgoing.clone())),
        }
    }
}

/// What the routes of Qdrant's API are told.
#[cfg(feature = "qdrant")]
type Setup = qdrant::Setup;
#[cfg(not(feature = "qdrant"))]
type Setup<'a> = &'a Config;

fn routes(what: &'static str, node: &Node, setup: &Setup, outgoing: &Outgoing) -> Router {
    #[cfg(not(feature = "qdrant"))]
    let _ = setup;
    let (operation, routes): (dialects::Operation, Router) = match what {
        "consul" => (consul::operation, consul::routes(node.clone(), outgoing.clone())),
        "nomad" => (nomad::operation, nomad::routes(node.clone(), outgoing.clone())),
        #[cfg(feature = "qdrant")]
        "qdrant" => (qdrant::operation, qdrant::router(node.clone(), setup.clone())),
        #[cfg(feature = "qdrant")]
        "qdrant-grpc" => (qdrant::grpc::operation, qdrant::grpc::router(node.clone(), setup.keys.clone())),
        _ => (native::operation, native::routes(node.clone())),
    };
    observed(node, what, operation, routes)
}

async fn bind(what: &str, listen: Listen) -> anyhow::Result<Option<TcpListener>> {
    let Listen::At(address) = listen else { return Ok(None) };
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let message = format!("{address} ({what}) is in use: pass --{what} ADDR or --{what} off");
            Err(Failure::new(ExitCode::Failed, message).into())
        }
        Err(error) => {
            let message = format!("{address} ({what}) cannot be listened on: {error}");
            Err(Failure::new(ExitCode::Failed, message)
                .hint(format!("pass --{what} ADDR or --{what} off"))
                .into())
        }
    }
}
