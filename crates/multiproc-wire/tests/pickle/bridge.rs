//! Between objects and types of serde.

use std::collections::{BTreeMap, HashSet};

use multiproc_wire::pickle::{
    self, BigInt, Exception, Global, Instance, Object, ObjectErrorKind, from_object, to_object,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};

use crate::zoo;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(u8);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Circle(f64),
    Line(i32, i32),
    Path { name: String, closed: bool },
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Tree {
    name: String,
    children: Vec<Tree>,
}

fn both<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: T, shown: &str) {
    let object = to_object(&value).unwrap();
    assert_eq!(object.to_string(), shown);
    // And by way of a pickle.
    let bytes = pickle::encode(&object, pickle::Protocol::V2).unwrap();
    let object = pickle::decode(&bytes).unwrap();
    assert_eq!(from_object::<T>(object).unwrap(), value);
}

#[test]
fn types_become_what_the_table_says_and_come_back() {
    both((), "None");
    both(Unit, "None");
    both(Newtype(7), "7");
    both(Some(7), "7");
    both(None::<u8>, "None");
    both((true, 'x', "é".to_owned()), "(True, 'x', 'é')");
    both(
        (u64::MAX, i64::MIN, u128::MAX),
        format!("({}, {}, {})", u64::MAX, i64::MIN, u128::MAX).as_str(),
    );
    both(i128::MIN, i128::MIN.to_string().as_str());
    both((0.1f64, 0.5f32), "(0.1, 0.5)");
    both(vec![vec![1], vec![]], "[[1], []]");
    both([1, 2], "(1, 2)");
    both(BTreeMap::from([((1, 'a'), vec![2])]), "{(1, 'a'): [2]}");
    both(BTreeMap::from([(vec![vec![1]], ())]), "{((1,),): None}");
    both(HashSet::from([3]), "[3]");
    both(Shape::Nothing, "'Nothing'");
    both(Shape::Circle(1.0), "{'Circle': 1.0}");
    both(Shape::Line(1, -1), "{'Line': (1, -1)}");
    let path = Shape::Path { name: "p".to_owned(), closed: true };
    both(path, "{'Path': {'name': 'p', 'closed': True}}");
    both(Tree { name: "t".to_owned(), children: vec![] }, "{'name': 't', 'children': []}");
    both(Ok::<u8, String>(1), "{'Ok': 1}");
    both(std::net::Ipv4Addr::LOCALHOST, "'127.0.0.1'");
    both(std::time::Duration::from_secs(1), "{'secs': 1, 'nanos': 0}");
}

#[test]
fn bytes_are_bytes_and_sequences_take_them_too() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Frame(#[serde(with = "bytes")] Vec<u8>);
    mod bytes {
        use serde::{Deserializer, Serializer, de::Visitor};

        pub(super) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
            s.serialize_bytes(bytes)
        }

        pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
            struct Bytes;
            impl Visitor<'_> for Bytes {
                type Value = Vec<u8>;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("bytes")
                }
                fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                    Ok(bytes)
                }
            }
            d.deserialize_byte_buf(Bytes)
        }
    }
    both(Frame(vec![1, 255]), "b'\\x01\\xff'");
    assert_eq!(from_object::<Frame>(Object::ByteArray(vec![7])).unwrap(), Frame(vec![7]));
    assert_eq!(from_object::<Vec<u8>>(Object::Bytes(vec![7, 8])).unwrap(), [7, 8]);
    assert_eq!(from_object::<(u8, u8)>(Object::Bytes(vec![7, 8])).unwrap(), (7, 8));
}

#[test]
fn what_python_sends_in_its_place_is_taken() {
    assert_eq!(from_object::<f64>(3.into()).unwrap(), 3.0);
    let set = Object::FrozenSet(vec![1.into(), 2.into()]);
    assert_eq!(from_object::<HashSet<u8>>(set).unwrap(), HashSet::from([1, 2]));
    let tree = Object::from(("root", Object::Tuple(vec![])));
    assert_eq!(from_object::<Tree>(tree).unwrap().name, "root");
    let mut ordered = Instance::new(Global::new("collections", "OrderedDict"), []);
    ordered.pairs = vec![("a".into(), 1.into())];
    let map: BTreeMap<String, u8> = from_object(ordered.into()).unwrap();
    assert_eq!(map, BTreeMap::from([("a".to_owned(), 1)]));
    let more = Object::from([
        ("unknown", Object::None),
        ("name", "x".into()),
        ("children", Object::List(vec![])),
    ]);
    assert_eq!(from_object::<Tree>(more).unwrap().name, "x");

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    enum Any {
        Number(i64),
        Text(String),
        Many(Vec<Any>),
    }
    let any: Any = from_object(Object::List(vec![1.into(), "x".into()])).unwrap();
    assert_eq!(any, Any::Many(vec![Any::Number(1), Any::Text("x".to_owned())]));
}

