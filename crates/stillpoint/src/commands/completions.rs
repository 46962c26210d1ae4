//! `stillpoint completions`: a script that teaches a shell our command line.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use crate::args::Args;
use crate::output;

pub(super) fn run(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    generate(shell, &mut Args::command(), env!("CARGO_BIN_NAME"), &mut script);
    output::write_stdout(&script)
}
