//! The addresses that the server takes, and what it serves there.

use std::io;
use std::net::SocketAddr;

use axum::Router;
#[cfg(feature = "qdrant")]
use dialects::qdrant;
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
        let served = self.0.into_iter().filter_map(|(what, listener)| Some((what, listener?)));
        served.map(|(what, listener)| (listener, routes(what, node, config, outgoing))).collect()
    }
}

fn routes(what: &'static str, node: &Node, config: &Config, outgoing: &Outgoing) -> Router {
    #[cfg(not(feature = "qdrant"))]
    let _ = config;
    let (operation, routes): (dialects::Operation, Router) = match what {
        "consul" => (consul::operation, consul::routes(node.clone(), outgoing.clone())),
        "nomad" => (nomad::operation, nomad::routes(node.clone(), outgoing.clone())),
        #[cfg(feature = "qdrant")]
        "qdrant" => (qdrant::operation, qdrant::router(node.clone(), config.qdrant.keys.clone())),
        #[cfg(feature = "qdrant")]
        "qdrant-grpc" => {
            (qdrant::grpc::operation, qdrant::grpc::router(node.clone(), config.qdrant.keys.clone()))
        }
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
