//! Objects look as they do in Python; see `python.rs` for what Python itself says.

use multiproc_wire::pickle::{Exception, Global, Instance, Made, Object};

#[test]
fn values_are_shown_as_python_shows_them() {
    let shown = |object: Object| object.to_string();
    assert_eq!(shown(Object::from("it's")), "\"it's\"");
    assert_eq!(shown(Object::from("it's \"so\"\\")), r#"'it\'s "so"\\'"#);
    assert_eq!(shown(Object::from("\t\u{7f}\u{e9}\u{200b}\u{1f600}")), r"'\t\x7fé\u200b😀'");
    assert_eq!(shown(Object::from("e\u{301}\u{301}")), "'e\u{301}\u{301}'");
    assert_eq!(shown(Object::Surrogates(b"\xed\xb2\x80".to_vec())), r"'\udc80'");
    assert_eq!(shown(Object::Bytes(b"a'\"\n\xff".to_vec())), r#"b'a\'"\n\xff'"#);
    assert_eq!(shown(Object::ByteArray(b"'".to_vec())), r#"bytearray(b"\'")"#);
    assert_eq!(shown(Object::from(1e15)), "1000000000000000.0");
    assert_eq!(shown(Object::from(1e16)), "1e+16");
    assert_eq!(shown(Object::from(1.25e-5)), "1.25e-05");
    assert_eq!(shown(Object::from(-0.0001)), "-0.0001");
    assert_eq!(shown(Object::from(5e-324)), "5e-324");
    assert_eq!(shown(Object::from(f64::NEG_INFINITY)), "-inf");
    assert_eq!(shown(Object::from(-f64::NAN)), "nan");
    assert_eq!(shown(Object::Tuple(vec![1.into()])), "(1,)");
    assert_eq!(shown(Object::FrozenSet(vec![1.into()])), "frozenset({1})");
    assert_eq!(shown(Object::Set(vec![])), "set()");
}

#[test]
fn what_is_no_plain_data_is_shown_in_full() {
    let class = Global::new("a.module", "Class.Inner");
    assert_eq!(Object::from(class.clone()).to_string(), "<global a.module.Class.Inner>");
    let exception = Exception::new(class.clone(), [1.into(), "x".into()]);
    assert_eq!(exception.to_string(), "Inner(1, 'x')");

    let ordered = Global::new("collections", "OrderedDict");
    let mut ordered = Instance { made: Made::Call, ..Instance::new(ordered, []) };
    assert_eq!(ordered.to_string(), "OrderedDict()");
    ordered.pairs = vec![(1.into(), 2.into())];
    assert_eq!(ordered.to_string(), "OrderedDict({1: 2})");
    assert_eq!(Object::from(ordered).as_dict().unwrap().len(), 1);

    let mut instance = Instance::new(class, []);
    instance.kwargs = vec![("x".into(), 1.into())];
    instance.items = vec![2.into()];
    instance.state = Some(Object::None);
    let shown = "a.module.Class.Inner() with {'x': 1} of [2] in state None";
    assert_eq!(instance.to_string(), shown);
}
