//! The macros of `multiproc`. Use them through the facade: `#[multiproc::main]`, `#[derive(multiproc::Shareable)]`.

#![forbid(unsafe_code)]

use proc_macro::TokenStream;

mod entry;
mod shareable;
mod shared;

/// Makes the start of `main` the entry hook of the processes that this program starts.
///
/// The same as `multiproc::init();` as the first line of `main`, and what `if __name__ == "__main__"` and
/// `freeze_support()` are in Python: a fresh copy of this program that was started to run a function runs it there, and
/// never gets to the body of `main`.
///
/// # Examples
///
/// ```ignore
/// #[multiproc::main]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let child = multiproc::spawn(hello, ("Bob".to_string(),))?;
///     child.join()?;
///     Ok(())
/// }
///
/// fn hello(name: String) {
///     println!("hello {name}");
/// }
/// ```
#[proc_macro_attribute]
pub fn main(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let original = item.clone();
    entry::expand(arguments.into(), item.into()).map_or_else(
        |err| {
            // What stands there stays there, or a lack of `main` would be lamented too.
            let mut error = TokenStream::from(err.to_compile_error());
            error.extend(original);
            error
        },
        TokenStream::from,
    )
}

/// Says of a struct that its values can lie in memory that processes share, which compiles if those of its fields can.
///
/// The struct has to be `Copy`. It may have padding and type parameters, and needs no `repr`; with `#[repr(C)]` its bytes
/// lie where those of the same `ctypes.Structure` do. `#[shareable(crate = path)]` says where the trait is found, for
/// those who do not use the facade.
///
/// Other processes may leave a value with parts of two, or with zeros, when they are killed or write without a lock: what
/// a struct's fields promise one another is no more than a hope then.
///
/// # Python
///
/// `class Point(ctypes.Structure)` with its `_fields_`.
///
/// # Examples
///
/// ```ignore
/// use multiproc::{RawArray, Shareable};
///
/// #[derive(Clone, Copy, Debug, PartialEq, Shareable)]
/// struct Point {
///     x: f64,
///     y: f64,
/// }
///
/// let points = RawArray::from_slice(&[Point { x: 1.5, y: -6.25 }, Point { x: 2.5, y: 3.0 }])?;
/// points.item(0)?.field(|point| &point.x).set(0.0);
/// ```
#[proc_macro_derive(Shareable, attributes(shareable))]
pub fn shareable(item: TokenStream) -> TokenStream {
    let expanded = shareable::expand(item.into());
    expanded.unwrap_or_else(|err| err.to_compile_error()).into()
}

/// Makes the methods of a type callable through proxies of a manager.
///
/// On an `impl` block of a type `T` it writes the dispatch in the server, and the type `TProxy` with
/// the same methods for clients. Shared are the methods that are `pub` and take `&self` or `&mut self`;
/// `pub fn new` makes values for clients that ask a manager for one. A method that takes `&self` may
/// run in several threads of the server at once.
///
/// What a method returns, its caller gets as `Result<_, CallError>`. An `Err` of a method that returns
/// `Result<_, E>` arrives as an `E`, in `MethodError::Own`; for a Python client it is the exception that
/// the error's `SharedError` names. Of a method that returns a `Sharing<U>` the caller gets a proxy.
///
/// # Examples
///
/// ```ignore
/// struct Maths;
///
/// #[multiproc::shared]
/// impl Maths {
///     pub fn new() -> Self {
///         Self
///     }
///
///     pub fn add(&self, x: i64, y: i64) -> i64 {
///         x + y
///     }
/// }
///
/// let manager = BaseManager::builder().register::<Maths>().start()?;
/// let maths = manager.create_of::<Maths>(())?;
/// assert_eq!(maths.add(4, 3)?, 7);
/// ```
#[proc_macro_attribute]
pub fn shared(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let original = item.clone();
    shared::expand(arguments.into(), item.into()).map_or_else(
        |err| {
            // What stands there stays there, or a lack of methods would be lamented too.
            let mut error = TokenStream::from(err.to_compile_error());
            error.extend(original);
            error
        },
        TokenStream::from,
    )
}
