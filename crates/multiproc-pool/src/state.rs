//! What a worker keeps from one task to the next.

use std::{
    any::Any,
    cell::RefCell,
    fmt,
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use multiproc_image::Function;

thread_local! {
    /// The value of this worker, unless a task has it. A worker is one thread.
    static KEPT: RefCell<Option<Box<dyn Any>>> = const { RefCell::new(None) };
}

/// Keeps a value for the tasks of this worker.
pub(crate) fn keep<S: 'static>(value: S) {
    KEPT.replace(Some(Box::new(value)));
}

/// Drops the value of this worker.
pub(crate) fn forget() {
    drop(KEPT.take());
}

/// The worker's own value in the hands of a task: what [`Builder::worker_state`](crate::Builder::worker_state) has made,
/// once for each worker.
///
/// A task has it as its first argument; [`with_state`] makes a function of the other arguments of it. What a task leaves
/// in the value the next task of that worker finds there; after a panic, too.
///
/// # If a process dies
///
/// The value dies with its worker, and the next worker makes its own.
///
/// # Python
///
/// A global that the initializer sets.
///
/// # Examples
///
/// ```
/// use multiproc_pool::{Pool, WorkerState, with_state};
///
/// /// Something that is slow to make, and cannot be sent.
/// struct Index(Vec<String>);
///
/// fn open(words: Vec<String>) -> Index {
///     Index(words)
/// }
///
/// fn find(index: WorkerState<Index>, word: String) -> Option<usize> {
///     index.0.iter().position(|entry| *entry == word)
/// }
///
/// multiproc_image::entry::init();
///
/// let words: Vec<String> = ["one", "two", "three"].map(String::from).into();
/// let pool = Pool::builder().processes(2).worker_state(open, (words,)).build()?;
/// let found = pool.map(with_state(find), ["three".into(), "four".into()])?;
/// assert_eq!(found, [Some(2), None]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WorkerState<S: 'static>(Option<Box<S>>);

impl<S> WorkerState<S> {
    fn borrow() -> Self {
        let kept = KEPT.take();
        let kept = kept.unwrap_or_else(|| {
            panic!("this worker has no state: give the pool a `worker_state`, and a task the state only once")
        });
        match kept.downcast() {
            Ok(value) => Self(Some(value)),
            Err(kept) => {
                KEPT.replace(Some(kept));
                panic!("the state of this worker is no `{}`", std::any::type_name::<S>());
            }
        }
    }
}

impl<S> Drop for WorkerState<S> {
    fn drop(&mut self) {
        if let Some(value) = self.0.take() {
            KEPT.replace(Some(value));
        }
    }
}

const HELD: &str = "the value is there until the guard is dropped";

impl<S> Deref for WorkerState<S> {
    type Target = S;

    fn deref(&self) -> &S {
        self.0.as_ref().expect(HELD)
    }
}

impl<S> DerefMut for WorkerState<S> {
    fn deref_mut(&mut self) -> &mut S {
        self.0.as_mut().expect(HELD)
    }
}

impl<S> fmt::Debug for WorkerState<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerState").finish_non_exhaustive()
    }
}

/// A function whose first argument is the worker's own value; made by [`with_state`].
#[derive(Clone, Copy, Debug)]
pub struct Stateful<F, S> {
    function: F,
    state: PhantomData<fn() -> S>,
}

/// Turns a function of `(WorkerState<S>, item)` into a function of `(item,)`, to be run in workers that have such a
/// value; see [`WorkerState`].
///
/// # Examples
///
/// ```
/// use multiproc_pool::{Pool, WorkerState, with_state};
///
/// multiproc_image::entry::init();
///
/// let pool = Pool::builder().processes(1).worker_state(|| 0u32, ()).build()?;
/// let count = |mut seen: WorkerState<u32>, by: u32| { *seen += by; *seen };
/// assert_eq!(pool.map(with_state(count), [1, 1, 5])?, [1, 2, 7]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn with_state<F, S>(function: F) -> Stateful<F, S> {
    Stateful { function, state: PhantomData }
}

macro_rules! stateful {
    ($($argument:ident $value:ident)*) => {
        impl<F, S, $($argument),*> Function<($($argument,)*)> for Stateful<F, S>
        where
            F: Function<(WorkerState<S>, $($argument),*)>,
            S: 'static,
        {
            type Output = F::Output;
            type State = F::State;

            fn into_state(self) -> F::State {
                self.function.into_state()
            }
            fn call(state: &F::State, ($($value,)*): ($($argument,)*)) -> F::Output {
                F::call(state, (WorkerState::borrow(), $($value),*))
            }

            fn name(state: &F::State) -> String {
                F::name(state)
            }
        }
    };
}

stateful!();
stateful!(A a);
stateful!(A a B b);
stateful!(A a B b D d);
stateful!(A a B b D d E e);
