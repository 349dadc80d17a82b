//! `derive(Shareable)`: a struct whose fields can lie in shared memory can lie there too.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{
    Data, DeriveInput, Error, Fields, GenericParam, LitStr, Member, Path, Result, Type,
    parse_quote, parse2, spanned::Spanned,
};

/// Expands `#[derive(Shareable)] struct …`.
pub(crate) fn expand(item: TokenStream) -> Result<TokenStream> {
    let input: DeriveInput = parse2(item)?;
    let home = home(&input)?;
    let fields = fields(&input)?;
    let mut generics = input.generics.clone();
    for parameter in &mut generics.params {
        if let GenericParam::Type(parameter) = parameter {
            parameter.bounds.push(parse_quote!(#home::Shareable));
        }
    }
    let name = &input.ident;
    let label = LitStr::new(&name.to_string(), name.span());
    let (parameters, arguments, conditions) = generics.split_for_impl();
    let shapes = fields.iter().map(|Field { member, label, ty }| {
        // With the span of the type, so that a complaint points there.
        let shape = quote_spanned!(ty.span()=> <#ty as #home::Shareable>::SHAPE);
        quote!((#label, ::core::mem::offset_of!(Self, #member), #shape))
    });
    let part = |Field { member, ty, .. }: &Field<'_>| quote!(&mut bytes[::core::mem::offset_of!(Self, #member)..][..::core::mem::size_of::<#ty>()]);
    let stores = fields.iter().map(|field| {
        let (Field { member, ty, .. }, part) = (field, part(field));
        // A copy, because the field of a packed struct cannot be borrowed.
        quote! {
            let field: #ty = self.#member;
            <#ty as #home::Shareable>::store(&field, #part);
        }
    });
    let repairs = fields.iter().map(|field| {
        let (Field { ty, .. }, part) = (field, part(field));
        quote!(<#ty as #home::Shareable>::repair(#part);)
    });
    Ok(quote! {
        // SAFETY: Every field is shareable, and there is nothing else in a struct but padding, which is not stored.
        #[automatically_derived]
        unsafe impl #parameters #home::Shareable for #name #arguments #conditions {
            const SHAPE: #home::Shape = #home::Shape::structure(
                #label,
                ::core::mem::size_of::<Self>(),
                &[#(#shapes),*],
            );

            fn store(&self, bytes: &mut [u8]) {
                ::core::assert!(bytes.len() == ::core::mem::size_of::<Self>(), "room for one value");
                #(#stores)*
            }

            fn repair(bytes: &mut [u8]) {
                ::core::assert!(bytes.len() == ::core::mem::size_of::<Self>(), "the bytes of one value");
                #(#repairs)*
            }
        }
    })
}

/// A field: how it is reached, what it is called, and its type.
struct Field<'a> {
    member: Member,
    label: LitStr,
    ty: &'a Type,
}

fn fields(input: &DeriveInput) -> Result<Vec<Field<'_>>> {
    let fields = match &input.data {
        Data::Struct(data) => &data.fields,
        Data::Enum(data) => {
            return Err(Error::new(
                data.enum_token.span,
                "an enum cannot be shared: not every number that another process may leave there is one of its \
                 variants; share the number, and convert it where it is read",
            ));
        }
        Data::Union(data) => {
            return Err(Error::new(
                data.union_token.span,
                "a union cannot be shared: share a struct, or an array of bytes",
            ));
        }
    };
    if let Fields::Unit = fields {
        return Ok(Vec::new());
    }
    let label = |member: &Member| match member {
        Member::Named(name) => LitStr::new(&name.to_string(), name.span()),
        Member::Unnamed(index) => LitStr::new(&index.index.to_string(), index.span),
    };
    let fields = fields.members().zip(fields);
    Ok(fields
        .map(|(member, field)| Field { label: label(&member), member, ty: &field.ty })
        .collect())
}

/// Where the trait is found: in the facade, unless `#[shareable(crate = path)]` says otherwise.
fn home(input: &DeriveInput) -> Result<Path> {
    let mut home: Path = parse_quote!(::multiproc::sharedctypes);
    for attribute in &input.attrs {
        if !attribute.path().is_ident("shareable") {
            continue;
        }
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error("only `crate = path` can be said here"));
            }
            home = meta.value()?.call(Path::parse_mod_style)?;
            Ok(())
        })?;
    }
    Ok(home)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(item: TokenStream) -> String {
        expand(item).unwrap_err().to_string()
    }

    #[test]
    fn only_structs_are_taken() {
        assert!(
            message(quote!(
                enum E {
                    A,
                }
            ))
            .contains("share the number")
        );
        assert!(message(quote!(union U { a: u8 })).contains("union"));
        assert!(
            expand(quote!(
                struct S;
            ))
            .is_ok()
        );
    }

    #[test]
    fn trait_is_found_where_it_is_said_to_be() {
        let expanded = |item| expand(item).unwrap().to_string();
        assert!(
            expanded(quote!(
                struct S(u8);
            ))
            .contains(":: multiproc :: sharedctypes :: Shape")
        );
        let elsewhere = expanded(quote!(
            #[shareable(crate = ::a::b)]
            struct S(u8);
        ));
        assert!(elsewhere.contains(":: a :: b :: Shape") && !elsewhere.contains("multiproc"));
        assert!(
            message(quote!(
                #[shareable(krate = a)]
                struct S;
            ))
            .contains("crate = path")
        );
    }

    #[test]
    fn parameters_have_to_be_shareable() {
        let expanded = expand(quote!(
            struct Pair<T, const N: usize>(T, [T; N]);
        ))
        .unwrap();
        assert!(expanded.to_string().contains("T : :: multiproc :: sharedctypes :: Shareable"));
    }
}
