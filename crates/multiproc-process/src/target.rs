//! A function with its arguments, before and after the way into another process.

use multiproc_image::{Boot, Function, StartError, boot::Entry};
use multiproc_wire::Message;
use serde::{Serialize, de::DeserializeOwned};

use crate::{failure, held, panics, report, report::Report, run};

/// A function that waits to be run in another process.
pub(crate) trait Target: Send {
    /// The function's name, for messages.
    fn name(&self) -> String;

    /// What a fresh process runs to become this function: it reads what [`encode`](Self::encode) wrote.
    fn entry(&self) -> Entry;

    /// Writes function and arguments.
    fn encode(&self) -> Result<Message, StartError>;

    /// Runs it here, in the child of a fork, where nothing has to be written or read.
    fn run(self: Box<Self>) -> Report;
}

/// A function with its arguments.
pub(crate) struct Call<F: Function<Args>, Args> {
    state: F::State,
    args: Args,
}

impl<F, Args> Call<F, Args>
where
    F: Function<Args>,
{
    pub(crate) fn new(function: F, args: Args) -> Self {
        Self { state: function.into_state(), args }
    }
}

impl<F, Args> Target for Call<F, Args>
where
    F: Function<Args>,
    F::Output: Serialize,
    Args: Serialize + DeserializeOwned + Send + 'static,
{
    fn name(&self) -> String {
        F::name(&self.state)
    }

    fn entry(&self) -> Entry {
        enter::<F, Args>
    }

    fn encode(&self) -> Result<Message, StartError> {
        multiproc_wire::encode(&(&self.state, &self.args))
            .map_err(|err| StartError::Encode { name: self.name(), source: Box::new(err) })
    }

    fn run(self: Box<Self>) -> Report {
        call::<F, Args>(&self.state, self.args)
    }
}

/// What a fresh process begins with.
fn enter<F, Args>(boot: Boot)
where
    F: Function<Args>,
    F::Output: Serialize,
    Args: DeserializeOwned,
{
    let Boot { mut payload, mut fds, socket } = boot;
    held::SOCKET.keep(socket);
    if payload.pop() == Some(1)
        && let Some(sentinel) = fds.pop()
    {
        held::SENTINEL.keep(sentinel);
    }
    let decoded = multiproc_wire::decode::<(F::State, Args)>(&payload, fds);
    drop(payload);
    run::child(|| match decoded {
        Ok((state, args)) => call::<F, Args>(&state, args),
        Err(err) => run::refuse(&format!("failed to decode the arguments: {}", run::chain(&err))),
    })
}

fn call<F, Args>(state: &F::State, args: Args) -> Report
where
    F: Function<Args>,
    F::Output: Serialize,
{
    match panics::catch(|| F::call(state, args), run::last_words) {
        Ok(value) => finish(&value),
        Err(panic) => Report::Panicked(panic),
    }
}

/// Writes what the function returned; an `Err` is printed, too.
fn finish<R: Serialize>(value: &R) -> Report {
    let error = failure::error_text(value);
    if let Some(text) = &error {
        run::print_error(text);
    }
    match multiproc_wire::encode(value) {
        Ok(message) => report::returned(i32::from(error.is_some()), message.bytes, message.handles),
        Err(err) => {
            let text = run::chain(&err);
            run::print_error(&text);
            Report::Unsendable(text)
        }
    }
}
