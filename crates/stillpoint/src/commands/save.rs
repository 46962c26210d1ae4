//! `stillpoint save`: a verified archive of a server's state.

use std::path::PathBuf;

use jiff::Timestamp;

use super::receive::Destination;
use crate::args::SaveArgs;
use crate::exit::Failure;
use crate::output::Output;
use crate::remote::Remote;
use crate::target::Scope;

pub(super) async fn run(args: SaveArgs, output: Output) -> anyhow::Result<()> {
    let remote = Remote::open(&args.target, &args.connection, output)?;
    if let (Some(_), Remote::Server { client, .. }) = (args.level, &remote) {
        let message = format!("{}'s API has no compression level", client.product());
        return Err(Failure::usage(message).hint("leave --level out").into());
    }
    let path = args.file.unwrap_or_else(|| default_name(args.target.scope(), Timestamp::now()));
    let destination = Destination::prepare(&path, args.force, output)?;
    let download = remote.save(args.stale, args.level).await?;
    let received =
        destination.receive(args.target.product(), args.target.to_string(), download, output).await?;
    received.report(output)
}

/// `consul-20260102T030405Z.snap`.
fn default_name(scope: Scope, now: Timestamp) -> PathBuf {
    format!("{}-{}.snap", scope.name(), now.strftime("%Y%m%dT%H%M%SZ")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_name_sorts_by_time() {
        let now: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        assert_eq!(default_name(Scope::Nomad, now), PathBuf::from("nomad-20260102T030405Z.snap"));
    }
}
