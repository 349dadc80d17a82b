//! Types of the user's own.

use std::{
    sync::{Arc, Condvar, Mutex},
    thread,
};

use multiproc::managers::{
    Args, BaseManager, Call, CallError, MethodError, Reply, Shared, SharedError, Sharing, Type,
    TypedProxy, pickle::Exception, types::Iter,
};
use multiproc_tests::{TestResult, once};
use serde::{Deserialize, Serialize};

once! {
    default_is_what_is_public,
    names_of_arguments_and_methods_are_free,
    exposed_list_says_what_may_be_called,
    error_keeps_its_kind_and_its_type,
    registered_iterator_goes_step_by_step,
    method_may_return_shared_objects,
    type_without_create_method_is_not_made,
    types_belong_to_their_manager,
    panic_costs_one_call,
    drop_that_waits_or_panics_is_nobody_else_s_trouble,
    constructor_that_waits_holds_up_no_other_proxy,
    unserialisable_argument_is_not_sent,
}

#[derive(Debug, Default)]
struct Foo {
    calls: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Negative {
    number: i64,
}

impl std::fmt::Display for Negative {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is negative", self.number)
    }
}

impl SharedError for Negative {
    fn python_class(&self) -> &str {
        "ValueError"
    }
}

#[multiproc::shared]
impl Foo {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn f(&self) -> String {
        "f()".to_owned()
    }

    pub fn g(&mut self) -> i64 {
        self.calls += 1;
        self.calls
    }

    pub fn _h(&self) -> String {
        "_h()".to_owned()
    }

    pub fn root(&self, number: i64) -> Result<i64, Negative> {
        if number < 0 { Err(Negative { number }) } else { Ok(number.isqrt()) }
    }

    pub fn length(&self, text: &str, numbers: &[i64]) -> usize {
        text.len() + numbers.len()
    }

    pub fn child(&self) -> Sharing<Foo> {
        Sharing::new(Self { calls: 10 * self.calls })
    }

    pub fn panics(&self) -> i64 {
        panic!("not my day")
    }
}

/// Names and methods that the macro must not trip over.
struct Odd;

#[multiproc::shared]
impl Odd {
    pub fn new(this: i64, args: i64) -> Result<Self, Negative> {
        if this + args < 0 { Err(Negative { number: this + args }) } else { Ok(Self) }
    }

    pub fn join(&self, args: Vec<String>, this: &str, call: &str) -> String {
        format!("{this}{}{call}", args.concat())
    }

    pub fn r#type(&self, r#loop: i64) -> i64 {
        r#loop
    }

    #[cfg(target_os = "none")]
    pub fn elsewhere(&self) -> NotHere {
        NotHere
    }
}

