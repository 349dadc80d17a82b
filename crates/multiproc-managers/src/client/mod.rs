//! The client's side: connections to a server, and what this process has there.

mod endpoint;
mod session;
mod link;
mod reference;
mod reply;
mod inherit;

use multiproc_connection::Connection;

use crate::values::LongFile;

/// A connection to a server. Replies are bytes; long values come in files, each behind its reply.
pub(crate) type Line = Connection<(), LongFile>;

pub(crate) use self::{
    endpoint::{Endpoint, here, within},
    reference::Reference,
    reply::Reply,
    session::Session,
};
