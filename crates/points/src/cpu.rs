//! Whether this machine can run the engine.

/// What the engine's C code is compiled for (`-march=haswell`) beyond what every x86-64 has. It asks at run
/// time for less than it was compiled for: functions chosen because the processor has SSE4.1 may use any of these.
#[cfg(target_arch = "x86_64")]
const NEEDED: [&str; 8] = ["avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe", "popcnt"];

/// Why the engine cannot run here: a sentence for the operator; `None` if it can.
#[cfg(target_arch = "x86_64")]
pub fn check_cpu() -> Option<String> {
    use std::arch::is_x86_feature_detected as detected;
    sentence(&NEEDED, |feature| match feature {
        "avx2" => detected!("avx2"),
        "bmi1" => detected!("bmi1"),
        "bmi2" => detected!("bmi2"),
        "f16c" => detected!("f16c"),
        "fma" => detected!("fma"),
        "lzcnt" => detected!("lzcnt"),
        "movbe" => detected!("movbe"),
        "popcnt" => detected!("popcnt"),
        _ => false,
    })
}

/// Why the engine cannot run here: a sentence for the operator; `None` if it can.
#[cfg(not(target_arch = "x86_64"))]
pub fn check_cpu() -> Option<String> {
    None
}

#[cfg(any(target_arch = "x86_64", test))]
fn sentence(needed: &[&str], has: impl Fn(&str) -> bool) -> Option<String> {
    let missing: Vec<_> = needed.iter().copied().filter(|feature| !has(feature)).collect();
    match missing.is_empty() {
        true => None,
        false => Some(format!("this processor cannot run collections: it lacks {}", missing.join(", "))),
    }
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn an_old_processor_gets_a_sentence() {
        let needed = ["avx2", "fma", "popcnt"];
        let old = ["popcnt"];
        assert_eq!(
            sentence(&needed, |feature| old.contains(&feature)).as_deref(),
            Some("this processor cannot run collections: it lacks avx2, fma")
        );
        assert_eq!(sentence(&needed, |_| true), None);
    }
}
