//! A function as a value.

#![expect(unsafe_code, reason = "turns a checked address back into a function")]

use std::{
    any::TypeId,
    fmt,
    hash::{Hash, Hasher},
};

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::Function;
use crate::{executable, family};

/// A function as a value: it can be stored, chosen at run time, and sent to any process of the family.
///
/// What travels is the position of the code in this executable, a hash of the function's type, and a code computed from
/// both with a secret that only the processes of this family know. It is refused where any of it does not fit: in a
/// process of another family or another build, or when its bytes were changed.
///
/// # Python
///
/// A function object; Python sends its module and name.
///
/// # Examples
///
/// ```
/// use multiproc_image::FnRef;
///
/// fn double(x: i64) -> i64 {
///     2 * x
/// }
///
/// let jobs: Vec<FnRef<(i64,), i64>> = vec![FnRef::new(double), FnRef::new(|x: i64| x * x)];
/// let results: Vec<i64> = jobs.iter().map(|job| job.call((7,))).collect();
/// assert_eq!(results, [14, 49]);
/// assert!(jobs[0].name().ends_with("double"));
/// ```
pub struct FnRef<Args, R> {
    // Invariant: both are functions of this image, made by `new` for the same function, or found by `resolve` after the
    // check that exactly such a pair was sent.
    call: fn(Args) -> R,
    name: fn() -> &'static str,
}

impl<Args: 'static, R: 'static> FnRef<Args, R> {
    /// Makes a value of `function`, a fn item or a closure that captures nothing.
    #[must_use]
    pub fn new<F>(function: F) -> Self
    where
        F: Function<Args, Output = R, State = ()>,
    {
        function.into_state();
        Self { call: call::<F, Args>, name: std::any::type_name::<F> }
    }

    /// Calls the function.
    pub fn call(&self, args: Args) -> R {
        (self.call)(args)
    }

    /// The function's path in the source.
    #[must_use]
    pub fn name(&self) -> &'static str {
        (self.name)()
    }

    fn to_wire(self) -> Result<Wire, FnRefError> {
        let image = executable::this();
        let offset = |address: usize| {
            image
                .offset_of(address)
                .ok_or_else(|| FnRefError::OutsideImage { name: self.name().into() })
        };
        let mut wire = Wire {
            call: offset(self.call as usize)?,
            name: offset(self.name as usize)?,
            signature: signature::<Args, R>(),
            code: [0; CODE],
        };
        wire.code = wire.authenticate();
        Ok(wire)
    }

    fn resolve(wire: &Wire) -> Result<Self, FnRefError> {
        if !bool::from(wire.authenticate().ct_eq(&wire.code)) {
            return Err(FnRefError::Foreign);
        }
        if wire.signature != signature::<Args, R>() {
            return Err(FnRefError::Signature { expected: std::any::type_name::<fn(Args) -> R>() });
        }
        let image = executable::this();
        let (Some(call), Some(name)) = (image.address_of(wire.call), image.address_of(wire.name))
        else {
            return Err(FnRefError::Foreign);
        };
        // SAFETY: The code was computed with the family's secret, so a process of this family sent this position, by
        // `to_wire`, of a function with this signature; the family runs one image, as its greeting has checked.
        let call = unsafe { std::mem::transmute::<usize, fn(Args) -> R>(call) };
        // SAFETY: As above.
        let name = unsafe { std::mem::transmute::<usize, fn() -> &'static str>(name) };
        Ok(Self { call, name })
    }
}

fn call<F, Args>(args: Args) -> F::Output
where
    F: Function<Args, State = ()>,
{
    F::call(&(), args)
}

const CODE: usize = 16;

/// What travels.
#[derive(Serialize, Deserialize)]
struct Wire {
    call: u64,
    name: u64,
    signature: u64,
    code: [u8; CODE],
}

impl Wire {
    fn authenticate(&self) -> [u8; CODE] {
        let record = family::record();
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(record.secret.as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(b"multiproc function");
        for word in [self.call, self.name, self.signature] {
            mac.update(&word.to_le_bytes());
        }
        let mut code = [0; CODE];
        code.copy_from_slice(&mac.finalize().into_bytes()[..CODE]);
        code
    }
}

/// A hash of the function's type, the same in every process of one build.
fn signature<Args: 'static, R: 'static>() -> u64 {
    struct Fnv(u64);
    impl Hasher for Fnv {
        fn finish(&self) -> u64 {
            self.0
        }
        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    TypeId::of::<fn(Args) -> R>().hash(&mut hasher);
    hasher.finish()
}

impl<Args: 'static, R: 'static> Serialize for FnRef<Args, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_wire().map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de, Args: 'static, R: 'static> Deserialize<'de> for FnRef<Args, R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::resolve(&Wire::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl<Args: 'static, R: 'static> Function<Args> for FnRef<Args, R> {
    type Output = R;
    type State = Self;

    fn into_state(self) -> Self {
        self
    }

    fn call(state: &Self, args: Args) -> R {
        (state.call)(args)
    }

    fn name(state: &Self) -> String {
        FnRef::name(state).into()
    }
}

impl<Args, R> Clone for FnRef<Args, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<Args, R> Copy for FnRef<Args, R> {}

impl<Args, R> fmt::Debug for FnRef<Args, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FnRef({})", (self.name)())
    }
}

/// Why a function reference was not sent or not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FnRefError {
    /// The function is not part of the program itself. Python raises `PicklingError`.
    #[error("function `{name}` is not part of this program, but of a library loaded by it")]
    OutsideImage {
        /// The function's name.
        name: String,
    },

    /// The reference is not from this family of processes, or was changed. Python raises `UnpicklingError`.
    #[error("function reference is not from this family of processes")]
    Foreign,

    /// The function has other arguments or another result. Python would find out in the call.
    #[error("function reference is not a `{expected}`")]
    Signature {
        /// The type that was asked for.
        expected: &'static str,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn double(x: u64) -> u64 {
        2 * x
    }

    #[test]
    fn reference_survives_the_way_and_nothing_else_does() {
        let sent = postcard::to_allocvec(&FnRef::new(double)).unwrap();
        let got: FnRef<(u64,), u64> = postcard::from_bytes(&sent).unwrap();
        assert_eq!(got.call((21,)), 42);
        assert!(got.name().ends_with("double"));

        let other: Result<FnRef<(u64,), i64>, _> = postcard::from_bytes(&sent);
        assert!(other.is_err(), "another signature");
        for bit in 0..sent.len() * 8 {
            let mut changed = sent.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let refused: Result<FnRef<(u64,), u64>, _> = postcard::from_bytes(&changed);
            assert!(refused.is_err(), "bit {bit}");
        }
    }

    #[test]
    fn code_outside_the_image_is_refused() {
        let outside: fn() -> &'static str = || "outside";
        // A pair whose second half is not code of this image, as a plug-in's would be.
        let foreign = FnRef::<(u64,), u64> { call: double_alias, name: outside };
        assert!(foreign.to_wire().is_ok());
        let wire = Wire {
            call: u64::MAX,
            name: 0,
            signature: signature::<(u64,), u64>(),
            code: [0; CODE],
        };
        let signed = Wire { code: wire.authenticate(), ..wire };
        assert!(matches!(FnRef::<(u64,), u64>::resolve(&signed), Err(FnRefError::Foreign)));
    }

    fn double_alias((x,): (u64,)) -> u64 {
        double(x)
    }
}
