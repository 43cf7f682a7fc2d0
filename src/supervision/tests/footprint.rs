//! A connection is a supervised child and there are ten thousand of them: what one costs beside actix itself.

use std::mem::size_of;

use actix::Context;
use actix::dev::ContextFut;

use super::probe::Lower;
use crate::supervision::Inbox;
use crate::supervision::child::Core;
use crate::supervision::supervisor::Supervisor;

#[test]
fn an_idle_child_costs_little_beside_its_actix_context() {
    let of_supervisor = size_of::<Supervisor<Lower>>() - size_of::<ContextFut<Lower, Context<Lower>>>();
    assert!(of_supervisor <= 64, "{of_supervisor} bytes more in the task");
    assert!(size_of::<Core>() <= 80, "{} bytes in the shared record", size_of::<Core>());
    assert_eq!(size_of::<Inbox<Lower>>(), size_of::<usize>());
}
