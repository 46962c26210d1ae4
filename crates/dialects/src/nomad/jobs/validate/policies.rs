//! How groups are updated, restarted, moved, scaled and repeated (`hashicorp/nomad:nomad/structs/structs.go`,
//! `structs/group.go`, `structs/structs_ce.go`).

use records::GoDuration;

use super::super::read::Tree;
use super::super::tree::{integer, is_set, part, text, texts};
use super::cron;
use super::faults::Faults;

const SECOND: i64 = 1_000_000_000;
const RESTART_INTERVAL_MIN: i64 = 5 * SECOND;
const RESCHEDULE_DELAY_MIN: i64 = 5 * SECOND;
const RESCHEDULE_INTERVAL_MIN: i64 = 15 * SECOND;

/// How a policy's delays are told.
fn span(within: &Tree, name: &str) -> (i64, GoDuration) {
    let ns = integer(within, name);
    (ns, GoDuration(ns))
}

pub(super) fn update(update: &Tree) -> Faults {
    let mut faults = Faults::default();
    let check = text(update, "HealthCheck");
    if !matches!(check, "checks" | "task_states" | "manual") {
        faults.add(format!("Invalid health check given: {check:?}"));
    }
    let (parallel, canary) = (integer(update, "MaxParallel"), integer(update, "Canary"));
    if parallel < 0 {
        faults.add(format!("Max parallel can not be less than zero: {parallel} < 0"));
    }
    if canary < 0 {
        faults.add(format!("Canary count can not be less than zero: {canary} < 0"));
    }
    let promotes = is_set(update, "AutoPromote");
    faults.add_if(canary == 0 && promotes, "Auto Promote requires a Canary count greater than zero");
    let (healthy, shown) = span(update, "MinHealthyTime");
    let (deadline, shown_deadline) = span(update, "HealthyDeadline");
    let (progress, shown_progress) = span(update, "ProgressDeadline");
    let (stagger, shown_stagger) = span(update, "Stagger");
    if healthy < 0 {
        faults.add(format!("Minimum healthy time may not be less than zero: {shown}"));
    }
    if deadline <= 0 {
        faults.add(format!("Healthy deadline must be greater than zero: {shown_deadline}"));
    }
    if progress < 0 {
        faults.add(format!("Progress deadline must be zero or greater: {shown_progress}"));
    }
    if healthy >= deadline {
        faults.add(format!(
            "Minimum healthy time must be less than healthy deadline: {shown} > {shown_deadline}"
        ));
    }
    if progress != 0 && deadline >= progress {
        faults.add(format!(
            "Healthy deadline must be less than progress deadline: {shown_deadline} > {shown_progress}"
        ));
    }
    if stagger <= 0 {
        faults.add(format!("Stagger must be greater than zero: {shown_stagger}"));
    }
    faults
}

pub(super) fn restart(policy: &Tree) -> Faults {
    let mut faults = Faults::default();
    let (mode, attempts) = (text(policy, "Mode"), integer(policy, "Attempts"));
    let (interval, shown_interval) = span(policy, "Interval");
    let (delay, shown_delay) = span(policy, "Delay");
    if !matches!(mode, "delay" | "fail") {
        faults.add(format!("Unsupported restart mode: {mode:?}"));
    }
    if attempts == 0 && mode != "fail" {
        faults.add(format!("Restart policy {mode:?} with {attempts} attempts is ambiguous"));
    }
    if interval < RESTART_INTERVAL_MIN {
        faults.add(format!(
            "Interval can not be less than {} (got {shown_interval})",
            GoDuration(RESTART_INTERVAL_MIN)
        ));
    }
    if attempts.saturating_mul(delay) > interval {
        faults.add(format!(
            "Nomad can't restart the TaskGroup {attempts} times in an interval of {shown_interval} with a delay of {shown_delay}"
        ));
    }
    faults
}

