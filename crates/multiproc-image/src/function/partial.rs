//! A function with its first argument bound.

use serde::{Serialize, de::DeserializeOwned};

use super::Function;

/// A function whose first argument is already given; made by [`partial`].
#[derive(Clone, Copy, Debug)]
pub struct Partial<F, C> {
    function: F,
    bound: C,
}

/// Binds `value` in front: a function of `(value, item)` becomes a function of `(item,)`.
///
/// This is how a function takes along what a closure would capture: any value that serde can send. It is sent once where
/// the function is sent, and cloned for each call.
///
/// # Python
///
/// `functools.partial`.
///
/// # Examples
///
/// ```
/// use multiproc_image::{Function, partial};
///
/// fn scale(factor: f64, x: f64) -> f64 {
///     factor * x
/// }
///
/// fn apply<F: Function<(f64,), Output = f64>>(function: F, x: f64) -> f64 {
///     F::call(&function.into_state(), (x,))
/// }
///
/// assert_eq!(apply(partial(scale, 2.5), 4.0), 10.0);
/// ```
pub fn partial<F, C>(function: F, value: C) -> Partial<F, C> {
    Partial { function, bound: value }
}

macro_rules! partials {
    ($($argument:ident $value:ident)*) => {
        impl<F, C, $($argument),*> Function<($($argument,)*)> for Partial<F, C>
        where
            F: Function<(C, $($argument),*)>,
            C: Serialize + DeserializeOwned + Clone + Send + Sync + 'static,
        {
            type Output = F::Output;
            type State = (F::State, C);

            fn into_state(self) -> Self::State {
                (self.function.into_state(), self.bound)
            }
            fn call((function, bound): &Self::State, ($($value,)*): ($($argument,)*)) -> F::Output {
                F::call(function, (bound.clone(), $($value),*))
            }

            fn name((function, _): &Self::State) -> String {
                F::name(function)
            }
        }
    };
}

partials!();
partials!(A a);
partials!(A a B b);
partials!(A a B b D d);
partials!(A a B b D d E e);
partials!(A a B b D d E e G g);
partials!(A a B b D d E e G g H h);
partials!(A a B b D d E e G g H h I i);
partials!(A a B b D d E e G g H h I i J j);
partials!(A a B b D d E e G g H h I i J j K k);
partials!(A a B b D d E e G g H h I i J j K k L l);
partials!(A a B b D d E e G g H h I i J j K k L l M m);
