//! One test, every start method.

use multiproc::{Context, Failure, Function};

use crate::TestResult;

/// The contexts that a test runs under.
///
/// Fork says `allow_threads`, because the threads of a test harness are not ours; no test relies on their locks.
pub fn contexts() -> [(&'static str, Context); 3] {
    [
        ("forkserver", Context::forkserver()),
        ("spawn", Context::spawn()),
        ("fork", Context::fork().allow_threads()),
    ]
}

/// Turns functions `fn(&Context) -> TestResult` into a module of tests each, one test per start method.
#[macro_export]
macro_rules! each_start_method {
    ($($test:ident),* $(,)?) => {
        $(
            mod $test {
                #[test]
                fn forkserver() {
                    $crate::watched(concat!(stringify!($test), "/forkserver"), || super::$test(&$crate::contexts()[0].1));
                }
                #[test]
                fn spawn() {
                    $crate::watched(concat!(stringify!($test), "/spawn"), || super::$test(&$crate::contexts()[1].1));
                }
                #[test]
                fn fork() {
                    $crate::watched(concat!(stringify!($test), "/fork"), || super::$test(&$crate::contexts()[2].1));
                }
            }
        )*
    };
}

/// Turns functions `fn() -> TestResult` into tests under the watchdog.
#[macro_export]
macro_rules! once {
    ($($test:ident),* $(,)?) => {
        $(
            mod $test {
                #[test]
                fn once() {
                    $crate::watched(stringify!($test), super::$test);
                }
            }
        )*
    };
}

/// Runs `test` in a process of its own, which may change what is global to a process.
///
/// It is a spawned one with one thread, knows no fork server yet, and its default start method is not chosen.
pub fn alone<F>(test: F) -> TestResult
where
    F: Function<(), Output = Result<(), Failure>>,
{
    let begin = multiproc::partial(forget_family::<F>, test.into_state());
    let process = Context::spawn().process().name("Alone").start(begin, ())?;
    Ok(process.result()??)
}

/// Undoes what a child inherits from the process that the tests run in.
fn forget_family<F>(state: F::State) -> Result<(), Failure>
where
    F: Function<(), Output = Result<(), Failure>>,
{
    multiproc::stop_forkserver();
    multiproc::force_start_method(None);
    F::call(&state, ())
}

/// Turns functions `fn() -> Result<(), Failure>` into tests, each in a process of its own.
#[macro_export]
macro_rules! once_alone {
    ($($test:ident),* $(,)?) => {
        $(
            mod $test {
                #[test]
                fn once() {
                    $crate::watched(stringify!($test), || $crate::alone(super::$test));
                }
            }
        )*
    };
}
