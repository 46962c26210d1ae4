//! Whether this machine can run the engine.

/// Why the engine cannot run here: a sentence for the operator; `None` if it can.
pub fn check_cpu() -> Option<String> {
    None
}
