//! Jobs, as state: they are registered, listed, stopped and purged, and nothing runs them.

mod constraints;
mod defaults;
mod read;
mod schema;
mod services;
mod show;
mod write;

#[cfg(test)]
mod tests;
