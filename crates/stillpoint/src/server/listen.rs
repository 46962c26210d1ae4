//! The addresses that the server takes, and what it serves there.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use dialects::{Outgoing, consul, native, nomad, observed};
use node::Node;
use tokio::net::TcpListener;

use super::config::Config;
use crate::args::Listen;
use crate::exit::{ExitCode, Failure};

/// Every address taken.
pub(super) struct Listeners {
    pub(super) consul: Option<TcpListener>,
    pub(super) nomad: Option<TcpListener>,
    pub(super) native: Option<TcpListener>,
}

impl Listeners {
    /// Takes every address or none.
    pub(super) async fn bind(config: &Config) -> anyhow::Result<Listeners> {
        Ok(Listeners {
            consul: bind("consul", config.consul).await?,
            nomad: bind("nomad", config.nomad).await?,
            native: bind("native", config.native).await?,
        })
    }

    pub(super) fn native_address(&self) -> Option<SocketAddr> {
        self.native.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    pub(super) fn consul_address(&self) -> Option<SocketAddr> {
        self.consul.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    pub(super) fn nomad_address(&self) -> Option<SocketAddr> {
        self.nomad.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    /// Each listener with the routes of its dialect, whose requests are logged and counted. `outgoing` is for
    /// connections to other datacenters and regions.
    pub(super) fn with_routes(self, node: &Node, outgoing: Outgoing) -> Vec<(TcpListener, Router)> {
        let consul = consul::routes(node.clone(), outgoing.clone());
        let nomad = nomad::routes(node.clone(), outgoing);
        let native = native::routes(node.clone());
        let served = [
            (self.consul, observed(node, "consul", consul::operation, consul)),
            (self.nomad, observed(node, "nomad", nomad::operation, nomad)),
            (self.native, observed(node, "native", native::operation, native)),
        ];
        served.into_iter().filter_map(|(listener, routes)| Some((listener?, routes))).collect()
    }
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
