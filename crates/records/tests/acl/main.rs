//! Consul's access control, through the state machine: what commands do, what tokens may do.

mod authorizer;
mod genuine;
mod hostile;
mod policies;
mod setup;
mod support;
mod tokens;
