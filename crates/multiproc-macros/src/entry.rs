//! `#[main]`: puts the entry hook in front of the body of `main`.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Error, ItemFn, Result, parse2};

/// Expands `#[main] fn main() { … }`.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new_spanned(arguments, "`#[multiproc::main]` takes no arguments"));
    }
    let mut function: ItemFn = parse2(item).map_err(|err| {
        Error::new(err.span(), format!("`#[multiproc::main]` belongs on `fn main`: {err}"))
    })?;
    let signature = &function.sig;
    if signature.ident != "main" {
        return Err(Error::new_spanned(
            &signature.ident,
            "`#[multiproc::main]` belongs on `fn main`",
        ));
    }
    if let Some(token) = &signature.asyncness {
        return Err(Error::new_spanned(
            token,
            "`fn main` cannot be async here: a process must reach the hook before any runtime starts its threads; \
             call the runtime inside `main`",
        ));
    }
    if !signature.inputs.is_empty() {
        return Err(Error::new_spanned(&signature.inputs, "`fn main` takes no arguments"));
    }
    let body = &function.block.stmts;
    *function.block = syn::parse_quote!({
        ::multiproc::init();
        #(#body)*
    });
    let function = function.to_token_stream();
    Ok(quote!(#function))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hook_comes_first() {
        let expanded = expand(
            TokenStream::new(),
            quote!(
                fn main() -> u8 {
                    7
                }
            ),
        )
        .unwrap();
        assert_eq!(
            expanded.to_string(),
            quote!(
                fn main() -> u8 {
                    ::multiproc::init();
                    7
                }
            )
            .to_string()
        );
    }

    #[test]
    fn misuse_says_what_to_write() {
        let message = |arguments, item| expand(arguments, item).unwrap_err().to_string();
        assert!(
            message(
                quote!(x),
                quote!(
                    fn main() {}
                )
            )
            .contains("no arguments")
        );
        assert!(
            message(
                quote!(),
                quote!(
                    fn other() {}
                )
            )
            .contains("belongs on `fn main`")
        );
        assert!(
            message(
                quote!(),
                quote!(
                    async fn main() {}
                )
            )
            .contains("inside `main`")
        );
    }
}
