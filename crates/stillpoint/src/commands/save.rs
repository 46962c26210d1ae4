//! `stillpoint save`: a verified archive of a server's state.

use std::path::PathBuf;

use client::qdrant;
use jiff::Timestamp;

use super::leftover::Temporary;
use super::points;
use super::receive::Destination;
use crate::args::SaveArgs;
use crate::exit::Failure;
use crate::output::Output;
use crate::remote::{Points, Remote};
use crate::target::Scope;

pub(super) async fn run(mut args: SaveArgs, output: Output) -> anyhow::Result<()> {
    let scope = args.target.scope().clone();
    let path = args.file.take().unwrap_or_else(|| default_name(&scope, Timestamp::now()));
    match scope {
        Scope::Records(product) => {
            let remote = Remote::open(product, &args.target, &args.connection, output)?;
            if let (Some(_), Remote::Server { client, .. }) = (args.level, &remote) {
                let message = format!("{}'s API has no compression level", client.product());
                return Err(Failure::usage(message).hint("leave --level out").into());
            }
            let destination = Destination::prepare(&path, args.force, output)?;
            let download = remote.save(args.stale, args.level).await?;
            let received = destination.receive(scope, args.target.to_string(), download, output).await?;
            received.report(output)
        }
        Scope::Points(ref points) => {
            points::refuse(
                "a save of points",
                &[("--stale", args.stale), ("--level", args.level.is_some())],
            )?;
            let remote = Points::open(points, &args.target, &args.connection, output)?;
            let destination = Destination::prepare(&path, args.force, output)?;
            // On the server until this function ends, however it ends.
            let _made;
            let download = match &remote {
                Points::Native(client) => client.save(&points.to_string(), false, None).await?,
                Points::Server(client) if matches!(points, qdrant::Scope::Shard(..)) => {
                    client.stream().await?
                }
                Points::Server(client) => {
                    output.talk(&format!("Having {} make a snapshot", remote.place(points)));
                    let (made, snapshot) = Temporary::create(client, output).await?;
                    _made = made;
                    client.download(&snapshot).await?
                }
            };
            let received = destination.receive(scope, args.target.to_string(), download, output).await?;
            received.report(output)
        }
    }
}

/// `consul-20260102T030405Z.snap`, `qdrant-cities-0-20260102T030405Z.snapshot`.
fn default_name(scope: &Scope, now: Timestamp) -> PathBuf {
    let extension = match scope {
        Scope::Records(_) => "snap",
        Scope::Points(_) => "snapshot",
    };
    let scope = points::file_name(&scope.to_string());
    format!("{scope}-{}.{extension}", now.strftime("%Y%m%dT%H%M%SZ")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    #[test]
    fn the_default_name_sorts_by_time() {
        let now: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let check = |target: &str, expected: &str| {
            let target: Target = target.parse().unwrap();
            assert_eq!(default_name(target.scope(), now), PathBuf::from(expected));
        };
        check("nomad", "nomad-20260102T030405Z.snap");
        check("qdrant://h/a%20b/3", "qdrant-a b-3-20260102T030405Z.snapshot");
    }
}
