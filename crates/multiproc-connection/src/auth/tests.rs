//! The handshake without a connection, against what CPython sends.

use super::*;
use crate::AuthenticationError;

const KEY: &[u8] = b"a secret";

fn auth() -> Auth {
    Auth::new(KEY)
}

fn response(auth: &Auth, body: &[u8]) -> Result<Vec<u8>, AuthenticationError> {
    answer(auth, &[b"#CHALLENGE#", body].concat())
}

/// Lets two ends talk until both are done or one has failed.
fn talk(listener: Auth, client: Auth) -> [Option<Result<bool, AuthenticationError>>; 2] {
    let (mut listener, opening) = Dialogue::listener(listener).unwrap();
    let mut client = Dialogue::client(client).unwrap();
    let (mut results, mut message) = ([None, None], Some(opening));
    for turn in 0.. {
        let Some(received) = message else { break };
        assert!(!received.windows(KEY.len()).any(|part| part == KEY), "the key travels");
        let who = (turn + 1) % 2;
        let step = if who == 1 { client.step(&received) } else { listener.step(&received) };
        message = step.reply;
        results[who] = Some(step.result);
    }
    results
}

// parity: auth.challenge-format
#[test]
fn challenge_is_the_marker_the_digest_and_forty_random_bytes() {
    let message = Challenge::new(&auth()).unwrap().message();
    assert!(message.starts_with(b"#CHALLENGE#{sha256}"));
    assert_eq!(message.len(), 59);
    assert_ne!(message, Challenge::new(&auth()).unwrap().message());
}

// parity: auth.response-format
#[test]
fn response_is_what_python_computes() {
    // hmac.new(b'a secret', b'{sha256}' + bytes(range(40)), 'sha256').hexdigest()
    let random: Vec<u8> = (0..40).collect();
    for (digest, expected) in EXPECTED {
        let body = [b"{", digest.as_bytes(), b"}", &random[..]].concat();
        let got = response(&auth().allow_md5(), &body).unwrap();
        let prefix = format!("{{{digest}}}");
        let mac = got.strip_prefix(prefix.as_bytes()).unwrap();
        let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected, "{digest}");
    }
}

// parity: auth.digests-verified
#[test]
fn challenges_with_and_without_a_digest_verify() {
    let auth = auth().allow_md5();
    for body in
        [&b"mychallenge_that_is_."[..20], b"{md5}mychallenge......", b"{sha256}mychallenge..."]
    {
        let response = response(&auth, body).unwrap();
        Challenge::with_body(body).verify(&auth, &response).unwrap();
        let prefix = body.iter().position(|byte| *byte == b'}').map_or(0, |end| end + 1);
        assert_eq!(response[..prefix], body[..prefix]);
        let wrong = Auth::new("another").allow_md5();
        assert!(Challenge::with_body(body).verify(&wrong, &response).is_err());
    }
}

// parity: auth.legacy-response
#[test]
fn bare_md5_response_is_good_where_it_is_allowed() {
    let challenge = Challenge::new(&auth()).unwrap();
    let body = &challenge.message()[b"#CHALLENGE#".len()..];
    let old = Digest::Md5.mac(KEY, body);
    assert_eq!(old.len(), 16);
    challenge.verify(&auth().allow_md5(), &old).unwrap();
    let err = challenge.verify(&auth(), &old).unwrap_err();
    assert!(matches!(err, AuthenticationError::DigestRefused(Digest::Md5)), "{err:?}");
    let err = challenge.verify(&auth(), &Digest::Md5.put_before(&old)).unwrap_err();
    assert!(matches!(err, AuthenticationError::DigestRefused(Digest::Md5)), "{err:?}");
}

#[test]
fn weaker_digest_than_asked_for_is_refused() {
    let strong = auth().digest(Digest::Sha384);
    let challenge = Challenge::new(&strong).unwrap();
    let body = &challenge.message()[b"#CHALLENGE#".len()..];
    let weak = Digest::Sha256.put_before(&Digest::Sha256.mac(KEY, body));
    let err = challenge.verify(&strong, &weak).unwrap_err();
    assert!(matches!(err, AuthenticationError::DigestRefused(Digest::Sha256)), "{err:?}");
    // A man in the middle who weakens what is asked for has a proof of something else.
    let weakened = [b"{sha256}", &body["{sha384}".len()..]].concat();
    let answered = response(&auth(), &weakened).unwrap();
    assert!(challenge.verify(&strong, &answered).is_err());
}

#[test]
fn md5_is_not_used_unless_allowed() {
    for body in [&[7; 20][..], b"{md5}mychallenge.........."] {
        let err = response(&auth(), body).unwrap_err();
        assert!(matches!(err, AuthenticationError::DigestRefused(Digest::Md5)), "{err:?}");
    }
}

// parity: auth.short-challenge, auth.missing-marker
#[test]
fn what_is_no_challenge_is_not_answered() {
    let err = response(&auth(), &[1; 19]).unwrap_err();
    assert!(matches!(err, AuthenticationError::ShortChallenge(19)), "{err:?}");
    let err = answer(&auth(), b"hello, are you there? I have a value for you").unwrap_err();
    assert!(matches!(err, AuthenticationError::NoChallenge), "{err:?}");
    for body in [&b"{sha1}mychallenge.........."[..], b"{sha256mychallenge......", &[0; 40]] {
        let err = response(&auth(), body).unwrap_err();
        assert!(matches!(err, AuthenticationError::UnknownDigest), "{err:?}");
    }
}

// parity: auth.mutual
#[test]
fn every_digest_leads_both_ends_to_the_welcome() {
    for digest in Digest::ALL {
        let auth = auth().digest(digest).allow_md5();
        let [listener, client] = talk(auth.clone(), auth);
        assert!(listener.unwrap().unwrap(), "{digest:?}");
        assert!(client.unwrap().unwrap(), "{digest:?}");
    }
}

// parity: auth.wrong-key-both-sides
#[test]
fn different_keys_fail_on_both_ends() {
    let [listener, client] = talk(auth(), Auth::new("another"));
    assert!(matches!(listener, Some(Err(AuthenticationError::WrongDigest))), "{listener:?}");
    assert!(matches!(client, Some(Err(AuthenticationError::Rejected))), "{client:?}");
}

#[test]
fn own_challenge_sent_back_is_refused() {
    let (mut dialogue, opening) = Dialogue::listener(auth()).unwrap();
    let response = answer(&auth(), &opening).unwrap();
    assert_eq!(dialogue.step(&response).reply.unwrap(), WELCOME);
    let step = dialogue.step(&opening);
    assert!(matches!(step.result, Err(AuthenticationError::Reflected)), "{:?}", step.result);
    assert!(step.reply.is_none());
}

const EXPECTED: [(&str, &str); 5] = [
    ("md5", "3967cd2007b5656282992e67fa831066"),
    ("sha256", "1362e963890efc2fe345305bf391a616bc54315be54a67d831949f3291930013"),
    (
        "sha384",
        "aa485b119f11bafa5369ccaa08ba978a745feb6f367c16801e53634c929a36786e9245fc972ab5c06139d8a72a01de13",
    ),
    ("sha3_256", "c0d10dfc03c6fb6f12c0347cb8dfdde3864e3706ca515c6edfd15dc391f5bf26"),
    (
        "sha3_384",
        "1c022fcda58b1994a41d54dadb586b705593d4f91a7e58f9f3549a51d20f6e76a29bed253d4f432f2cb31bd5207794e9",
    ),
];
