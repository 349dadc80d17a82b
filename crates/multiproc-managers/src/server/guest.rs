//! One client's connection.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use multiproc_connection::{Connection, RecvError, SendError};
use multiproc_image::logging;
use multiproc_wire::pickle::{Object, decode};
use tokio::task::spawn_blocking;

use super::{
    Entry, Table,
    control::{panic_text, payload_text},
    message::{Message, Request},
    session::{Holdings, Session},
};
use crate::{
    Answer, Args, Caller, Filed, Lent, Outcome, Reply,
    silence::end_in_silence,
    values::{LONG, LongFile},
};

/// A connection of a client, with all that goes when it ends.
pub(super) struct Guest {
    pub(super) table: Arc<Table>,
    /// The client's process, if it tells.
    pub(super) session: Option<Arc<Session>>,
    /// The client's thread.
    holdings: Holdings,
    connection: Connection<LongFile, ()>,
    /// True if the client takes files along.
    pub(super) takes_files: bool,
    /// True if the request was a long one.
    pub(super) is_long: bool,
    /// What the proxies in the last reply refer to, until the client refers to it itself: it does so
    /// over this connection, or before it asks for anything else here.
    lent: VecDeque<Arc<Entry>>,
    buffer: Vec<u8>,
}

/// Why a connection is over.
#[derive(Debug, thiserror::Error)]
pub(super) enum Over {
    #[error(transparent)]
    Recv(#[from] RecvError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("reply cannot be written")]
    Unwritable,
    #[error("client asked again while it was made to wait for the answer")]
    Early,
    #[error("client was served")]
    Served,
}

/// What a buffer may keep for the next reply.
const KEPT: usize = 64 << 10;

impl Guest {
    pub(super) fn new(table: Arc<Table>, connection: Connection<LongFile, ()>) -> Self {
        let holdings = Holdings::new(table.owner());
        end_in_silence(&connection);
        Self {
            table,
            session: None,
            holdings,
            connection: connection.read_ahead(),
            takes_files: false,
            is_long: false,
            lent: VecDeque::new(),
            buffer: vec![],
        }
    }

    pub(super) fn caller(&self) -> Caller {
        let thread = self.holdings.owner;
        let process = self.session.as_ref().map_or(thread, |session| session.holdings.owner);
        Caller { thread, process }
    }

    /// Serves the client until it goes.
    pub(super) async fn serve(mut self) {
        let over = match self.greet().await {
            Ok(()) => loop {
                if let Err(over) = self.answer_one().await {
                    break over;
                }
            },
            Err(over) => over,
        };
        match over {
            Over::Served | Over::Recv(RecvError::Closed) | Over::Send(SendError::Closed) => {}
            over => {
                logging::info(format_args!("client let go: {}", crate::error::chain(&over)));
            }
        }
    }

    /// Answers the first request, which says whether there are to be others.
    async fn greet(&mut self) -> Result<(), Over> {
        let request = match self.next().await? {
            Ok(request) => request,
            Err(text) => {
                self.reply(Message::fault("ValueError", &text)).await?;
                return Err(Over::Served);
            }
        };
        match &*request.method {
            "accept_connection" => {
                // CPython's clients do not look at what comes back; ours learn who is here.
                let hello = [("multiproc", Object::from(1)), ("address", self.table.address())];
                self.reply(Message::Return(hello.into())).await
            }
            "shutdown" => {
                let replied = self.reply(Message::Return(Object::None)).await;
                self.table.stop.notify_one();
                replied.and(Err(Over::Served))
            }
            method => {
                let reply = self.control(method, request.args).await;
                self.reply(reply).await.and(Err(Over::Served))
            }
        }
    }

    async fn answer_one(&mut self) -> Result<(), Over> {
        let request = self.next().await?;
        if !matches!(&request, Ok(request) if request.is_incref()) {
            self.lent.clear();
        }
        let reply = match request {
            Ok(Request { ident: Some(ident), method, args }) => {
                self.dispatch(&ident, method, args).await?
            }
            Ok(Request { ident: None, method, args }) => match self.special(&method, args).await? {
                Some(reply) => reply,
                None => return Ok(()),
            },
            Err(text) => Message::fault("ValueError", &text),
        };
        self.reply(reply).await
    }

