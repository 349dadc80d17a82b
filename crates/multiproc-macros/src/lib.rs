//! The attribute macros of `multiproc`. Use them through the facade: `#[multiproc::main]`.

#![forbid(unsafe_code)]

use proc_macro::TokenStream;

mod entry;

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
