//! What proxies of a known type have in common.

use super::Proxy;

/// A proxy that knows the type of its object.
pub trait TypedProxy: From<Proxy> {
    /// Returns the proxy that calls methods by name.
    fn as_proxy(&self) -> &Proxy;

    /// Turns it into the proxy that calls methods by name.
    #[must_use]
    fn into_proxy(self) -> Proxy;
}

/// Makes a type of proxies: a wrapper with the parameters of its values.
macro_rules! typed_proxy {
    ($(#[$doc:meta])* $name:ident $(<$($value:ident),*>)?) => {
        $(#[$doc])*
        pub struct $name $(<$($value = multiproc_wire::pickle::Object),*>)? {
            proxy: $crate::Proxy,
            $(values: std::marker::PhantomData<fn() -> ($($value,)*)>,)?
        }

        impl $(<$($value),*>)? From<$crate::Proxy> for $name $(<$($value),*>)? {
            fn from(proxy: $crate::Proxy) -> Self {
                Self { proxy, $(values: std::marker::PhantomData::<fn() -> ($($value,)*)>,)? }
            }
        }

        impl $(<$($value),*>)? $crate::TypedProxy for $name $(<$($value),*>)? {
            fn as_proxy(&self) -> &$crate::Proxy {
                &self.proxy
            }

            fn into_proxy(self) -> $crate::Proxy {
                self.proxy
            }
        }

        impl $(<$($value),*>)? Clone for $name $(<$($value),*>)? {
            fn clone(&self) -> Self {
                self.proxy.clone().into()
            }
        }

        impl $(<$($value),*>)? std::fmt::Debug for $name $(<$($value),*>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.proxy, f)
            }
        }

        impl $(<$($value),*>)? std::fmt::Display for $name $(<$($value),*>)? {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.proxy, f)
            }
        }

        impl $(<$($value),*>)? serde::Serialize for $name $(<$($value),*>)? {
            fn serialize<Ser: serde::Serializer>(&self, to: Ser) -> Result<Ser::Ok, Ser::Error> {
                self.proxy.serialize(to)
            }
        }

        impl<'de $($(, $value)*)?> serde::Deserialize<'de> for $name $(<$($value),*>)? {
            fn deserialize<De: serde::Deserializer<'de>>(from: De) -> Result<Self, De::Error> {
                $crate::Proxy::deserialize(from).map(Self::from)
            }
        }

        impl $(<$($value),*>)? From<$name $(<$($value),*>)?> for multiproc_wire::pickle::Object {
            fn from(proxy: $name $(<$($value),*>)?) -> Self {
                proxy.proxy.into_object()
            }
        }
    };
}
