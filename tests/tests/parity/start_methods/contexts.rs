//! Choosing how processes come to life.

use multiproc::{
    Connection, Context, ContextError, Failure, Process, StartMethod, chosen_start_method,
    force_start_method, get_all_start_methods, get_context, get_start_method, pipe,
    set_start_method,
};
use multiproc_tests::{TestResult, contexts};

multiproc_tests::each_start_method! {
    context_stands_for_one_method,
    method_of_a_context_cannot_be_changed,
    children_of_a_context_have_its_method_by_default,
}
multiproc_tests::once! {
    all_methods_are_listed_default_first,
    unknown_method_is_an_error_that_names_it,
    methods_run_side_by_side,
}
multiproc_tests::once_alone! {
    default_is_forkserver,
    no_name_is_the_default_context,
    asking_whether_a_method_was_chosen_chooses_none,
    asking_which_method_holds_chooses_it,
    method_is_chosen_once,
    choice_can_be_taken_back,
    forced_method_is_followed,
}

// parity: start_methods.context-fixed
fn context_stands_for_one_method(ctx: &Context) -> TestResult {
    let method = ctx.get_start_method();

    assert_eq!(Context::from(method), get_context(method.as_str())?);
    assert_eq!(get_context(method.as_str())?.get_start_method(), method);
    assert_eq!(&ctx.get_context(None)?, ctx, "the context of a context is itself");
    assert_eq!(method.to_string().parse::<StartMethod>()?, method);
    Ok(())
}

// parity: start_methods.context-set-refused
fn method_of_a_context_cannot_be_changed(ctx: &Context) -> TestResult {
    let fixed = ctx.get_start_method();

    for method in get_all_start_methods() {
        assert_eq!(ctx.set_start_method(method), Err(ContextError::Fixed(fixed)), "to {method}");
    }
    assert_eq!(ctx.get_start_method(), fixed);
    Ok(())
}

// parity: start_methods.context-child-default
fn children_of_a_context_have_its_method_by_default(ctx: &Context) -> TestResult {
    let (chosen, own, of_grandchild) =
        ctx.start(methods_of_child_and_grandchild, ())?.result()??;

    let expected = ctx.get_start_method().to_string();
    assert_eq!([chosen, own, of_grandchild], [expected.clone(), expected.clone(), expected]);
    Ok(())
}

// parity: start_methods.get-all
fn all_methods_are_listed_default_first() -> TestResult {
    let names = get_all_start_methods().map(StartMethod::as_str);
    assert_eq!(names, ["forkserver", "fork", "spawn"]);
    assert_eq!(get_all_start_methods()[0], StartMethod::default());
    Ok(())
}

// parity: start_methods.get-context-unknown
fn unknown_method_is_an_error_that_names_it() -> TestResult {
    let err = get_context("bogus").unwrap_err();
    assert_eq!(err, ContextError::Unknown("bogus".into()));
    assert_eq!(err.to_string(), "cannot find context for `bogus`");
    for near in ["", "Spawn", "fork ", "forkserver\0"] {
        assert_eq!(Context::spawn().get_context(near), Err(ContextError::Unknown(near.into())));
    }
    Ok(())
}

// parity: start_methods.two-methods-one-program
fn methods_run_side_by_side() -> TestResult {
    let mut running = Vec::new();
    for (name, ctx) in contexts() {
        let (ours, theirs) = pipe::<u32, u32>()?;
        running.push((name, ours, ctx.start(echo, (theirs,))?));
    }

    // Each child answers while the others live. Zero ends it: the forked one holds our ends too, so nobody sees them close.
    for (number, (name, ours, _)) in (1..).zip(&running) {
        ours.send(&number)?;
        assert_eq!(ours.recv()?, number, "{name}");
        assert!(running.iter().all(|(_, _, child)| child.is_alive()));
    }
    for (name, ours, child) in running {
        ours.send(&0)?;
        child.join()?;
        assert_eq!(child.exitcode(), Some(0), "{name}");
    }
    Ok(())
}