fn names_of_arguments_and_methods_are_free() -> TestResult {
    let manager = BaseManager::builder().register::<Odd>().start()?;
    let odd = manager.create_of::<Odd>((1, 2))?;
    assert_eq!(odd.join(vec!["a".into(), "b".into()], "<", ">")?, "<ab>");
    assert_eq!(odd.r#type(7)?, 7);
    assert_eq!(odd.as_proxy().exposed(), ["join", "type"]);
    assert!(manager.create_of::<Odd>((1, -2)).is_err());
    Ok(())
}

// parity: manager.custom-exposed-default, proxy.auto-proxy
fn default_is_what_is_public() -> TestResult {
    let manager = BaseManager::builder().register::<Foo>().start()?;
    let shared = manager.create_of::<Foo>(())?;
    assert_eq!(shared.f()?, "f()");
    assert_eq!((shared.g()?, shared.g()?), (1, 2));
    assert_eq!(shared.length("four", &[1, 2])?, 6);
    assert!(matches!(shared._h(), Err(CallError::Remote(_))));
    assert_eq!(shared.as_proxy().exposed(), ["child", "f", "g", "length", "panics", "root"]);
    assert_eq!(shared.to_string(), "<Foo object>");
    let text = format!("{shared:?}");
    assert!(text.starts_with("<AutoProxy[Foo] object, typeid 'Foo' at 0x"), "{text}");
    Ok(())
}

// parity: manager.custom-exposed-list, manager.unexposed-call
fn exposed_list_says_what_may_be_called() -> TestResult {
    let bar = Type::of::<Foo>("Bar").exposed(["f", "_h"]);
    let manager = BaseManager::builder().add(bar).start()?;
    let bar = manager.create("Bar", ())?;
    assert_eq!(bar.call::<_, String>("f", ())?, "f()");
    assert_eq!(bar.call::<_, String>("_h", ())?, "_h()");
    let err = bar.call_method("g", ()).unwrap_err();
    assert!(matches!(&err, CallError::Remote(text) if text.contains("'g'")), "{err}");
    assert_eq!(bar.exposed(), ["_h", "f"]);
    Ok(())
}

// parity: manager.method-error-propagates, proxy.foreign-process-error, manager.remote-error-text
fn error_keeps_its_kind_and_its_type() -> TestResult {
    let manager = BaseManager::builder().register::<Foo>().start()?;
    let shared = manager.create_of::<Foo>(())?;
    assert_eq!(shared.root(9)?, 3);
    match shared.root(-1) {
        Err(MethodError::Own(err)) => assert_eq!(err, Negative { number: -1 }),
        other => return Err(format!("{other:?}").into()),
    }
    let err = shared.as_proxy().call_method("root", (-1,)).unwrap_err();
    assert!(err.is_raised("ValueError"), "{err}");
    assert_eq!(err.exception().unwrap().args[0].as_str(), Some("-1 is negative"));
    let err = shared.as_proxy().call_method("root", ("x",)).unwrap_err();
    assert!(err.is_raised("TypeError"), "{err}");
    let err = manager.create("Nothing", ()).unwrap_err();
    let report = err.remote_report().ok_or("another error")?;
    let line = "-".repeat(75);
    assert!(report.contains("KeyError: 'Nothing'"), "{report}");
    assert!(report.starts_with(&format!("\n{line}\n")) && report.ends_with(&line), "{report}");
    Ok(())
}

fn baz(mut call: Call) -> Result<Iter, Exception> {
    call.take_args().finish()?;
    Ok(Iter::new((0..10i64).map(|i| Ok((i * i).into()))))
}

// parity: manager.custom-iterator
fn registered_iterator_goes_step_by_step() -> TestResult {
    let manager = BaseManager::builder().add(Type::with("baz", baz)).start()?;
    let squares = multiproc::managers::IteratorProxy::<i64>::from(manager.create("baz", ())?);
    let squares = squares.collect::<Result<Vec<_>, _>>()?;
    assert_eq!(squares, [0, 1, 4, 9, 16, 25, 36, 49, 64, 81]);
    Ok(())
}

fn method_may_return_shared_objects() -> TestResult {
    let manager = BaseManager::builder().register::<Foo>().start()?;
    let shared = manager.create_of::<Foo>(())?;
    shared.g()?;
    let child = shared.child()?;
    drop(shared);
    assert_eq!((child.g()?, child.g()?), (11, 12));
    // What a process that another test forks meanwhile has inherited counts for as long as that lives.
    while manager.number_of_objects()? != 1 {
        std::thread::yield_now();
    }
    Ok(())
}

/// Hands out what managers cannot be asked for.
struct Source;

impl Shared for Source {
    fn methods(&self) -> &'static [&'static str] {
        &["make"]
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        let _: Args = call.take_args();
        Reply::from(Ok::<_, Exception>(Sharing::new(Foo::new())))
    }

    fn repr(&self) -> String {
        "<Source>".to_owned()
    }
}

// parity: manager.register-no-method
fn type_without_create_method_is_not_made() -> TestResult {
    let manager = BaseManager::builder()
        .add(Type::once("Source", || Source).returns("make", "Hidden"))
        .add(Type::named("Hidden").exposed(["f"]))
        .start()?;
    assert!(manager.create("Hidden", ()).is_err());
    let source = manager.create("Source", ())?;
    let hidden: multiproc::managers::Proxy = source.call("make", ())?;
    assert_eq!((hidden.typeid(), hidden.exposed()), ("Hidden", vec!["f"]));
    assert_eq!(hidden.call::<_, String>("f", ())?, "f()");
    Ok(())
}

// parity: manager.register-inherits
fn types_belong_to_their_manager() -> TestResult {
    let base = BaseManager::builder();
    let (with, without) = (base.clone().register::<Foo>().start()?, base.start()?);
    assert!(with.create("Foo", ()).is_ok());
    assert!(without.create("Foo", ()).is_err());
    Ok(())
}

