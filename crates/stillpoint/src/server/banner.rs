//! What the server says once it serves: where it is, and commands to try. Each of them works as printed.

use std::io::Write;
use std::net::SocketAddr;

use node::{DefaultPolicy, Node};

use super::listen::Listeners;
use crate::args::ServerArgs;

/// Prints addresses, the data directory and, with `--dev`, sample commands.
pub(super) fn print(args: &ServerArgs, node: &Node, listeners: &Listeners, over_tls: bool) {
    let mut text = String::new();
    let data_dir = &node.settings().data_dir;
    // The commands are to work wherever they are typed.
    let data_dir = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.clone());
    let data_dir = data_dir.display();
    let scheme = if over_tls { "https" } else { "http" };
    let (consul, native) = (listeners.address("consul"), listeners.address("native"));
    text.push_str(&format!("stillpoint {} serves\n", env!("CARGO_PKG_VERSION")));
    for (dialect, address) in listeners.addresses() {
        match address {
            Some(address) => text.push_str(&format!("  {dialect:<11} {scheme}://{address}\n")),
            None => text.push_str(&format!("  {dialect:<11} off\n")),
        }
    }
    let bootstrap = |address: SocketAddr| format!("{scheme}://{address}/v1/acl/bootstrap");
    text.push_str(&format!("  acl         {}\n", access(node, consul.map(bootstrap))));
    text.push_str(&format!(
        "  nomad acl   {}\n",
        nomad_access(node, listeners.address("nomad").map(bootstrap))
    ));
    text.push_str(&format!("  data        {data_dir}\n  token       {data_dir}/token\n"));
    // With TLS or ACL, commands that work as printed would have to know a CA or a secret.
    let settings = node.settings();
    let is_open = !over_tls && !settings.access.enabled && !settings.nomad_access;
    if let (true, true, Some(consul), Some(native)) = (args.dev, is_open, consul, native) {
        text.push_str(&samples(&consul.to_string(), &native.to_string(), &data_dir.to_string()));
    }
    // Nobody may be listening to stderr.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Whether access to Consul's API is controlled, and how that begins if it has not yet.
fn access(node: &Node, bootstrap: Option<String>) -> String {
    let access = &node.settings().access;
    if !access.enabled {
        return "off".to_owned();
    }
    let default = match access.default_policy {
        DefaultPolicy::Deny => "on, default deny",
        _ => "on, default allow",
    };
    default.to_owned() + &to_bootstrap(node.is_bootstrapped(), bootstrap)
}

/// The same of Nomad's API.
fn nomad_access(node: &Node, bootstrap: Option<String>) -> String {
    match node.settings().nomad_access {
        true => "on".to_owned() + &to_bootstrap(node.is_nomad_bootstrapped(), bootstrap),
        false => "off".to_owned(),
    }
}

/// How the first management token is to be had, if nobody has it yet. What can't be read is left unsaid.
fn to_bootstrap(is_done: node::Result<bool>, url: Option<String>) -> String {
    match (is_done, url) {
        (Ok(false), Some(url)) => format!("; PUT {url} makes the first management token"),
        _ => String::new(),
    }
}

/// Says the same in one line of the log.
pub(super) fn log(node: &Node, listeners: &Listeners, over_tls: bool) {
    let address = |what| listeners.address(what).map(|address| address.to_string());
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        consul = address("consul"),
        nomad = address("nomad"),
        qdrant = address("qdrant"),
        qdrant_grpc = address("qdrant-grpc"),
        native = address("native"),
        tls = over_tls,
        data_dir = %node.settings().data_dir.display(),
        "stillpoint serves"
    );
}

/// Commands for the first five minutes.
fn samples(consul: &str, native: &str, data_dir: &str) -> String {
    let this =
        std::env::current_exe().map_or_else(|_| "stillpoint".to_owned(), |path| path.display().to_string());
    format!(
        "\ntry\n\
         \x20 curl -X PUT -d 'hello' http://{consul}/v1/kv/greeting\n\
         \x20 curl 'http://{consul}/v1/kv/greeting?raw'\n\
         \x20 curl -o backup.snap http://{consul}/v1/snapshot\n\
         \x20 {this} inspect backup.snap\n\
         \x20 curl -X DELETE http://{consul}/v1/kv/greeting\n\
         \x20 curl -X PUT --data-binary @backup.snap http://{consul}/v1/snapshot\n\
         \x20 curl 'http://{consul}/v1/kv/greeting?raw'\n\
         \x20 {this} undo consul --native {native} --data-dir {data_dir}\n\
         \x20 {this} status --native {native} --data-dir {data_dir}\n"
    )
}
