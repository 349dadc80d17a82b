//! `#[shared]`: the dispatch and the proxy of a type whose values live in a manager's server.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote};
use syn::{
    Attribute, Error, FnArg, GenericArgument, ImplItem, ImplItemFn, ItemImpl, Pat, PathArguments,
    Result, ReturnType, Type, Visibility, ext::IdentExt, spanned::Spanned,
};

pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    if !arguments.is_empty() {
        return Err(Error::new(arguments.span(), "`#[shared]` takes no arguments"));
    }
    let block: ItemImpl = syn::parse2(item)?;
    let name = type_name(&block)?;
    let proxy = format_ident!("{name}Proxy");
    let text = name.to_string();

    let mut methods = vec![];
    let mut constructor = None;
    for item in &block.items {
        let ImplItem::Fn(function) = item else { continue };
        if !matches!(function.vis, Visibility::Public(_)) {
            continue;
        }
        match Method::of(function)? {
            Some(method) => methods.push(method),
            None if function.sig.ident == "new" => constructor = Some(function),
            None => {}
        }
    }

    let construct = construct(constructor, &text)?;
    let names = methods.iter().filter(|method| !method.name.starts_with('_'));
    let names = names.map(|Method { name, conditions, .. }| quote!(#(#conditions)* #name));
    let (args, this) = (args(), this());
    let dispatch = methods.iter().map(Method::dispatch);
    let calls = methods.iter().map(Method::call);
    let proxy_doc = format!("A proxy of a shared [`{text}`].");
    Ok(quote! {
        #block

        impl ::multiproc::managers::SharedType for #name {
            const NAME: &'static str = #text;
            const METHODS: &'static [&'static str] = &[#(#names),*];
            type Proxy = #proxy;

            fn construct(
                mut #args: ::multiproc::managers::Args,
            ) -> ::std::result::Result<Self, ::multiproc::managers::pickle::Exception> {
                #construct
            }

            fn dispatch(
                #this: &::std::sync::RwLock<Self>,
                mut call: ::multiproc::managers::Call,
            ) -> ::std::option::Option<::multiproc::managers::Outcome> {
                let mut #args = call.take_args();
                ::std::option::Option::Some(match call.method() {
                    #(#dispatch)*
                    _ => return ::std::option::Option::None,
                })
            }
        }

        #[doc = #proxy_doc]
        #[derive(Clone)]
        pub struct #proxy(::multiproc::managers::Proxy);

        impl #proxy {
            #(#calls)*
        }

        impl ::std::convert::From<::multiproc::managers::Proxy> for #proxy {
            fn from(proxy: ::multiproc::managers::Proxy) -> Self {
                Self(proxy)
            }
        }

        impl ::multiproc::managers::TypedProxy for #proxy {
            fn as_proxy(&self) -> &::multiproc::managers::Proxy {
                &self.0
            }

            fn into_proxy(self) -> ::multiproc::managers::Proxy {
                self.0
            }
        }

        impl ::std::fmt::Debug for #proxy {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Debug::fmt(&self.0, f)
            }
        }

        impl ::std::fmt::Display for #proxy {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(&self.0, f)
            }
        }

        impl ::multiproc::managers::serde::Serialize for #proxy {
            fn serialize<S: ::multiproc::managers::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                ::multiproc::managers::serde::Serialize::serialize(&self.0, serializer)
            }
        }

        impl<'de> ::multiproc::managers::serde::Deserialize<'de> for #proxy {
            fn deserialize<D: ::multiproc::managers::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                ::multiproc::managers::serde::Deserialize::deserialize(deserializer).map(Self)
            }
        }
    })
}

/// The arguments of a call. Not a name that a method's own argument may have.
fn args() -> Ident {
    Ident::new("args", Span::mixed_site())
}

/// The object that a method is called on.
fn this() -> Ident {
    Ident::new("this", Span::mixed_site())
}

fn type_name(block: &ItemImpl) -> Result<Ident> {
    if let Some((_, path, _)) = &block.trait_ {
        return Err(Error::new(path.span(), "`#[shared]` goes on an `impl` block of a type's own"));
    }
    if !block.generics.params.is_empty() {
        let text = "a shared type takes no parameters: clients know it by one name";
        return Err(Error::new(block.generics.span(), text));
    }
    match &*block.self_ty {
        Type::Path(path) => path.path.get_ident().cloned(),
        _ => None,
    }
    .ok_or_else(|| Error::new(block.self_ty.span(), "expected the plain name of a type"))
}