#[test]
fn what_does_not_fit_is_an_error_that_says_what_and_where() {
    fn error<T: DeserializeOwned + std::fmt::Debug>(object: Object) -> String {
        from_object::<T>(object).unwrap_err().kind().to_string()
    }
    assert_eq!(error::<bool>(Object::None), "invalid type: unit value, expected a boolean");
    assert_eq!(error::<u8>(true.into()), "invalid type: boolean `true`, expected u8");
    assert_eq!(error::<(u8,)>((1, 2).into()), "1 elements more than expected");
    assert_eq!(error::<(u8, u8)>((1, ()).into()), "invalid type: unit value, expected u8");
    assert_eq!(error::<Vec<u8>>(5.into()), "invalid type: integer `5`, expected a sequence");
    let big = Object::from(BigInt::from_le_bytes(&[1; 40]));
    assert_eq!(error::<u64>(big), "invalid type: int of more than 128 bits, expected u64");
    let exception = Object::exception("KeyError", []);
    assert_eq!(error::<String>(exception), "invalid type: KeyError, expected a string");
    let wide = Object::Surrogates(b"\xed\xb2\x80".to_vec());
    assert_eq!(error::<String>(wide), "invalid type: str with lone surrogates, expected a string");
    assert!(error::<Shape>("Other".into()).starts_with("unknown variant `Other`"));
    assert!(error::<Shape>("Circle".into()).contains("expected newtype variant"));
    assert!(error::<Shape>([("Nothing", 1)].into()).contains("expected unit variant"));
    assert!(error::<Shape>([("Nothing", 1), ("Circle", 2)].into()).contains("name of a variant"));

    let err = to_object(&BTreeMap::from([(BTreeMap::from([(1, 2)]), 3)])).unwrap_err();
    assert_eq!(*err.kind(), ObjectErrorKind::Unhashable { type_name: "dict".to_owned() });
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Envelope {
    id: u64,
    content: Object,
    more: Vec<Object>,
}

proptest! {
    #[test]
    fn object_inside_a_value_passes_every_format(object in zoo::anything()) {
        let envelope = Envelope { id: 7, content: object.clone(), more: vec![object.clone()] };

        let message = multiproc_wire::encode(&envelope).unwrap();
        prop_assert_eq!(&message.decode::<Envelope>().unwrap(), &envelope);

        let json = serde_json::to_string(&envelope).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Envelope>(&json).unwrap(), &envelope);

        let outer = to_object(&envelope).unwrap();
        prop_assert_eq!(outer.get("content"), Some(&object));
        prop_assert_eq!(&from_object::<Envelope>(outer).unwrap(), &envelope);

        prop_assert_eq!(&to_object(&object).unwrap(), &object);
        prop_assert_eq!(&from_object::<Object>(object.clone()).unwrap(), &object);
    }
}

#[test]
fn object_as_deep_as_allowed_passes_a_message() {
    let deep = (0..512).fold(Object::None, |object, _| Object::List(vec![object]));
    let copy: Object = multiproc_wire::encode(&deep).unwrap().decode().unwrap();
    assert!(copy == deep);
    let deeper = Object::List(vec![deep]);
    assert!(multiproc_wire::encode(&deeper).is_err());
    assert!(to_object(&vec![1u8]).is_ok() && to_object(&Some(deeper)).is_err());
}

#[test]
fn object_inside_values_counts_with_them() {
    let deep = |levels| (0..levels).fold(Object::None, |object, _| Object::Tuple(vec![object]));
    assert!(to_object(&deep(512)).unwrap() == deep(512));
    for object in
        [deep(513), Object::exception("KeyError", [deep(512)]), Object::from([((), deep(512))])]
    {
        let err = to_object(&object).unwrap_err();
        assert_eq!(*err.kind(), ObjectErrorKind::TooDeep { limit: 512 });
    }
    // A struct and a list stand around it.
    let envelope = |levels| Envelope { id: 7, content: Object::None, more: vec![deep(levels)] };
    assert!(from_object::<Envelope>(to_object(&envelope(510)).unwrap()).unwrap() == envelope(510));
    let err = to_object(&envelope(511)).unwrap_err();
    assert_eq!(*err.kind(), ObjectErrorKind::TooDeep { limit: 512 });
}

#[test]
fn object_that_a_value_writes_as_something_else_is_a_pickle_there() {
    struct AsText(Object);
    impl Serialize for AsText {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_str(&serde_json::to_string(&self.0).unwrap())
        }
    }
    let shown = to_object(&[AsText(7.into())]).unwrap();
    let text = shown.as_tuple().unwrap()[0].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Object>(text).unwrap(), Object::Int(7));
}

#[test]
fn object_that_serde_sets_aside_is_itself_again() {
    #[derive(Serialize)]
    #[serde(tag = "outer")]
    enum Outer {
        Only(Inner),
    }
    #[derive(Serialize)]
    enum Inner {
        Only { content: Object },
    }
    let content = Object::Set(vec![1.into()]);
    let shown = to_object(&Outer::Only(Inner::Only { content })).unwrap().to_string();
    assert_eq!(shown, "{'outer': 'Only', 'Only': {'content': {1}}}");
}

#[test]
fn deep_types_are_refused_before_the_stack_ends() {
    let deep = |levels| {
        (1..levels)
            .fold(Tree::default(), |tree, _| Tree { name: String::new(), children: vec![tree] })
    };
    // A struct and a list each.
    let object = to_object(&deep(256)).unwrap();
    assert!(from_object::<Tree>(object).unwrap() == deep(256));
    let err = to_object(&deep(257)).unwrap_err();
    assert_eq!(*err.kind(), ObjectErrorKind::TooDeep { limit: 512 });

    let mut object = to_object(&deep(256)).unwrap();
    for _ in 0..10 {
        object = Object::from([("name", "".into()), ("children", Object::List(vec![object]))]);
    }
    let err = from_object::<Tree>(object).unwrap_err();
    assert_eq!(*err.kind(), ObjectErrorKind::TooDeep { limit: 512 });
}

#[test]
fn errors_are_small_and_cross_threads() {
    fn check<T: Send + Sync + std::error::Error + 'static>() {}
    check::<pickle::PickleError>();
    check::<pickle::ObjectError>();
    assert!(size_of::<pickle::PickleError>() <= 16);
    assert!(size_of::<Object>() <= 32);
    assert!(Exception::new(Global::new("queue", "Full"), []).class.is_exception());
}