    /// Does what only clients of ours ask for, inside a connection that stays.
    async fn special(&mut self, method: &str, mut args: Args) -> Result<Option<Message>, Over> {
        let reply = match method {
            "#SESSION" => match self.session_of(&mut args) {
                Some(Object::Str(name)) => {
                    self.session = self.table.session(&name);
                    match self.session {
                        Some(_) => Message::Return(Object::None),
                        None => Message::fault("KeyError", "no such session"),
                    }
                }
                _ => match Session::begin(&self.table) {
                    Ok(session) => {
                        let name = (&*session.name).into();
                        self.session = Some(session);
                        Message::Return(name)
                    }
                    Err(err) => Message::fault("OSError", &err.to_string()),
                },
            },
            "#INHERIT" => {
                let from = args.object("name");
                let from = from.as_ref().and_then(Object::as_str);
                match from.and_then(|name| self.table.session(name)) {
                    Some(from) => match Session::inherit(&self.table, &from) {
                        Ok(session) => {
                            self.session = Some(session);
                            Message::Return(Object::None)
                        }
                        Err(err) => Message::fault("OSError", &err.to_string()),
                    },
                    None => Message::fault("KeyError", "no such session"),
                }
            }
            // Nobody waits for an answer to this.
            "#DROP" => {
                if let Some(Object::Str(ident)) = args.object("ident") {
                    let _ = self.decref(&ident);
                }
                return Ok(None);
            }
            "#BATCH" => {
                let mut replies = vec![];
                while let Some(request) = args.object("request") {
                    replies.push(match Request::of(request) {
                        Ok(Request { ident: Some(ident), method, args }) => {
                            // The replies are one, which no file can follow.
                            let takes_files = std::mem::take(&mut self.takes_files);
                            let reply = self.dispatch(&ident, method, args).await;
                            self.takes_files = takes_files;
                            reply?.into_object()
                        }
                        Ok(_) => Message::fault("ValueError", "no object").into_object(),
                        Err(text) => Message::fault("ValueError", &text).into_object(),
                    });
                }
                Message::Return(Object::List(replies))
            }
            method => self.control(method, args).await,
        };
        Ok(Some(reply))
    }

    /// The name of the session that a connection is to be of, if it is not to begin one.
    fn session_of(&mut self, args: &mut Args) -> Option<Object> {
        let name = args.object("name");
        self.takes_files = matches!(args.object("files"), Some(Object::Bool(true)));
        name
    }

    /// Calls a method of a shared object.
    async fn dispatch(&mut self, ident: &str, method: String, args: Args) -> Result<Message, Over> {
        let Some(entry) = self.table.find(ident) else {
            return Ok(Message::fault("KeyError", &format!("'{ident}'")));
        };
        if !entry.exposes(&method) {
            return Ok(self.fallback(&entry, &method));
        }
        if entry.shared().has_holders() {
            self.holdings.touch(&entry);
            if let Some(session) = &self.session {
                session.holdings.touch(&entry);
            }
        }
        let returns = entry.returns.iter().find(|(name, _)| *name == method);
        let returns = returns.map(|(_, typeid)| typeid.clone());
        let call = self.call_of(method, args);
        let shared = entry.shared().clone();
        let reply = match catch_unwind(AssertUnwindSafe(|| shared.call(call))) {
            Ok(reply) => reply,
            Err(payload) => return Ok(Message::fault("RuntimeError", &payload_text(&*payload))),
        };
        let outcome = match reply {
            Reply::Done(outcome) => outcome,
            Reply::Later(future) => self.unless_gone(future).await?,
            Reply::Blocking(function) => match spawn_blocking(function).await {
                Ok(outcome) => outcome,
                Err(err) => return Ok(Message::fault("RuntimeError", &panic_text(err))),
            },
            Reply::Unknown(method) => return Ok(self.fallback(&entry, &method)),
        };
        Ok(self.message(outcome, returns))
    }

