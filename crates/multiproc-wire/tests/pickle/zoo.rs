//! A strategy that makes objects, of every kind and as deep as one likes.

use multiproc_wire::pickle::{BigInt, Exception, Global, Instance, Made, Object};
use proptest::{collection, prelude::*, string};

/// Texts with all that `repr` treats in its own way.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let chars = "[ -~\\t\\n\\r\\x00-\\x1f\\x7f-\u{24f}\u{3b1}\u{200b}\u{2028}\u{3000}\u{e000}\u{1f600}'\"\\\\]";
    string::string_regex(&format!("{chars}{{0,12}}")).unwrap()
}

/// Integers of every width, those at its edges above all.
pub(crate) fn integer() -> impl Strategy<Value = Object> {
    let power = (0u32..126, -2i128..=2, any::<bool>()).prop_map(|(shift, near, negative)| {
        let value = (1i128 << shift) + near;
        Object::from(if negative { -value } else { value })
    });
    let long = collection::vec(any::<u8>(), 0..300)
        .prop_map(|bytes| Object::from(BigInt::from_le_bytes(&bytes)));
    prop_oneof![3 => power, 1 => any::<i64>().prop_map(Object::from), 1 => long]
}

/// What may be a key, none equal to another in Python's eyes unless it is the same.
fn key() -> impl Strategy<Value = Object> {
    let leaf = prop_oneof![
        text().prop_map(Object::from),
        integer(),
        collection::vec(any::<u8>(), 0..5).prop_map(Object::Bytes),
    ];
    leaf.prop_recursive(2, 6, 3, |inner| collection::vec(inner, 0..3).prop_map(Object::Tuple))
}

/// Leaves out what is there already.
fn distinct<T>(items: Vec<T>, key: impl Fn(&T) -> &Object) -> Vec<T> {
    let mut kept: Vec<T> = vec![];
    for item in items {
        if kept.iter().all(|other| key(other) != key(&item)) {
            kept.push(item);
        }
    }
    kept
}

fn pairs(value: impl Strategy<Value = Object>) -> impl Strategy<Value = Vec<(Object, Object)>> {
    collection::vec((key(), value), 0..4).prop_map(|pairs| distinct(pairs, |(key, _)| key))
}

fn members() -> impl Strategy<Value = Vec<Object>> {
    collection::vec(key(), 0..5).prop_map(|items| distinct(items, |item| item))
}

/// Plain data: what Python shows and compares as we do.
pub(crate) fn plain() -> impl Strategy<Value = Object> {
    let leaf = prop_oneof![
        Just(Object::None),
        any::<bool>().prop_map(Object::from),
        integer(),
        any::<f64>()
            .prop_filter("not a number is not itself", |value| !value.is_nan())
            .prop_map(Object::from),
        text().prop_map(Object::from),
        collection::vec(any::<u8>(), 0..300).prop_map(Object::Bytes),
        collection::vec(any::<u8>(), 0..9).prop_map(Object::ByteArray),
        (text(), text()).prop_map(|(a, b)| {
            Object::Surrogates([a.as_bytes(), b"\xed\xb3\xbf", b.as_bytes()].concat())
        }),
        members().prop_map(Object::Set),
        members().prop_map(Object::FrozenSet),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..6).prop_map(Object::List),
            collection::vec(inner.clone(), 0..6).prop_map(Object::Tuple),
            pairs(inner).prop_map(Object::Dict),
        ]
    })
}

/// Plain data, exceptions, names and instances, known and not.
pub(crate) fn anything() -> impl Strategy<Value = Object> {
    let class = prop_oneof![
        Just(Global::new("decimal", "Decimal")),
        Just(Global::new("collections", "OrderedDict")),
        "[a-z.]{1,9}".prop_map(|name| Global::new("a.module", name)),
    ];
    let exception = prop_oneof![
        Just(Global::new("queue", "Empty")),
        Just(Global::new("builtins", "ValueError")),
        Just(Global::new("multiprocessing.managers", "RemoteError")),
    ];
    let args = || collection::vec(plain(), 0..4);
    let instance = (class.clone(), any::<bool>(), args(), args(), pairs(plain()), plain())
        .prop_map(|(class, call, args, items, pairs, state)| {
            let made = if call { Made::Call } else { Made::New };
            let state = if state.is_none() { None } else { Some(state) };
            Object::from(Instance { made, items, pairs, state, ..Instance::new(class, args) })
        });
    let exception = (exception, args(), pairs(plain()))
        .prop_map(|(class, args, attributes)| Object::from(Exception { class, args, attributes }));
    let one = prop_oneof![plain(), class.prop_map(Object::from), instance, exception,];
    collection::vec(one, 0..4).prop_map(Object::List)
}
