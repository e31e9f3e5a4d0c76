//! Time limits blame the peer only for its own fault: not for a late event loop, a slow application,
//! or data that has not left yet. Yet every connection ends (docs/flow-control.md, "Whose fault").

mod closed_gate;
mod closing;
mod last_look;
mod slow_peers;
mod support;