    /// The client refers to an object itself.
    pub(super) fn unlend(&mut self, entry: &Arc<Entry>) {
        // They come in the order in which they were lent.
        if let Some(place) = self.lent.iter().position(|lent| Arc::ptr_eq(lent, entry)) {
            self.lent.remove(place);
        }
    }

    /// What every shared object does, exposed or not.
    fn fallback(&mut self, entry: &Entry, method: &str) -> Message {
        match method {
            "__str__" | "__repr__" => Message::Return(entry.shared().repr().into()),
            "#GETVALUE" => match entry.shared().value() {
                Ok(value) => self.lend(value),
                Err(exception) => Message::raised(&exception),
            },
            _ => {
                let typeid = &entry.typeid;
                let text = format!("method '{method}' of {typeid} object is not in exposed");
                Message::fault("AttributeError", &text)
            }
        }
    }

    /// Answers with a copy of what is in a shared object, which others may change before it arrives.
    fn lend(&mut self, value: Object) -> Message {
        self.lent.extend(self.table.referents(&value));
        Message::Return(value)
    }

    fn message(&mut self, outcome: Outcome, returns: Option<String>) -> Message {
        match outcome {
            Ok(Answer::Value(value)) => self.lend(value),
            Ok(Answer::Lent(Lent(held))) => {
                self.lent.extend(held.referents.iter().flat_map(|entries| entries.iter().cloned()));
                Message::Return(held.object)
            }
            Ok(Answer::Filed(Filed { told, file })) => Message::File(told, file),
            Ok(Answer::Shared { typeid, object }) => {
                let typeid = returns.unwrap_or(typeid);
                let registration = self.table.registry.types.get(&typeid);
                let entry = self.table.enter(&typeid, object, registration);
                let token = Object::token(typeid, self.table.address(), entry.ident());
                let parts = Object::Tuple(vec![entry.exposed(), token]);
                self.refer(entry);
                Message::Proxy(parts)
            }
            Err(exception) => Message::Error(exception),
        }
    }

    /// Awaits an outcome, but not for a client that is gone.
    async fn unless_gone(
        &mut self,
        mut outcome: impl Future<Output = Outcome> + Unpin,
    ) -> Result<Outcome, Over> {
        tokio::select! {
            biased;
            // First, so that nobody who is gone is given what another could have. One who asks for more
            // instead of waiting could not be watched any longer.
            early = self.connection.recv_bytes_async() => Err(early.map_or_else(Over::from, |_| Over::Early)),
            outcome = &mut outcome => Ok(outcome),
        }
    }

    async fn next(&mut self) -> Result<Result<Request, String>, Over> {
        let bytes = self.connection.recv_bytes_async().await?;
        self.table.looking.asked();
        self.is_long = LONG <= bytes.len();
        let object = if !self.is_long {
            decode(&bytes)
        } else {
            match spawn_blocking(move || decode(&bytes)).await {
                Ok(object) => object,
                Err(err) => return Ok(Err(panic_text(err))),
            }
        };
        Ok(object.map_err(|err| crate::error::chain(&err)).and_then(Request::of))
    }

    async fn reply(&mut self, message: Message) -> Result<(), Over> {
        let file = match &message {
            Message::File(_, file) => Some(file.clone()),
            _ => None,
        };
        let is_long = message.is_long();
        let mut buffer = std::mem::take(&mut self.buffer);
        let write = move || message.write(&mut buffer).map(|()| buffer);
        let written = if is_long { spawn_blocking(write).await } else { Ok(write()) };
        self.buffer = written.ok().and_then(Result::ok).ok_or(Over::Unwritable)?;
        self.connection.send_bytes_async(&self.buffer).await?;
        if let Some(file) = file {
            self.connection.send_async(&file).await?;
        }
        self.table.looking.replied();
        if KEPT < self.buffer.capacity() {
            self.buffer = vec![];
        }
        Ok(())
    }
}
