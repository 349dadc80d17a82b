//! The client's side: connections to a server, and what this process has there.

mod endpoint;
mod session;
mod link;
mod reference;
mod reply;
mod inherit;

pub(crate) use self::{
    endpoint::{Endpoint, here, within},
    reference::Reference,
    reply::Reply,
    session::Session,
};
