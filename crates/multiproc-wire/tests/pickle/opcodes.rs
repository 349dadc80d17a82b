//! What each opcode does, and what it says when it cannot.

use multiproc_wire::pickle::{
    self, BigInt, Globals, Limits, Object, PickleErrorKind, Protocol, decode,
};

/// Returns the text of the error and the offset of its opcode.
fn error(bytes: &[u8]) -> (String, usize) {
    let err = decode(bytes).unwrap_err();
    (err.kind().to_string(), err.offset())
}

#[test]
fn what_python_wrote_in_the_oldest_protocols_is_read() {
    // pickle.dumps((1, -2, 2**70, True, 1.5, 'a\\b\xe9\u20ac\n\U0001f600', None, [1], {2: 3}), 0)
    let bytes = b"(I1\nI-2\nL1180591620717411303424L\nI01\nF1.5\n\
        Va\\u005cb\xe9\\u20ac\\u000a\\U0001f600\np0\nN(lp1\nI1\na(dp2\nI2\nI3\nstp3\n.";
    let expected = Object::Tuple(vec![
        1.into(),
        (-2).into(),
        (1i128 << 70).into(),
        true.into(),
        1.5.into(),
        "a\\b\u{e9}\u{20ac}\n\u{1f600}".into(),
        Object::None,
        Object::List(vec![1.into()]),
        Object::from([(2, 3)]),
    ]);
    assert_eq!(decode(bytes).unwrap(), expected);

    assert_eq!(decode(b"(lI00\naF-inf\na.").unwrap().to_string(), "[False, -inf]");
    assert_eq!(decode(b"V\\ud800x\n.").unwrap(), Object::Surrogates(b"\xed\xa0\x80x".to_vec()));
    assert_eq!(decode(b"U\x02hiT\x02\0\0\0ho\x86.").unwrap().to_string(), "('hi', 'ho')");
    assert_eq!(decode(b"c__builtin__\nlong\n.").unwrap().to_string(), "<class 'int'>");
    assert_eq!(decode(b"cQueue\nFull\n(tR.").unwrap().to_string(), "Full()");
}

#[test]
fn stack_can_be_turned_over() {
    assert_eq!(decode(b"K\x01K\x020.").unwrap().as_int(), Some(1));
    assert_eq!(decode(b"K\x01(K\x02K\x031.").unwrap().as_int(), Some(1));
    assert_eq!(decode(b"K\x01(0.").unwrap().as_int(), Some(1));
    assert_eq!(decode(b"]2\x86.").unwrap().to_string(), "([], [])");
    assert_eq!(decode(b"(K\x01K\x02d.").unwrap().to_string(), "{1: 2}");
}

#[test]
fn shared_values_are_copied_also_those_that_change_later() {
    let bytes = b"]q\x05h\x05\x86h\x05K\x01a0.";
    assert_eq!(decode(bytes).unwrap().to_string(), "([1], [1])");
    let bytes = b"\x80\x04\x8c\x01x\x94h\0j\0\0\0\0g0\n\x87.";
    assert_eq!(error(bytes).0, "more than one value is left at the end");
    let bytes = b"\x80\x04(\x8c\x01x\x94h\0j\0\0\0\0g0\nt.";
    assert_eq!(decode(bytes).unwrap().to_string(), "('x', 'x', 'x', 'x')");
}

#[test]
fn what_is_not_supported_says_so_where_it_stands() {
    assert_eq!(error(b"]Pid\n."), ("persistent ids are not supported".into(), 1));
    assert_eq!(error(b"NQ."), ("persistent ids are not supported".into(), 1));
    assert_eq!(error(b"\x82\x01."), ("extension codes are not supported".into(), 0));
    assert_eq!(error(b"\x80\x05\x97."), ("out-of-band buffers are not supported".into(), 2));
    assert_eq!(error(b"\x80\x05\x98."), ("out-of-band buffers are not supported".into(), 2));
    assert_eq!(error(b"S'x'\n."), ("texts of Python 2 are not supported".into(), 0));
    assert_eq!(error(b"(ios\nsystem\n."), ("instances of Python 2 are not supported".into(), 1));
    assert_eq!(error(b"\x80\x06N."), ("protocols above 5 are not supported".into(), 0));
    assert_eq!(error(b"N\xff."), ("unknown opcode 0xff".into(), 1));
}

