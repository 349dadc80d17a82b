//! One test, every start method.

use multiproc::Context;

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
