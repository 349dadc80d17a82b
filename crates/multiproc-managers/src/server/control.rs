//! What clients ask of the server itself.

use std::sync::Arc;

use multiproc_image::logging;
use multiproc_shm::SharedMemory;
use multiproc_wire::pickle::{Exception, Object};
use tokio::task::spawn_blocking;

use super::{Entry, guest::Guest, message::Message, table::lock};
use crate::{Args, Call, raise};

impl Guest {
    /// Does what the server itself is asked for.
    pub(super) async fn control(&mut self, method: &str, mut args: Args) -> Message {
        let result = match method {
            "create" => self.create(args).await,
            "incref" => ident(&mut args).and_then(|ident| self.incref(&ident)),
            "decref" => ident(&mut args).and_then(|ident| self.decref(&ident)),
            "dummy" => Ok(Object::None),
            "number_of_objects" => Ok(self.table.len().into()),
            "debug_info" => Ok(self.debug_info().into()),
            "get_methods" => self.get_methods(&mut args),
            "track_segment" => segment(&mut args).map(|name| {
                lock(&self.table.segments).push(name);
                Object::None
            }),
            "release_segment" => segment(&mut args).and_then(|name| self.release_segment(&name)),
            "list_segments" => {
                let names = lock(&self.table.segments);
                Ok(Object::List(names.iter().map(|name| (&**name).into()).collect()))
            }
            _ => {
                let text = format!("'{method}' unrecognized");
                return Message::fault("AssertionError", &text);
            }
        };
        match result {
            Ok(value) => Message::Return(value),
            Err(exception) => Message::raised(&exception),
        }
    }

    async fn create(&mut self, mut args: Args) -> Result<Object, Exception> {
        let typeid: String = args.take("typeid")?;
        let unknown = || raise::key_error((&*typeid).into());
        let registration = self.table.registry.types.get(&typeid).ok_or_else(unknown)?;
        let Some(make) = registration.make.clone() else {
            let text = format!("'{typeid}' is made by methods only");
            return Err(raise::value_error(text));
        };
        let call = self.call_of(typeid.clone(), args);
        let shared = if registration.is_quick {
            make(call)?
        } else {
            let made = spawn_blocking(move || make(call)).await;
            made.unwrap_or_else(|err| Err(raise::runtime_error(panic_text(err))))?
        };
        let entry = self.table.clone().enter(&typeid, shared, Some(registration));
        let result = Object::Tuple(vec![entry.ident().into(), entry.exposed()]);
        self.refer(entry);
        Ok(result)
    }

    pub(super) fn call_of(&self, method: String, args: Args) -> Call {
        let has_proxies = args.objects().any(super::table::has_proxies);
        Call {
            method,
            args,
            caller: self.caller(),
            table: self.table.clone(),
            has_proxies,
            takes_files: self.takes_files,
            is_long: self.is_long,
        }
    }

    /// Counts a reference for this client.
    pub(super) fn refer(&self, entry: Arc<Entry>) {
        match &self.session {
            Some(session) => session.add(entry),
            None => self.table.add_stranger(entry),
        }
    }

    fn incref(&mut self, ident: &str) -> Result<Object, Exception> {
        let entry = self.table.find(ident).ok_or_else(|| raise::key_error(ident.into()))?;
        self.unlend(&entry);
        self.refer(entry);
        Ok(Object::None)
    }

    pub(super) fn decref(&self, ident: &str) -> Result<Object, Exception> {
        let known = match &self.session {
            Some(session) => session.remove(ident),
            None => self.table.remove_stranger(ident),
        };
        // As in CPython: what only other shared objects refer to may be let go of twice.
        if known || self.table.find(ident).is_some() {
            return Ok(Object::None);
        }
        Err(raise::key_error(ident.into()))
    }

    fn get_methods(&self, args: &mut Args) -> Result<Object, Exception> {
        let token = args.required("token")?;
        let ident = match &token {
            Object::Str(ident) => Some(&**ident),
            token => token.as_token().and_then(|[_, _, ident]| ident.as_str()),
        };
        let entry = ident.and_then(|ident| self.table.find(ident));
        Ok(entry.ok_or_else(|| raise::key_error(token.clone()))?.exposed())
    }

    fn debug_info(&self) -> String {
        let line = |entry: &Arc<Entry>| {
            let shown: String = entry.shared().repr().chars().take(75).collect();
            // Strangers of one object share one reference of ours, and so does this list.
            let strangers = self.table.strangers(entry.id);
            let count = Arc::strong_count(entry) - 1 + strangers.saturating_sub(1);
            format!("  {}:       refcount={count}\n    {shown}", entry.ident())
        };
        self.table.entries().iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn release_segment(&self, name: &str) -> Result<Object, Exception> {
        let mut names = lock(&self.table.segments);
        let place = names.iter().position(|known| known == name);
        let place = place.ok_or_else(|| raise::value_error("segment is not tracked"))?;
        names.remove(place);
        drop(names);
        SharedMemory::unlink_named(name)
            .map_err(|err| raise::builtin("FileNotFoundError", crate::error::chain(&err)))?;
        Ok(Object::None)
    }
}

fn ident(args: &mut Args) -> Result<String, Exception> {
    args.take("ident")
}

fn segment(args: &mut Args) -> Result<String, Exception> {
    args.take("segment_name")
}

/// Frees the blocks of shared memory that the server was told of.
pub(super) fn unlink_segments(names: &mut Vec<String>) {
    for name in names.drain(..) {
        if let Err(err) = SharedMemory::unlink_named(&name) {
            logging::debug(format_args!("block {name} was gone: {}", crate::error::chain(&err)));
        }
    }
}

/// What a thread has said before it panicked.
pub(super) fn panic_text(err: tokio::task::JoinError) -> String {
    match err.try_into_panic() {
        Ok(payload) => payload_text(&*payload),
        Err(_) => "server is shutting down".to_owned(),
    }
}

/// What a panic says.
pub(super) fn payload_text(payload: &(dyn std::any::Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(|text| &**text);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    format!("panicked: {}", text.unwrap_or("no message"))
}
