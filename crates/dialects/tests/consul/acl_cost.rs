//! What it costs to ask who may do what: a measurement, run by hand in a release build.

use std::time::{Duration, Instant};

use records::Scope;
use records::consul::acl::{self, DefaultPolicy, Settings};

use super::server::Server;

const ROUNDS: usize = 8;
const RESOLVED: u32 = 5_000;

/// Each round asks every server in turn, so that whatever else the machine does concerns all alike.
async fn measure(servers: &[(&str, Server)], request: &str, count: usize) {
    let mut times = vec![Vec::new(); servers.len()];
    for _ in 0..ROUNDS {
        for ((_, server), times) in servers.iter().zip(&mut times) {
            for _ in 0..count {
                let began = Instant::now();
                assert_eq!(server.send(request, "value").await.status, 200);
                times.push(began.elapsed());
            }
        }
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let medians: Vec<_> = times.iter_mut().map(median).collect();
    for ((name, _), time) in servers.iter().zip(&medians) {
        let ratio = time.as_secs_f64() / medians[0].as_secs_f64();
        eprintln!("{request}, {name}: p50 {time:?}, {ratio:.2} of the first");
    }
}

fn timed(mut what: impl FnMut()) -> Duration {
    let began = Instant::now();
    (0..RESOLVED).for_each(|_| what());
    began.elapsed() / RESOLVED
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn what_asking_costs() {
    let rule = |n| format!("key_prefix \"team-{n}/\" {{ policy = \"write\" }}\n");
    let rules: String = (0..30).map(rule).collect();
    let deny = Server::guarded(|_| {}).await;
    let allow = Server::guarded(|access| access.default_policy = DefaultPolicy::Allow).await;
    let ruled = deny.ruled(&rules).await;
    let servers = [
        ("off", Server::start().await),
        ("allow, no token", allow.anonymous()),
        ("allow, 30 rules", allow.ruled(&rules).await),
        ("deny, management", deny.clone()),
        ("deny, 30 rules", ruled.clone()),
    ];
    for (_, server) in &servers {
        server.put("team-17/key", "value").await;
    }
    measure(&servers, "GET /v1/kv/team-17/key", 3_000).await;
    measure(&servers, "PUT /v1/kv/team-17/key", 300).await;

    let view = deny.node.records().view(Scope::Consul).unwrap();
    let settings =
        Settings { default: DefaultPolicy::Deny, datacenter: "dc1".into(), key_list_policy: false };
    let read = timed(|| drop(acl::resolve(&view, ruled.secret(), 0, &settings).unwrap()));
    let known = timed(|| drop(deny.node.authorizer(&view, ruled.secret()).unwrap()));
    eprintln!("30 rules: {read:?} to read, {known:?} to remember");
}
