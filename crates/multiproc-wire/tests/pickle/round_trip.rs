//! Everything comes back, by every protocol.

use multiproc_wire::pickle::{
    self, BigInt, Exception, Global, Globals, Instance, Limits, Made, Object, Protocol,
};
use proptest::prelude::*;

use crate::zoo;

pub(crate) const PROTOCOLS: [Protocol; 4] =
    [Protocol::V2, Protocol::V3, Protocol::V4, Protocol::V5];

fn back(object: &Object, protocol: Protocol) -> Object {
    let bytes = pickle::encode(object, protocol).unwrap();
    let limits = Limits { globals: Globals::Any, ..Limits::DEFAULT };
    pickle::decode_with(&bytes, limits).unwrap()
}

proptest! {
    #[test]
    fn everything_comes_back(object in zoo::anything()) {
        for protocol in PROTOCOLS {
            prop_assert_eq!(&back(&object, protocol), &object);
        }
    }

    #[test]
    fn plain_data_needs_no_globals_but_ours(object in zoo::plain()) {
        for protocol in PROTOCOLS {
            let bytes = pickle::encode(&object, protocol).unwrap();
            prop_assert_eq!(&pickle::decode(&bytes).unwrap(), &object);
        }
    }

    #[test]
    fn order_of_dicts_and_sets_does_not_count(object in zoo::anything()) {
        let other = reversed(object.clone());
        prop_assert!(object == other);
        prop_assert!(other == object);
        // But every member does.
        prop_assert_ne!(Object::Set(vec![1.into(), 2.into()]), Object::Set(vec![1.into(), 1.into()]));
    }
}

fn reversed(object: Object) -> Object {
    let pairs = |pairs: Vec<(Object, Object)>| {
        pairs.into_iter().rev().map(|(key, value)| (key, reversed(value))).collect()
    };
    match object {
        Object::List(items) => Object::List(items.into_iter().map(reversed).collect()),
        Object::Tuple(items) => Object::Tuple(items.into_iter().map(reversed).collect()),
        Object::Dict(items) => Object::Dict(pairs(items)),
        Object::Set(items) => Object::Set(items.into_iter().rev().collect()),
        Object::FrozenSet(items) => Object::FrozenSet(items.into_iter().rev().collect()),
        object => object,
    }
}

#[test]
fn large_sets_in_another_order_are_compared_in_no_time() {
    let set = |numbers: &mut dyn Iterator<Item = i64>| {
        let one = |number| Object::FrozenSet(vec![Object::from(number)]);
        Object::Set(numbers.map(one).collect())
    };
    // Pair by pair this would be ten thousand million comparisons.
    assert!(set(&mut (0..100_000)) == set(&mut (0..100_000).rev()));
    assert!(set(&mut (0..100_000)) != set(&mut (1..100_001).rev()));
}

#[test]
fn not_a_number_and_both_zeros_come_back_bit_by_bit() {
    for value in [f64::NAN, -f64::NAN, 0.0, -0.0, f64::INFINITY, f64::MIN_POSITIVE / 2.0] {
        let copy = back(&value.into(), Protocol::V4).as_float().unwrap();
        assert_eq!(copy.to_bits(), value.to_bits());
    }
}

#[test]
fn lengths_at_the_edge_of_an_opcode_come_back() {
    for len in [0, 1, 255, 256, 65535, 65536] {
        let objects = [
            Object::from("x".repeat(len)),
            Object::Bytes(vec![0xff; len]),
            Object::ByteArray(vec![7; len]),
            Object::from(BigInt::from_le_bytes(&vec![0x7f; len])),
            Object::List(vec![Object::None; len]),
            Object::Tuple(vec![true.into(); len]),
            Object::Set((0..len).map(Object::from).collect()),
            Object::Dict((0..len).map(|key| (key.into(), Object::None)).collect()),
        ];
        for object in objects {
            for protocol in PROTOCOLS {
                assert!(back(&object, protocol) == object, "{} of {len}", object.type_name());
            }
        }
    }
}

#[test]
fn big_int_that_is_small_comes_back_small() {
    let object = Object::BigInt(BigInt::from(5));
    assert_eq!(object.as_int(), Some(5));
    assert!(matches!(back(&object, Protocol::V4), Object::Int(5)));
    assert!(matches!(Object::from(BigInt::from(5)), Object::Int(5)));
}

#[test]
fn exception_keeps_its_attributes_and_token_its_state() {
    let mut import = Exception::new(Global::new("builtins", "ImportError"), ["no".into()]);
    import.attributes = vec![("name".into(), "left".into())];
    let token = Object::token("list", ("127.0.0.1", 5000), "7f00");
    for protocol in PROTOCOLS {
        let bytes = pickle::encode(&import.clone().into(), protocol).unwrap();
        assert_eq!(pickle::decode(&bytes).unwrap().as_exception(), Some(&import));
        let bytes = pickle::encode(&token, protocol).unwrap();
        let copy = pickle::decode(&bytes).unwrap();
        let [typeid, address, id] = copy.as_token().unwrap();
        assert_eq!((typeid.as_str(), id.as_str()), (Some("list"), Some("7f00")));
        assert_eq!(address.as_tuple().unwrap()[1].as_int(), Some(5000));
    }
}

#[test]
fn what_a_protocol_cannot_say_is_an_error() {
    let mut instance = Instance::new(Global::new("a", "B"), []);
    instance.kwargs = vec![("x".into(), 1.into())];
    assert_eq!(back(&instance.clone().into(), Protocol::V4), instance.clone().into());
    let err = pickle::encode(&instance.clone().into(), Protocol::V3).unwrap_err();
    assert_eq!(err.kind().to_string(), "protocol 3 cannot write a call with keyword arguments");
    instance.made = Made::Call;
    assert!(pickle::encode(&instance.into(), Protocol::V5).is_err());

    // Or else the name could go on as opcodes.
    let evil = Object::from(Global::new("os\nsystem\n", "x"));
    assert!(pickle::encode(&evil, Protocol::V2).is_err());
    assert_eq!(back(&evil, Protocol::V4), evil);

    let broken = Object::Surrogates(vec![0xff]);
    let mut bytes = b"before".to_vec();
    let err = pickle::encode_into(&Object::List(vec![broken]), Protocol::V4, &mut bytes);
    assert_eq!(err.unwrap_err().kind().to_string(), "invalid text");
    assert_eq!(bytes, b"before", "a failed call leaves the buffer as it was");
}
