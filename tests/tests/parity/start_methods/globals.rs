//! What a child knows of its parent's memory, and what of its settings.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use multiproc::{
    Context, Failure, Level, OnPreloadError, StartMethod, chosen_start_method, current_process,
    force_start_method, get_all_start_methods, get_logger, set_forkserver_preload,
};
use multiproc_tests::TestResult;

multiproc_tests::each_start_method! { named_child_knows_its_name_and_its_parents_settings }
multiproc_tests::once_alone! {
    fork_sees_globals_and_the_others_do_not,
    settings_of_a_parent_are_those_of_its_children,
}

const AT_START: u32 = 7;
static NUMBER: AtomicU32 = AtomicU32::new(AT_START);
static ONCE: OnceLock<String> = OnceLock::new();

// parity: start_methods.fork-sees-globals
fn fork_sees_globals_and_the_others_do_not() -> Result<(), Failure> {
    set_forkserver_preload(set_in_server, OnPreloadError::Fail);
    NUMBER.store(8, Relaxed);
    ONCE.get_or_init(|| "the parent".into());

    for (method, expected) in [
        (StartMethod::Spawn, (AT_START, None)),
        (StartMethod::Forkserver, (AT_START, Some("the server"))),
        (StartMethod::Fork, (8, Some("the parent"))),
    ] {
        let (number, once) = Context::from(method).start(globals, ())?.result()?;
        assert_eq!((number, once.as_deref()), expected, "{method}");
    }
    assert_eq!(NUMBER.load(Relaxed), 8, "what children store stays with them");
    Ok(())
}

fn named_child_knows_its_name_and_its_parents_settings(ctx: &Context) -> TestResult {
    let child =
        ctx.process().name("worker of three").authkey(*b"of its own").start(settings, ())?;
    let (name, authkey, level, method) = child.result()?;

    assert_eq!(name, "worker of three");
    assert_eq!(authkey, b"of its own");
    assert_eq!(level, get_logger().level().to_string());
    assert_eq!(method, ctx.get_start_method().as_str());
    Ok(())
}

// parity: start_methods.spawn-loglevel-authkey
fn settings_of_a_parent_are_those_of_its_children() -> Result<(), Failure> {
    current_process().set_authkey(*b"an open secret");
    for (method, level) in
        get_all_start_methods().into_iter().zip([Level::SubDebug, Level::Error, Level::Info])
    {
        force_start_method(Some(method));
        get_logger().set_level(level);

        let expected = (b"an open secret".to_vec(), level.to_string(), method.to_string());
        let (name, authkey, level, chosen) =
            Context::from(method).process().name("named").start(settings, ())?.result()?;
        assert_eq!(name, "named");
        assert_eq!((authkey, level, chosen), expected);
        let of_grandchild = multiproc::spawn(settings_of_a_grandchild, ())?.result()??;
        assert_eq!((of_grandchild.1, of_grandchild.2, of_grandchild.3), expected, "and of theirs");
    }
    Ok(())
}

type Settings = (String, Vec<u8>, String, String);

fn settings() -> Settings {
    let me = current_process();
    let method = chosen_start_method().map(|method| method.to_string()).unwrap_or_default();
    (me.name(), me.authkey().as_bytes().to_vec(), get_logger().level().to_string(), method)
}

fn settings_of_a_grandchild() -> Result<Settings, Failure> {
    Ok(multiproc::spawn(settings, ())?.result()?)
}

fn set_in_server() {
    ONCE.get_or_init(|| "the server".into());
}

fn globals() -> (u32, Option<String>) {
    let seen = (NUMBER.load(Relaxed), ONCE.get().cloned());
    NUMBER.store(9, Relaxed);
    seen
}