fn panic_costs_one_call() -> TestResult {
    let manager = BaseManager::builder().register::<Foo>().start()?;
    let shared = manager.create_of::<Foo>(())?;
    let err = shared.panics().unwrap_err();
    assert!(matches!(&err, CallError::Remote(text) if text.contains("not my day")), "{err}");
    assert_eq!(shared.f()?, "f()");
    Ok(())
}

/// What no pickle can hold: a map with maps as keys.
#[derive(Serialize)]
struct Unwritable(std::collections::BTreeMap<std::collections::BTreeMap<u8, u8>, u8>);

/// In the server's process: who waits there, and whether it may go on.
static GATE: (Mutex<Gate>, Condvar) =
    (Mutex::new(Gate { waiting: 0, open: false }), Condvar::new());

struct Gate {
    waiting: usize,
    open: bool,
}

impl Gate {
    fn change(change: impl FnOnce(&mut Self)) {
        change(&mut GATE.0.lock().unwrap());
        GATE.1.notify_all();
    }

    fn wait_until(enough: impl Fn(&Self) -> bool) {
        drop(GATE.1.wait_while(GATE.0.lock().unwrap(), |gate| !enough(gate)).unwrap());
    }

    fn pass() {
        Self::change(|gate| gate.waiting += 1);
        Self::wait_until(|gate| gate.open);
    }
}

struct Keeper;

#[multiproc::shared]
impl Keeper {
    pub fn new() -> Self {
        Self
    }

    /// Returns once somebody stands at the gate.
    pub fn watch(&self) {
        Gate::wait_until(|gate| 0 < gate.waiting);
    }

    pub fn open(&self) {
        Gate::change(|gate| gate.open = true);
    }
}

/// Does something at its end.
struct Ends(fn());

impl Drop for Ends {
    fn drop(&mut self) {
        self.0();
    }
}

impl Shared for Ends {
    fn methods(&self) -> &'static [&'static str] {
        &[]
    }

    fn call(self: Arc<Self>, call: Call) -> Reply {
        Reply::unknown(&call)
    }

    fn repr(&self) -> String {
        "<Ends>".to_owned()
    }
}

fn drop_that_waits_or_panics_is_nobody_else_s_trouble() -> TestResult {
    let manager = BaseManager::builder()
        .register::<Keeper>()
        .add(Type::with("Lingers", |_| Ok(Ends(Gate::pass))))
        .add(Type::with("Explodes", |_| Ok(Ends(|| panic!("of no use any more")))))
        .start()?;
    let keeper = manager.create_of::<Keeper>(())?;
    drop(manager.create("Lingers", ())?);
    keeper.watch()?;
    drop(manager.create("Explodes", ())?);
    // All are served, this one over the connection that the panic would have ended. A child that another
    // test forks meanwhile refers to what this process refers to.
    while manager.number_of_objects()? != 1 {
        thread::yield_now();
    }
    keeper.open()?;
    assert_eq!(manager.shutdown_code()?, Some(0));
    Ok(())
}

fn constructor_that_waits_holds_up_no_other_proxy() -> TestResult {
    let slow = Type::with("Slow", |_| {
        Gate::pass();
        Ok(Ends(|| {}))
    });
    let opens = Type::with("Opens", |_| Ok(Ends(|| Gate::change(|gate| gate.open = true))));
    let manager = BaseManager::builder().register::<Keeper>().add(slow).add(opens).start()?;
    let (keeper, opens) = (manager.create_of::<Keeper>(())?, manager.create("Opens", ())?);
    thread::scope(|scope| {
        let making = scope.spawn(|| manager.create("Slow", ()).map(drop));
        keeper.watch()?;
        assert_eq!(manager.number_of_objects()?, 2);
        drop(opens);
        Ok(making.join().unwrap()?)
    })
}

// parity: proxy.unserialisable-argument, remote_manager.alt-serialiser-limits
fn unserialisable_argument_is_not_sent() -> TestResult {
    let manager = multiproc::Manager::start()?;
    let queue = manager.queue::<i64>(0)?;
    let item = Unwritable([([(1, 1)].into(), 1)].into());
    assert!(matches!(queue.put(&item), Err(CallError::Encode(_))));
    assert_eq!(queue.qsize()?, 0);
    Ok(())
}
