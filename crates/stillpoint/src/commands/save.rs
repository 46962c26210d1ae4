//! `stillpoint save`: a verified archive of a server's state.

use std::path::PathBuf;

use jiff::Timestamp;

use super::receive::Destination;
use crate::args::SaveArgs;
use crate::exit::Failure;
use crate::output::Output;
use crate::remote::Remote;

pub(super) async fn run(args: SaveArgs, output: Output) -> anyhow::Result<()> {
    let remote = Remote::open(&args.target, &args.connection)?;
    if let (Some(_), Remote::Consul { .. }) = (args.level, &remote) {
        return Err(Failure::usage("Consul's API has no compression level").hint("leave --level out").into());
    }
    let path = args.file.unwrap_or_else(|| default_name(Timestamp::now()));
    let destination = Destination::prepare(&path, args.force, output)?;
    let download = remote.save(args.stale, args.level).await?;
    let received = destination.receive(args.target.to_string(), download, output).await?;
    received.report(output)
}

/// `consul-20260102T030405Z.snap`.
fn default_name(now: Timestamp) -> PathBuf {
    format!("consul-{}.snap", now.strftime("%Y%m%dT%H%M%SZ")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_name_sorts_by_time() {
        let now: Timestamp = "2026-01-02T03:04:05.678Z".parse().unwrap();
        assert_eq!(default_name(now), PathBuf::from("consul-20260102T030405Z.snap"));
    }
}
