//! Sessions with a time to live: the leader ends those that nobody renews.

use std::time::Duration;

use archive::consul::Session;
use records::{Op, Scope, View, consul};

use crate::error::Result;
use crate::node::Node;

impl Node {
    /// Gives a session its full time again and returns it; `None` if there is no such session. On the leader.
    pub async fn renew_session(&self, id: &str) -> Result<Option<Session>> {
        self.confirm_leader().await?;
        let view = self.records().view(Scope::Consul)?;
        let session = consul::session_get(&view, id)?.value;
        if let Some(session) = &session
            && let Some(ttl) = consul::session_ttl(session)
        {
            // Under its own id: the one asked for may differ in case.
            self.session_timers().renew(session.id.clone(), ttl);
        }
        Ok(session)
    }

    /// Ends the sessions whose time is over. Called on the leader, again and again.
    pub(crate) async fn end_sessions(&self) -> Result<()> {
        let view = self.records().view(Scope::Consul)?;
        let list = |view: &View| Ok(consul::sessions_with_ttl(view)?);
        for id in self.session_timers().over(self, &view, list, |_| Duration::ZERO)? {
            tracing::info!(session = %id, "a session ends: it was not renewed");
            let destroy = consul::Command::SessionDestroy { id };
            self.change_on_full_disk(Op::Consul(destroy)).await?;
        }
        Ok(())
    }
}
