//! Functions that can cross to another process.
//!
//! A *function* here is a fn item, a closure that captures nothing, a [`FnRef`], or one of these with values bound in
//! front ([`partial`]). Fn items and such closures have size zero: the type alone says which function it is, so nothing
//! of them has to be sent, and no function has to be registered. What captures has a size and is rejected when the
//! program is compiled.

#![expect(unsafe_code, reason = "makes a value of a type of size zero from nothing")]

mod fn_ref;
mod partial;

use std::ptr::NonNull;

use serde::{Serialize, de::DeserializeOwned};

pub use fn_ref::{FnRef, FnRefError};
pub use partial::{Partial, partial};

/// A function of `Args`, a tuple of its arguments, that can run in another process of this program.
///
/// Implemented for fn items and closures that capture nothing, with up to twelve arguments, for [`FnRef`] and for
/// [`Partial`]. You use it as a bound; there is no need to implement it.
///
/// A closure that captures is rejected by a constant assertion when the program is built. What the assertion cannot
/// exclude is a captured value that is `Copy` and of size zero, a *token* that some library hands out to prove
/// something: the other process gets one too, without the proof.
///
/// # Python
///
/// The `target` of a `Process`, the `func` of `Pool.map`. Lambdas, which Python cannot pickle, are welcome.
///
/// # Examples
///
/// ```
/// use multiproc_image::Function;
///
/// fn call<F: Function<(i64, i64)>>(function: F, args: (i64, i64)) -> F::Output {
///     F::call(&function.into_state(), args)
/// }
///
/// assert_eq!(call(i64::wrapping_add, (4, 3)), 7);
/// assert_eq!(call(|a: i64, b: i64| a - b, (4, 3)), 1);
/// ```
///
/// ```compile_fail
/// # use multiproc_image::Function;
/// # fn call<F: Function<(i64,)>>(function: F, args: (i64,)) -> F::Output { F::call(&function.into_state(), args) }
/// let factor = 3;
/// call(move |x: i64| factor * x, (7,)); // this closure captures variables
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function of `{Args}` that can run in another process",
    label = "not such a function",
    note = "it must take the values of the tuple `{Args}` as its arguments (one argument `x` is the tuple `(x,)`)",
    note = "it must be a fn item, a closure that captures nothing, a `FnRef`, or `multiproc::partial(f, value)`",
    note = "instead of capturing, pass values as arguments or bind them with `multiproc::partial`"
)]
pub trait Function<Args>: Sized + 'static {
    /// What the function returns.
    type Output;

    /// What has to be sent so that the other process has the function: nothing for fn items and closures.
    type State: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;

    /// Turns the function into what is sent.
    fn into_state(self) -> Self::State;

    /// Calls the function that `state` came from.
    fn call(state: &Self::State, args: Args) -> Self::Output;

    /// The function's path in the source, for messages.
    #[must_use]
    fn name(state: &Self::State) -> String;
}

/// Makes a `F` out of its type.
///
/// The caller has had a value of `F` in this program, which shows that the type has one.
fn conjure<F: Copy>() -> F {
    const {
        assert!(
            size_of::<F>() == 0,
            "this closure captures variables (or is a function pointer), and another process would not have them: \
             pass them as arguments, or bind them with `multiproc::partial(function, value)`; \
             a function chosen at run time travels as a `multiproc::FnRef`"
        );
    }
    // SAFETY: A value of size zero has no bytes to read, and any aligned pointer is good for reading none. `F: Copy`,
    // so another value of it cannot break a promise of uniqueness; that the type has values at all, `Function` shows,
    // whose `into_state` took one.
    unsafe { NonNull::<F>::dangling().read() }
}

macro_rules! functions {
    ($($argument:ident $value:ident)*) => {
        // So that the compiler speaks of `Function`, in the words above, and not of `Fn` or `Copy`.
        #[diagnostic::do_not_recommend]
        impl<Func, Output, $($argument,)*> Function<($($argument,)*)> for Func
        where
            Func: Fn($($argument),*) -> Output + Copy + Send + 'static,
        {
            type Output = Output;
            type State = ();

            fn into_state(self) {
                // Rejects captures where the function is handed over, not only where it is called.
                let _: fn() -> Func = conjure::<Func>;
            }
            fn call((): &(), ($($value,)*): ($($argument,)*)) -> Output {
                conjure::<Func>()($($value),*)
            }

            fn name((): &()) -> String {
                std::any::type_name::<Func>().into()
            }
        }
    };
}

functions!();
functions!(A a);
functions!(A a B b);
functions!(A a B b C c);
functions!(A a B b C c D d);
functions!(A a B b C c D d E e);
functions!(A a B b C c D d E e G g);
functions!(A a B b C c D d E e G g H h);
functions!(A a B b C c D d E e G g H h I i);
functions!(A a B b C c D d E e G g H h I i J j);
functions!(A a B b C c D d E e G g H h I i J j K k);
functions!(A a B b C c D d E e G g H h I i J j K k L l);
functions!(A a B b C c D d E e G g H h I i J j K k L l M m);

#[cfg(test)]
mod tests {
    use super::*;

    fn call<Args, F: Function<Args>>(function: F, args: Args) -> F::Output {
        let state = function.into_state();
        F::call(&state, args)
    }

    fn join<T: ToString>(a: T, b: T) -> String {
        a.to_string() + &b.to_string()
    }

    #[test]
    fn items_closures_and_generics_are_functions() {
        assert_eq!(call(|| 7, ()), 7);
        assert_eq!(call(join::<u8>, (1, 2)), "12");
        assert_eq!(call(|a: u8, b: u8, c: u8| a + b + c, (1, 2, 3)), 6);
    }

    #[test]
    fn bound_values_come_first() {
        assert_eq!(call(partial(join::<String>, "a".to_string()), ("b".to_string(),)), "ab");
        assert_eq!(call(partial(partial(|a: u8, b: u8, c: u8| [a, b, c], 1), 2), (3,)), [1, 2, 3]);
    }

    #[test]
    fn reference_calls_what_it_was_made_of() {
        let pow: FnRef<(u64, u32), u64> = FnRef::new(u64::pow);
        assert_eq!(pow.call((2, 10)), 1024);
        assert_eq!(call(pow, (2, 3)), 8);
        assert!(FnRef::new(join::<u8>).name().ends_with("join<u8>"));
    }
}
