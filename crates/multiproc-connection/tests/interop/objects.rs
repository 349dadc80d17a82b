//! Objects to and from real Pythons; the other half of the story is told by objects.py.

use std::{collections::BTreeMap, error::Error};

use multiproc_connection::{
    AcceptError, Address, AuthenticationError, ConnectError, Connection, Family, RecvError,
};
use multiproc_wire::pickle::{BigInt, Exception, Global, Object};
use serde::{Deserialize, Serialize};

use crate::{
    KEY, client, listener,
    python::{self, OBJECTS},
    pythons,
};

/// Sends back every object; tells why, where there was none to be had.
fn serve(connection: &Connection<()>) {
    let now_you = Object::from("now you");
    loop {
        match connection.recv_object::<Object>() {
            Ok(object) if object == now_you => return,
            Ok(object) => connection.send_object(&object).unwrap(),
            Err(RecvError::Pickle(err)) => {
                let reason = err.source().unwrap().to_string();
                connection.send_object(&Object::exception("ValueError", [reason.into()])).unwrap();
            }
            Err(err) => panic!("{err:?}"),
        }
    }
}

/// What Python says of a value of ours: its type and what `repr` shows.
fn said<T: Serialize + ?Sized>(connection: &Connection<()>, value: &T) -> String {
    connection.send_object(value).unwrap();
    match connection.recv_object().unwrap() {
        Object::Bytes(text) => String::from_utf8(text).unwrap(),
        other => panic!("{other}"),
    }
}

#[derive(Serialize, Deserialize)]
struct Point {
    x: i64,
    y: Option<f64>,
}

#[derive(Serialize)]
enum Shape {
    Nothing,
    Circle(f64),
}

/// Has Python tell what our values are to it.
fn show(connection: &Connection<()>) {
    let check = |value: Object, text: &str| assert_eq!(said(connection, &value), text);
    assert_eq!(said(connection, &Point { x: 7, y: None }), "dict: {'x': 7, 'y': None}");
    assert_eq!(said(connection, &(u64::MAX, -1.5)), "tuple: (18446744073709551615, -1.5)");
    assert_eq!(said(connection, &i128::MIN), format!("int: {}", i128::MIN));
    assert_eq!(
        said(connection, &vec![Shape::Nothing, Shape::Circle(2.0)]),
        "list: ['Nothing', {'Circle': 2.0}]"
    );
    assert_eq!(said(connection, &BTreeMap::from([(1, "x")])), "dict: {1: 'x'}");
    assert_eq!(said(connection, "text"), "str: 'text'");
    assert_eq!(said(connection, &()), "NoneType: None");
    check(Object::Bytes(vec![1, 2]), r"bytes: b'\x01\x02'");
    check(Object::ByteArray(vec![1, 2]), r"bytearray: bytearray(b'\x01\x02')");
    check(Object::Set(vec![1.into()]), "set: {1}");
    check(Object::FrozenSet(vec![1.into()]), "frozenset: frozenset({1})");
    check(Object::Surrogates(b"\xed\xb2\x80".to_vec()), r"str: '\udc80'");
    check("1".repeat(100).parse::<BigInt>().unwrap().into(), &format!("int: {}", "1".repeat(100)));
    check(Object::exception("KeyError", ["x".into()]), "KeyError: KeyError('x')");
    check(Exception::new(Global::new("queue", "Empty"), []).into(), "Empty: Empty()");
    let text = said(connection, &Object::token("list", "/tmp/x", "1"));
    assert_eq!(text, "Token: Token(typeid='list', address='/tmp/x', id='1')");
    check(Global::new("builtins", "KeyError").into(), "type: <class 'KeyError'>");
    // 512 levels are as deep as a value may be.
    let deep = (0..512)
        .fold(None, |inner: Option<Object>, _| Some(Object::List(inner.into_iter().collect())));
    check(deep.unwrap(), &format!("list: {}{}", "[".repeat(512), "]".repeat(512)));
}

#[test]
fn python_client_talks_objects() {
    for python in pythons() {
        for family in Family::ALL {
            let listener = listener(python, family).authkey(KEY).bind().unwrap();
            let address = python::literal(listener.address());
            let mut child = python.run(OBJECTS, "connect", &[&address, "our secret"]);
            let served: Connection<()> = listener.accept().unwrap();
            serve(&served);
            show(&served);
            drop(served);
            child.finish();
        }
    }
}

#[test]
fn python_listener_talks_objects() {
    for python in pythons() {
        for family in ["AF_INET", "AF_UNIX"] {
            let mut child = python.run(OBJECTS, "listen", &[family, "our secret"]);
            let address: Address = child.line().parse().unwrap();
            let connection: Connection<()> = client(python).authkey(KEY).connect(address).unwrap();
            serve(&connection);
            show(&connection);
            drop(connection);
            child.finish();
        }
    }
}

#[test]
fn python_without_the_key_sends_no_object() {
    for python in pythons() {
        let listener = listener(python, Family::Unix).authkey(KEY).bind().unwrap();
        let address = python::literal(listener.address());
        let mut child = python.run(OBJECTS, "connect", &[&address, "wrong"]);
        let err = listener.accept::<(), ()>().unwrap_err();
        assert!(
            matches!(err, AcceptError::Authentication(AuthenticationError::WrongDigest)),
            "{err:?}"
        );
        assert_eq!(child.line(), "AuthenticationError");
        child.finish();

        let mut child = python.run(OBJECTS, "listen", &["AF_UNIX", "wrong"]);
        let address: Address = child.line().parse().unwrap();
        let err = client(python).authkey(KEY).connect::<(), (), _>(address).unwrap_err();
        assert!(
            matches!(err, ConnectError::Authentication(AuthenticationError::Rejected)),
            "{err:?}"
        );
        assert_eq!(child.line(), "AuthenticationError");
        child.finish();
    }
}
