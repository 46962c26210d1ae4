//! The server: settings resolved, addresses taken, the node opened, every dialect served until a signal.

mod acl;
mod banner;
mod config;
mod handshake;
mod listen;
mod logging;
mod material;
#[cfg(feature = "qdrant")]
mod qdrant;
#[cfg(feature = "qdrant")]
mod recovery;

use std::future::IntoFuture;
use std::io;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use node::{Node, Parts};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::config::Config;
use self::handshake::Handshakes;
use self::listen::Listeners;
use self::material::Material;
use crate::args::{LogFormat, ServerArgs};
use crate::exit::{ExitCode, Failure};

/// How long open connections may finish what they do after a signal.
const GRACE: Duration = Duration::from_secs(10);

/// Runs until it is told to stop. Signals are this function's own business.
///
/// Addresses are taken before the data directory is touched, so a taken port changes nothing.
pub(crate) async fn run(args: ServerArgs) -> anyhow::Result<ExitCode> {
    let config = Config::resolve(&args)?;
    logging::start(config.log);
    config.tell();
    match (open_and_serve(&args, &config).await, config.log.format) {
        (Err(error), LogFormat::Json) => Ok(logging::end(&error)),
        (ended, _) => ended,
    }
}

async fn open_and_serve(args: &ServerArgs, config: &Config) -> anyhow::Result<ExitCode> {
    #[cfg(feature = "qdrant")]
    config.qdrant.check_cpu()?;
    #[cfg(feature = "qdrant")]
    let recovery = recovery::Recovery::of(&args.qdrant)?;
    let material = Material::open(config.tls.clone(), config.trust())?;
    let listeners = Listeners::bind(config).await?;
    let settings = config.settings(listeners.address("native"));
    let node = Node::open(settings, Parts::alone()).await.map_err(cannot_open)?;
    let ready = make_ready(&node).await.map_err(anyhow::Error::from);
    #[cfg(feature = "qdrant")]
    let ready = match ready {
        Ok(()) => recovery.run(&node).await,
        not_ready => not_ready,
    };
    let ended = match ready {
        Ok(()) => {
            match config.log.format {
                LogFormat::Text => banner::print(args, &node, &listeners, config.tls.is_some()),
                LogFormat::Json => banner::log(&node, &listeners, config.tls.is_some()),
            }
            serve(&node, config, listeners, material).await
        }
        Err(error) => Err(error),
    };
    node.shutdown().await;
    ended
}

/// Waits until there is a leader and, if it is this node, access control has all it begins with: nobody is
/// served before.
async fn make_ready(node: &Node) -> node::Result<()> {
    node.wait_for_leader().await?;
    match node.initialize().await {
        Err(error) if error.kind() == node::Kind::NotLeader => Ok(()),
        initialized => initialized,
    }
}

/// Serves until a signal comes or the node stops by itself.
async fn serve(
    node: &Node,
    config: &Config,
    listeners: Listeners,
    material: Material,
) -> anyhow::Result<ExitCode> {
    let (stop, stopping) = watch::channel(false);
    let mut servers = JoinSet::new();
    for (listener, routes) in listeners.with_routes(node, config, &material.outgoing()) {
        serve_at(listener, routes, &material, stopping.clone(), &mut servers);
    }
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let ended = tokio::select! {
        _ = interrupt.recv() => Ok(ExitCode::Ok),
        _ = terminate.recv() => Ok(ExitCode::Ok),
        why = failed(node) => Err(anyhow::anyhow!("the node has stopped: {why}")),
        never = material.keep_fresh() => match never {},
    };
    tracing::info!("shutting down");
    stop.send_replace(true);
    node.begin_shutdown();
    let drained = tokio::time::timeout(GRACE, async { while servers.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!("connections were still open after {} s; they are cut", GRACE.as_secs());
    }
    ended
}

/// Serves at one address until `stopping`, over TLS if there is material for it.
fn serve_at(
    listener: TcpListener,
    routes: Router,
    material: &Material,
    mut stopping: watch::Receiver<bool>,
    servers: &mut JoinSet<io::Result<()>>,
) {
    let stopped = async move {
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    match material.current() {
        None => servers.spawn(axum::serve(listener, routes).with_graceful_shutdown(stopped).into_future()),
        Some(current) => {
            let listener = Handshakes::new(listener, current);
            servers.spawn(axum::serve(listener, routes).with_graceful_shutdown(stopped).into_future())
        }
    };
}

/// Waits until the node can no longer go on: its disk failed, or its state machine did.
async fn failed(node: &Node) -> String {
    let mut status = node.follow();
    let stopped = status.wait_for(|status| status.running.is_err()).await;
    stopped.map_or_else(|_| "it closed".to_owned(), |status| status.running.clone().err().unwrap_or_default())
}

fn cannot_open(error: node::Error) -> anyhow::Error {
    let code = match error.kind() {
        node::Kind::Denied => ExitCode::Denied,
        _ => ExitCode::Failed,
    };
    let failure = Failure::new(code, error.message());
    match error.advice() {
        Some(hint) => failure.hint(hint).into(),
        None => failure.into(),
    }
}
