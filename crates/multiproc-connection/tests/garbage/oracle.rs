//! Answers to challenges by one who knows the key.

use multiproc_connection::{Auth, answer_challenge, pipe};

use crate::KEY;

/// The response to a challenge, as an honest end gives it.
pub(crate) fn response(challenge: &[u8]) -> Vec<u8> {
    let (asking, answering) = pipe::<(), ()>().unwrap();
    asking.send_bytes(challenge).unwrap();
    asking.send_bytes(b"#WELCOME#").unwrap();
    answer_challenge(&answering, &Auth::new(KEY).allow_md5()).unwrap();
    asking.recv_bytes().unwrap()
}