#[test]
fn stack_that_is_too_short_or_too_long_is_an_error() {
    let empty = "opcode needs a value where the stack has none";
    assert_eq!(error(b"."), (empty.into(), 0));
    assert_eq!(error(b"N0."), (empty.into(), 2));
    assert_eq!(error(b"NN\x87."), (empty.into(), 2));
    assert_eq!(error(b"N(q\0."), (empty.into(), 2));
    assert_eq!(error(b"](a."), (empty.into(), 2));
    assert_eq!(error(b"Nt."), ("opcode needs a mark where the stack has none".into(), 1));
    assert_eq!(error(b"NN."), ("more than one value is left at the end".into(), 2));
    assert_eq!(error(b"(N."), ("more than one value is left at the end".into(), 2));
    assert_eq!(error(b"}(Nu."), ("key has no value".into(), 3));
    assert_eq!(error(b"h\x07."), ("memo has no value 7".into(), 0));
}

#[test]
fn bytes_that_end_early_or_late_are_errors() {
    assert_eq!(error(b""), ("pickle ends before its end".into(), 0));
    assert_eq!(error(b"N"), ("pickle ends before its end".into(), 1));
    assert_eq!(error(b"N.xy"), ("2 bytes are left over after the pickle".into(), 2));
    assert_eq!(error(b"I12"), ("pickle ends before its end".into(), 0));
    assert_eq!(error(b"\x95\x02\0\0\0\0\0\0\0."), ("pickle ends before its end".into(), 0));
}

#[test]
fn operands_that_make_no_sense_are_errors() {
    assert_eq!(error(b"X\x01\0\0\0\xff."), ("invalid utf-8".into(), 0));
    assert_eq!(error(b"U\x01\xe9."), ("invalid ascii".into(), 0));
    assert_eq!(error(b"I1x\n."), ("invalid integer".into(), 0));
    assert_eq!(error(b"F1x\n."), ("invalid float".into(), 0));
    assert_eq!(error(b"V\\u12\n."), ("invalid escape".into(), 0));
    assert_eq!(error(b"V\\u+123\n."), ("invalid escape".into(), 0));
    assert_eq!(error(b"V\\U00110000\n."), ("invalid escape".into(), 0));
    assert_eq!(error(b"\x8b\xff\xff\xff\xff."), ("invalid length".into(), 0));
    assert_eq!(error(b"Np-1\n."), ("invalid memo index".into(), 1));
    let digits = [b"L".to_vec(), vec![b'9'; 4301], b"L\n.".to_vec()].concat();
    assert_eq!(error(&digits), ("invalid integer".into(), 0));
}

#[test]
fn values_of_the_wrong_type_are_errors() {
    assert_eq!(error(b"NNa.").0, "value is appended to something that is no list");
    assert_eq!(error(b"]NNs.").0, "key is set in something that is no dict");
    assert_eq!(error(b"](N\x90.").0, "value is added to something that is no set");
    assert_eq!(error(b"N)R.").0, "what is called is no global");
    assert_eq!(error(b"cbuiltins\nint\n]R.").0, "arguments of a call are no tuple");
    assert_eq!(error(b"cbuiltins\nint\n)]\x92.").0, "keyword arguments of a call are no dict");
    assert_eq!(error(b"NN\x93.").0, "name of a global is no str");
    assert_eq!(error(b"]Nb.").0, "state is set in something that has none");
    assert_eq!(error(b"cbuiltins\nKeyError\n)R}b}b.").0, "state is set twice");
    assert_eq!(error(b"cbuiltins\nKeyError\n)R)b.").0, "state of an exception is no dict");
}