/// A method that clients may call.
struct Method<'a> {
    function: &'a ImplItemFn,
    name: String,
    changes: bool,
    params: Vec<Param<'a>>,
    /// Under which the method exists.
    conditions: Vec<&'a Attribute>,
}

/// An argument: its name, the type as it stands there, and what is decoded for it.
struct Param<'a> {
    name: &'a Ident,
    given: &'a Type,
    owned: TokenStream,
    by_reference: bool,
}

impl<'a> Method<'a> {
    /// Returns the method, if this takes `self`.
    fn of(function: &'a ImplItemFn) -> Result<Option<Self>> {
        let Some(FnArg::Receiver(receiver)) = function.sig.inputs.first() else { return Ok(None) };
        if receiver.reference.is_none() || receiver.colon_token.is_some() {
            let text =
                "a shared method takes `&self` or `&mut self`: the object stays in its server";
            return Err(Error::new(receiver.span(), text));
        }
        if let Some(token) = function.sig.asyncness {
            let text = "a shared method that awaits is written by hand, with the trait `Shared`";
            return Err(Error::new(token.span(), text));
        }
        if function.sig.generics.type_params().next().is_some() {
            let text = "a shared method takes no type parameters: its caller is another program";
            return Err(Error::new(function.sig.generics.span(), text));
        }
        let types = function.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(typed) => Some(typed.ty.to_token_stream()),
            FnArg::Receiver(_) => None,
        });
        if let Some(span) = types.chain([function.sig.output.to_token_stream()]).find_map(own_type)
        {
            let text = "the proxy has the same signature, and is another `Self`: name the type";
            return Err(Error::new(span, text));
        }
        let changes = receiver.mutability.is_some();
        let name = function.sig.ident.unraw().to_string();
        let conditions = function.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"));
        let conditions = conditions.collect();
        Ok(Some(Self { function, name, changes, params: params(function)?, conditions }))
    }

    /// Returns the arm of the server's `match`.
    fn dispatch(&self) -> TokenStream {
        let Self { function, name, changes, params, conditions } = self;
        let (args, this) = (args(), this());
        let ident = &function.sig.ident;
        let takes = params.iter().map(Param::take);
        let passes = params.iter().map(Param::pass);
        let lock = if *changes { quote!(write) } else { quote!(read) };
        let binding = if *changes { quote!(mut #this) } else { quote!(#this) };
        let call = quote!(#this.#ident(#(#passes),*));
        let answer = match shape(&function.sig.output) {
            Shape::Value => quote!(::multiproc::managers::Answer::of(&#call)),
            Shape::Shared(_) => quote!(::std::result::Result::Ok(#call.into())),
            Shape::Fallible(_, _) => quote! {
                match #call {
                    ::std::result::Result::Ok(value) => ::multiproc::managers::Answer::of(&value),
                    ::std::result::Result::Err(err) => ::std::result::Result::Err(
                        ::multiproc::managers::SharedError::into_exception(err),
                    ),
                }
            },
        };
        quote! {
            #(#conditions)*
            #name => (|| {
                #(#takes)*
                #args.finish()?;
                let #binding = #this.#lock().unwrap_or_else(::std::sync::PoisonError::into_inner);
                #answer
            })(),
        }
    }

    /// Returns the proxy's method.
    fn call(&self) -> TokenStream {
        let Self { function, name, params, conditions, .. } = self;
        let ident = &function.sig.ident;
        let docs = function.attrs.iter().filter(|attribute| attribute.path().is_ident("doc"));
        let names: Vec<_> = params.iter().map(|param| param.name).collect();
        let takes = params.iter().map(|Param { name, given, .. }| quote!(#name: #given));
        let call = quote!(self.0.call(#name, (#(#names,)*)));
        let (result, body) = match shape(&function.sig.output) {
            Shape::Value => {
                let value = match &function.sig.output {
                    ReturnType::Default => quote!(()),
                    ReturnType::Type(_, value) => quote!(#value),
                };
                let result = quote!(
                    ::std::result::Result<#value, ::multiproc::managers::CallError>
                );
                (result, call)
            }
            Shape::Shared(of) => (
                quote!(::std::result::Result<
                    <#of as ::multiproc::managers::SharedType>::Proxy,
                    ::multiproc::managers::CallError,
                >),
                quote! {
                    let proxy: ::multiproc::managers::Proxy = #call?;
                    ::std::result::Result::Ok(proxy.into())
                },
            ),
            Shape::Fallible(value, err) => (
                quote!(::std::result::Result<#value, ::multiproc::managers::MethodError<#err>>),
                quote!(#call.map_err(::std::convert::Into::into)),
            ),
        };
        quote! {
            #(#docs)*
            #(#conditions)*
            pub fn #ident(&self, #(#takes),*) -> #result {
                #body
            }
        }
    }
}

impl Param<'_> {
    fn take(&self) -> TokenStream {
        let Self { name, owned, .. } = self;
        let (args, text) = (args(), name.unraw().to_string());
        quote!(let #name: #owned = #args.take(#text)?;)
    }

    fn pass(&self) -> TokenStream {
        let name = self.name;
        if self.by_reference { quote!(&#name) } else { quote!(#name) }
    }
}

fn params(function: &ImplItemFn) -> Result<Vec<Param<'_>>> {
    let inputs = function.sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    });
    let param = |typed: &'_ syn::PatType| -> Result<()> {
        match &*typed.pat {
            Pat::Ident(_) => Ok(()),
            other => Err(Error::new(other.span(), "an argument of a shared method has a name")),
        }
    };
    inputs
        .map(|typed| {
            param(typed)?;
            let Pat::Ident(pat) = &*typed.pat else { unreachable!("checked above") };
            let given = &*typed.ty;
            let (owned, by_reference) = owned(given)?;
            Ok(Param { name: &pat.ident, given, owned, by_reference })
        })
        .collect()
}

/// Returns where `Self` stands in a type.
fn own_type(tokens: TokenStream) -> Option<Span> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == "Self" => Some(ident.span()),
        TokenTree::Group(group) => own_type(group.stream()),
        _ => None,
    })
}

/// What is decoded for an argument of a type, and whether it is passed by reference.
fn owned(given: &Type) -> Result<(TokenStream, bool)> {
    let Type::Reference(reference) = given else { return Ok((quote!(#given), false)) };
    if let Some(token) = reference.mutability {
        let text = "a shared method cannot change its caller's values";
        return Err(Error::new(token.span(), text));
    }
    Ok(match &*reference.elem {
        Type::Path(path) if path.path.is_ident("str") => (quote!(::std::string::String), true),
        Type::Slice(slice) => {
            let item = &slice.elem;
            (quote!(::std::vec::Vec<#item>), true)
        }
        other => (quote!(#other), true),
    })
}

/// What a method returns.
enum Shape<'a> {
    Value,
    /// `Sharing<T>`.
    Shared(&'a Type),
    /// `Result<T, E>`.
    Fallible(&'a Type, &'a Type),
}

fn shape(output: &ReturnType) -> Shape<'_> {
    let ReturnType::Type(_, output) = output else { return Shape::Value };
    let Type::Path(path) = &**output else { return Shape::Value };
    let Some(last) = path.path.segments.last() else { return Shape::Value };
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return Shape::Value };
    let types: Vec<_> = arguments
        .args
        .iter()
        .filter_map(|argument| match argument {
            GenericArgument::Type(of) => Some(of),
            _ => None,
        })
        .collect();
    match (&*last.ident.to_string(), &types[..]) {
        ("Sharing", [of]) => Shape::Shared(of),
        ("Result", [value, err]) => Shape::Fallible(value, err),
        _ => Shape::Value,
    }
}

fn construct(constructor: Option<&ImplItemFn>, text: &str) -> Result<TokenStream> {
    let args = args();
    let Some(function) = constructor else {
        let text = format!("{text} has no `new`: managers cannot make one");
        return Ok(quote! {
            let _ = &mut #args;
            let class = ::multiproc::managers::pickle::Global::new("builtins", "TypeError");
            ::std::result::Result::Err(
                ::multiproc::managers::pickle::Exception::new(class, [#text.into()]),
            )
        });
    };
    let params = params(function)?;
    let takes = params.iter().map(Param::take);
    let passes = params.iter().map(Param::pass);
    let call = quote!(Self::new(#(#passes),*));
    let made = match shape(&function.sig.output) {
        Shape::Fallible(..) => {
            quote!(#call.map_err(::multiproc::managers::SharedError::into_exception))
        }
        _ => quote!(::std::result::Result::Ok(#call)),
    };
    Ok(quote! {
        #(#takes)*
        #args.finish()?;
        #made
    })
}
