//! Blocks as Go's `%#v` prints them: genuine error texts contain them.

use super::blocks::Block;
use crate::quote::Quoted;

/// Prints a block with all its fields.
pub(super) fn namespace(block: &Block) -> String {
    // Genuine texts have an address here, which tells nothing.
    let variables = if block.variables.is_some() { "0x0" } else { "nil" };
    let fields = labelled(block);
    format!("&acl.NamespacePolicy{{{fields}, Variables:(*acl.VariablesPolicy)({variables})}}")
}

pub(super) fn host_volume(block: &Block) -> String {
    format!("&acl.HostVolumePolicy{{{}}}", labelled(block))
}

/// Prints a block of which there is one, such as `agent`.
pub(super) fn single(name: &str, block: &Block, has_capabilities: bool) -> String {
    let (first, rest) = name.split_at(1);
    let fields = if has_capabilities { policy_and_capabilities(block) } else { policy(block) };
    format!("&acl.{}{rest}Policy{{{fields}}}", first.to_ascii_uppercase())
}

pub(super) fn quoted(text: &str) -> String {
    Quoted(text.to_owned().into()).to_string()
}

fn labelled(block: &Block) -> String {
    format!("Name:{}, {}", quoted(&block.name), policy_and_capabilities(block))
}

fn policy_and_capabilities(block: &Block) -> String {
    let capabilities = match &block.capabilities {
        None => "(nil)".into(),
        Some(words) => {
            let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
            format!("{{{}}}", words.join(", "))
        }
    };
    format!("{}, Capabilities:[]string{capabilities}", policy(block))
}

fn policy(block: &Block) -> String {
    format!("Policy:{}", quoted(&block.policy))
}
