//! `stillpoint undo`: brings back what the last restore replaced. Doing it again is redoing.

use crate::args::UndoArgs;
use crate::exit::{ExitCode, Failure};
use crate::output::Output;
use crate::remote;
use crate::target::Scope;

pub(super) async fn run(args: UndoArgs, output: Output) -> anyhow::Result<()> {
    let scope = args.target.native_scope("undo a restore")?.to_string();
    let client = remote::native(&args.connection, output)?;
    let image = match args.image {
        Some(image) => image,
        // Naming what we saw keeps a restore that comes between from being undone in its place.
        None => match client.scope(&scope).await?.previous {
            Some(previous) => previous.image,
            None => return Err(Failure::new(ExitCode::Failed, "there is nothing to undo").into()),
        },
    };
    let undone = client.undo(&scope, Some(image)).await?;
    output.talk(&match args.target.scope() {
        Scope::Records(_) => format!(
            "Undone: {scope} is as it was before the restore, now at index {}; undo again to redo",
            undone.index
        ),
        Scope::Points(_) => format!("Undone: {scope} is as it was before the restore; undo again to redo"),
    });
    output.result(&undone, "")
}