pub(super) fn reschedule(policy: &Tree) -> Faults {
    let mut faults = Faults::default();
    let (attempts, unlimited) = (integer(policy, "Attempts"), is_set(policy, "Unlimited"));
    let (interval, shown_interval) = span(policy, "Interval");
    let (delay, shown_delay) = span(policy, "Delay");
    let (max, shown_max) = span(policy, "MaxDelay");
    let function = text(policy, "DelayFunction");
    if attempts <= 0 && !unlimited {
        return faults;
    }
    if attempts > 0 {
        faults.add_if(interval <= 0, "Interval must be a non zero value if Attempts > 0");
        if unlimited {
            faults.add(format!(
                "Reschedule Policy with Attempts = {attempts}, Interval = {shown_interval}, and Unlimited = true is ambiguous"
            ));
            faults.add("If Attempts >0, Unlimited cannot also be set to true");
        }
    }
    let (mut is_sound, least) = (true, GoDuration(RESCHEDULE_DELAY_MIN));
    let mut refuse = |fault: String| {
        faults.add(fault);
        is_sound = false;
    };
    if delay < RESCHEDULE_DELAY_MIN {
        refuse(format!("Delay cannot be less than {least} (got {shown_delay})"));
    }
    if !matches!(function, "constant" | "exponential" | "fibonacci") {
        refuse(format!(
            "Invalid delay function {function:?}, must be one of [\"constant\" \"exponential\" \"fibonacci\"]"
        ));
    }
    if function != "constant" {
        if max < RESCHEDULE_DELAY_MIN {
            refuse(format!("Max Delay cannot be less than {least} (got {shown_delay})"));
        }
        if max < delay {
            refuse(format!("Max Delay cannot be less than Delay {shown_delay} (got {shown_max})"));
        }
    }
    if !unlimited {
        if interval < RESCHEDULE_INTERVAL_MIN {
            faults.add(format!(
                "Interval cannot be less than {} (got {shown_interval})",
                GoDuration(RESCHEDULE_INTERVAL_MIN)
            ));
        }
        if is_sound {
            faults.extend(attempts_fit(policy));
        }
    }
    faults
}

/// Whether so many attempts fit into the interval.
fn attempts_fit(policy: &Tree) -> Faults {
    let attempts = integer(policy, "Attempts");
    let (interval, shown_interval) = span(policy, "Interval");
    let (delay, shown_delay) = span(policy, "Delay");
    let (max, shown_max) = span(policy, "MaxDelay");
    let function = text(policy, "DelayFunction");
    let (possible, needed, fits) = match function {
        "constant" => {
            let needed = attempts.saturating_mul(delay);
            (interval / delay, needed, interval >= needed)
        }
        "exponential" => exponential(attempts, interval, delay, max),
        _ => fibonacci(attempts, interval, delay, max),
    };
    let mut faults = Faults::default();
    if !fits {
        let possible = possible.max(0);
        faults.add(match function {
            "constant" => format!(
                "Nomad can only make {possible} attempts in {shown_interval} with initial delay {shown_delay} and delay function {function:?}"
            ),
            _ => format!(
                "Nomad can only make {possible} attempts in {shown_interval} with initial delay {shown_delay}, delay function {function:?}, and delay ceiling {shown_max}"
            ),
        });
        let rounded = GoDuration(needed.saturating_add(SECOND / 2) / SECOND * SECOND);
        faults.add(format!("Set the interval to at least {rounded} to accommodate {attempts} attempts"));
    }
    faults
}

/// More attempts than these are never said to fit.
const ATTEMPTS_MAX: i64 = 10_000;

/// How many attempts are possible, what interval they take, and whether that is enough.
fn exponential(attempts: i64, interval: i64, delay: i64, max: i64) -> (i64, i64, bool) {
    let (mut possible, mut needed, mut next) = (0, 0_i64, delay);
    for _ in 0..attempts.min(ATTEMPTS_MAX) {
        needed = if next > max { needed.saturating_add(max) } else { next };
        possible += i64::from(needed < interval);
        next = next.saturating_mul(2);
    }
    (possible, needed, possible >= attempts)
}

fn fibonacci(attempts: i64, interval: i64, delay: i64, max: i64) -> (i64, i64, bool) {
    let (mut slots, mut is_capped) = (vec![delay, delay], false);
    for at in 2..attempts.min(ATTEMPTS_MAX) {
        let at = usize::try_from(at).unwrap_or_default();
        let next = match is_capped {
            true => slots[at - 1].saturating_add(max),
            false => slots[at - 1].saturating_add(slots[at - 2]),
        };
        let reaches = !is_capped && next > max;
        is_capped |= reaches;
        slots.push(if reaches { max } else { next });
    }
    let needed = slots.last().copied().unwrap_or_default();
    let possible = slots.iter().position(|slot| *slot > interval).unwrap_or_default();
    (i64::try_from(possible).unwrap_or_default(), needed, interval >= needed)
}