#[test]
fn globals_that_are_not_known_are_named_and_never_more_than_names() {
    for bytes in
        [&b"cos\nsystem\nX\x02\0\0\0ls\x85R."[..], b"\x80\x04\x8c\x02os\x8c\x06system\x93."]
    {
        assert_eq!(error(bytes).0, "global `os.system` is not one that may be read");
    }
    let limits = Limits { globals: Globals::Any, ..Limits::DEFAULT };
    let object = pickle::decode_with(b"cos\nsystem\nX\x02\0\0\0ls\x85R.", limits).unwrap();
    assert_eq!(object.to_string(), "os.system('ls')");

    // Of the names that are known, most may not be called.
    let refused = [&b"cbuiltins\nint\nK\x01\x85R."[..], b"cbuiltins\nbytes\nJ\0\0\0\x7f\x85R."];
    for bytes in refused {
        let err = decode(bytes).unwrap_err();
        assert!(matches!(err.kind(), PickleErrorKind::Global { verb: "called like this", .. }));
    }
    assert!(decode(b"cbuiltins\nbytearray\nJ\0\0\0\x7f\x85R.").is_err());
    assert!(decode(b"cbuiltins\ntype\nNNN\x87R.").is_err());
    assert!(decode(b"cbuiltins\neval\n.").is_err());
    assert!(decode(b"c_codecs\nencode\n.").is_err());
    assert!(decode(b"c_codecs\nencode\nX\x01\0\0\0aX\x03\0\0\0hex\x86R.").is_err());
    let wide = b"c_codecs\nencode\nX\x03\0\0\0\xe2\x82\xacX\x06\0\0\0latin1\x86R.";
    assert_eq!(error(wide).0, "invalid latin-1");
    // Old names are old: they mean nothing where protocol 3 is announced.
    assert!(decode(b"\x80\x03c__builtin__\nset\n]\x85R.").is_err());
    assert_eq!(decode(b"c__builtin__\nset\n]\x85R.").unwrap(), Object::Set(vec![]));
}

#[test]
fn keys_and_members_that_cannot_be_hashed_are_errors() {
    assert_eq!(error(b"}]Ns."), ("unhashable type: 'list'".into(), 1));
    assert_eq!(error(b"}}N\x86Ns.").0, "unhashable type: 'dict'".to_owned());
    assert_eq!(error(b"(\x8f\x91.").0, "unhashable type: 'set'");
    assert_eq!(error(b"\x8f(\x96\0\0\0\0\0\0\0\0\x90.").0, "unhashable type: 'bytearray'");
    assert_eq!(decode(b"}(\x91Ns.").unwrap().to_string(), "{frozenset(): None}");
    for object in [Object::List(vec![]), Object::ByteArray(vec![])] {
        let dict = Object::Dict(vec![(Object::Tuple(vec![object]), 1.into())]);
        assert!(pickle::encode(&dict, Protocol::V4).is_err());
    }
}

#[test]
fn values_that_contain_themselves_are_errors() {
    let recursive = ("value contains itself".to_owned(), 0);
    assert_eq!(error(b"]q\0h\0a."), recursive);
    assert_eq!(error(b"}q\0Nh\0s."), recursive);
    // t = ([],); t[0].append(t)
    assert_eq!(error(b"\x80\x04](h\0.").0, "memo has no value 0");
    assert_eq!(error(b"]q\0h\0\x85ah\x000."), recursive);
    assert_eq!(
        error(b"cbuiltins\nKeyError\n]q\x00\x85Rq\x01h\x00h\x01a0.").0,
        "value contains itself"
    );
    // The same list twice is none of that.
    assert_eq!(decode(b"]q\0]q\x01h\x01\x86a.").unwrap().to_string(), "[([], [])]");
}

#[test]
fn long_integers_are_as_short_as_they_can_be() {
    assert_eq!(decode(b"\x8a\x00.").unwrap().as_int(), Some(0));
    assert_eq!(
        decode(b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\x7f\x00.").unwrap().as_int(),
        Some(i64::MAX)
    );
    let big = decode(b"\x8b\x09\0\0\0\0\0\0\0\0\0\0\x80\xff.").unwrap();
    assert_eq!(big.as_int(), Some(i64::MIN));
    let big = decode(b"\x8a\x09\0\0\0\0\0\0\0\x80\0.").unwrap();
    assert_eq!(big, Object::BigInt(BigInt::from(1u64 << 63)));
}
