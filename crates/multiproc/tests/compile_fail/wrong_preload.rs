//! A preload function is a function without arguments.

use multiproc::{OnPreloadError, set_forkserver_preload};

fn main() {
    set_forkserver_preload("a.module", OnPreloadError::Fail);
    set_forkserver_preload(|path: String| path, OnPreloadError::Fail);
}