pub(super) fn migrate(strategy: &Tree) -> Faults {
    let mut faults = Faults::default();
    let parallel = integer(strategy, "MaxParallel");
    let (healthy, shown) = span(strategy, "MinHealthyTime");
    let (deadline, shown_deadline) = span(strategy, "HealthyDeadline");
    if parallel < 0 {
        faults.add(format!("MaxParallel must be >= 0 but found {parallel}"));
    }
    match text(strategy, "HealthCheck") {
        "checks" | "task_states" => {}
        "" => faults.add_if(parallel > 0, "Missing HealthCheck"),
        other => faults.add(format!("Invalid HealthCheck: {other:?}")),
    }
    if healthy < 0 {
        faults.add(format!("MinHealthyTime is {shown} and must be >= 0"));
    }
    if deadline < 0 {
        faults.add(format!("HealthyDeadline is {shown_deadline} and must be >= 0"));
    }
    faults.add_if(healthy > deadline, "MinHealthyTime must be less than HealthyDeadline");
    faults
}

pub(super) fn disconnect(strategy: &Tree, kind: &str) -> Faults {
    let mut faults = Faults::default();
    let stop = strategy.get("StopOnClientAfter").and_then(serde_json::Value::as_i64);
    let lost = integer(strategy, "LostAfter");
    faults.add_if(stop.is_some_and(|stop| stop < 0), "stop_after cannot be a negative duration");
    let can_stop = matches!(kind, "service" | "batch");
    faults.add_if(stop.is_some() && !can_stop, "stop_after can only be used with service or batch job types");
    faults.add_if(lost < 0, "lost_after cannot be a negative duration");
    let both = stop.is_some() && lost != 0;
    faults.add_if(both, "Disconnect cannot be configured with both lost_after and stop_after");
    let reconcile = text(strategy, "Reconcile");
    if !matches!(reconcile, "" | "best_score" | "longest_running" | "keep_original" | "keep_replacement") {
        faults.add(format!("reconcile option is invalid: {reconcile}"));
    }
    faults
}

/// The policy of a group with so many instances.
pub(super) fn scaling(policy: &Tree, count: i64) -> Faults {
    let mut faults = Faults::default();
    let invalid = |fault: &str| format!("Scaling policy invalid: {fault}");
    let (min, max) = (integer(policy, "Min"), integer(policy, "Max"));
    match text(policy, "Type") {
        "horizontal" => {
            let target = part(policy, "Target");
            for (name, word) in [("Namespace", "namespace"), ("Job", "job"), ("Group", "group")] {
                if target.is_some_and(|target| text(target, name).is_empty()) {
                    faults.add(invalid(&format!("missing target {word}")));
                }
            }
        }
        other => faults.add(invalid(&format!("scaling policy type \"{other}\" is not valid"))),
    }
    if max < 0 {
        faults.add(invalid("maximum count must be specified and non-negative"));
    } else if max < min {
        faults.add(invalid("maximum count must not be less than minimum count"));
    }
    if min < 0 {
        faults.add(invalid("minimum count must be specified and non-negative"));
    }
    if max < count {
        faults.add(invalid("task group count must not be greater than maximum count in scaling policy"));
    }
    if count < min {
        faults.add(invalid("task group count must not be less than minimum count in scaling policy"));
    }
    faults
}

pub(super) fn periodic(periodic: &Tree) -> Faults {
    let mut faults = Faults::default();
    let (spec, has_specs) = (text(periodic, "Spec"), texts(periodic, "Specs").next().is_some());
    faults.add_if(!spec.is_empty() && has_specs, "Only cron or crons may be used");
    faults.add_if(spec.is_empty() && !has_specs, "Must specify a spec");
    let zone = text(periodic, "TimeZone");
    if !zone.is_empty() && zone != "Local" && jiff::tz::TimeZone::get(zone).is_err() {
        faults.add(format!("Invalid time zone {zone:?}: unknown time zone {zone}"));
    }
    match text(periodic, "SpecType") {
        "cron" => {
            for spec in Some(spec).filter(|spec| !spec.is_empty()).into_iter().chain(texts(periodic, "Specs"))
            {
                faults.check(cron::check(spec).map_err(|why| format!("Invalid cron spec {spec:?}: {why}")));
            }
        }
        "_internal_test" => {}
        other => faults.add(format!("Unknown periodic specification type {other:?}")),
    }
    faults
}

pub(super) fn parameterized(config: &Tree) -> Faults {
    let mut faults = Faults::default();
    let payload = text(config, "Payload");
    if !matches!(payload, "optional" | "required" | "forbidden") {
        faults.add(format!("Unknown payload requirement: {payload:?}"));
    }
    let mut both: Vec<&str> = texts(config, "MetaRequired")
        .filter(|key| texts(config, "MetaOptional").any(|optional| optional == *key))
        .collect();
    both.sort_unstable();
    both.dedup();
    if !both.is_empty() {
        faults.add(format!(
            "Required and optional meta keys should be disjoint. Following keys exist in both: [{}]",
            both.join(" ")
        ));
    }
    faults
}