// parity: start_methods.default-by-platform
fn default_is_forkserver() -> Result<(), Failure> {
    assert_eq!(get_start_method(), StartMethod::Forkserver);
    let process = multiproc::spawn(method_of_this_process, ())?;
    assert_eq!(process.result()?, "forkserver");
    assert_eq!(multiproc_tests::procfs::fork_servers().len(), 1, "and there is one");
    Ok(())
}

// What else the default context has to offer comes with the parts that make it.
fn no_name_is_the_default_context() -> Result<(), Failure> {
    let ctx = get_context(None)?;
    assert_eq!(ctx, Context::default());
    force_start_method(Some(StartMethod::Spawn));
    assert_eq!(
        ctx.get_start_method(),
        StartMethod::Spawn,
        "the default context follows the choice"
    );
    assert_eq!(ctx.start(method_of_this_process, ())?.result()?, "spawn");
    Ok(())
}

// parity: start_methods.get-method-allow-none
fn asking_whether_a_method_was_chosen_chooses_none() -> Result<(), Failure> {
    assert_eq!(chosen_start_method(), None);
    assert_eq!(chosen_start_method(), None, "the first question fixed nothing");
    set_start_method(StartMethod::Spawn)?;
    assert_eq!(chosen_start_method(), Some(StartMethod::Spawn));
    Ok(())
}

fn asking_which_method_holds_chooses_it() -> Result<(), Failure> {
    assert_eq!(get_start_method(), StartMethod::Forkserver);
    assert_eq!(chosen_start_method(), Some(StartMethod::Forkserver));
    assert_eq!(
        set_start_method(StartMethod::Spawn),
        Err(ContextError::AlreadySet(StartMethod::Forkserver))
    );
    Ok(())
}

// parity: start_methods.set-twice
fn method_is_chosen_once() -> Result<(), Failure> {
    set_start_method(StartMethod::Spawn)?;

    for method in get_all_start_methods() {
        let err = set_start_method(method).unwrap_err();
        assert_eq!(err, ContextError::AlreadySet(StartMethod::Spawn));
        assert_eq!(err.to_string(), "start method has already been set to `spawn`");
        assert_eq!(Context::default().set_start_method(method), Err(err));
    }
    assert_eq!(get_start_method(), StartMethod::Spawn, "the old choice stays");
    Ok(())
}

// parity: start_methods.set-none-resets
fn choice_can_be_taken_back() -> Result<(), Failure> {
    set_start_method(StartMethod::Spawn)?;
    force_start_method(None);
    assert_eq!(chosen_start_method(), None);
    set_start_method(StartMethod::Fork)?;
    assert_eq!(get_start_method(), StartMethod::Fork);
    Ok(())
}

// parity: start_methods.set-force-get
fn forced_method_is_followed() -> Result<(), Failure> {
    let types = get_all_start_methods().map(|method| {
        force_start_method(Some(method));
        assert_eq!(get_start_method(), method);
        assert_eq!(chosen_start_method(), Some(method));
        assert_eq!(get_context(None).map(|ctx| ctx.get_start_method()), Ok(method));

        let process: Process<String> = multiproc::spawn(method_of_this_process, ()).unwrap();
        assert_eq!(process.result().unwrap(), method.as_str(), "children see it");
        let process = Context::from(method).process().new(method_of_this_process, ());
        format!("{process:?}").split(' ').next().unwrap_or_default().to_string()
    });
    assert_eq!(types, ["<ForkServerProcess", "<ForkProcess", "<SpawnProcess"]);
    Ok(())
}

fn method_of_this_process() -> String {
    get_start_method().to_string()
}

fn methods_of_child_and_grandchild() -> Result<(String, String, String), Failure> {
    let chosen = chosen_start_method().map(|method| method.to_string()).unwrap_or_default();
    let grandchild = multiproc::spawn(method_of_this_process, ())?;
    Ok((chosen, method_of_this_process(), grandchild.result()?))
}

fn echo(numbers: Connection<u32>) -> Result<(), Failure> {
    loop {
        match numbers.recv()? {
            0 => return Ok(()),
            number => numbers.send(&number)?,
        }
    }
}
