//! bridge
mod hosted;
