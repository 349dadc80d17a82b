//! A manager with types of its own: the customised manager of Python's documentation.
//!
//! ```console
//! $ cargo run --example manager
//! ```
//!
//! Python: `class MyManager(BaseManager)`, `MyManager.register('Maths', Maths)` and so on.

use std::{error::Error, sync::Arc};

use multiproc::managers::{
    Answer, Args, BaseManager, Call, CallError, Proxy, Reply, Shared, Type, TypedProxy,
    pickle::{Exception, Object},
    types::Iter,
};

/// What is shared: an object with two public methods and one that is not meant for all.
struct Foo;

#[multiproc::shared]
impl Foo {
    pub fn new() -> Self {
        Self
    }

    pub fn f(&self) -> String {
        "you called Foo.f()".to_owned()
    }

    pub fn g(&self) -> String {
        "you called Foo.g()".to_owned()
    }

    pub fn _h(&self) -> String {
        "you called Foo._h()".to_owned()
    }
}

/// The squares up to 81, one at each step.
fn squares(mut call: Call) -> Result<Iter, Exception> {
    call.take_args().finish()?;
    Ok(Iter::new((0..10).map(|i: i64| Ok((i * i).into()))))
}

/// A function of a module that is not ours, as Python's `operator` is.
struct Operator;

impl Shared for Operator {
    fn methods(&self) -> &'static [&'static str] {
        &["add", "mul", "pow"]
    }

    fn call(self: Arc<Self>, mut call: Call) -> Reply {
        let mut args: Args = call.take_args();
        let numbers = args.take::<i64>("a").and_then(|a| Ok((a, args.take::<i64>("b")?)));
        let result = numbers.and_then(|(a, b)| {
            args.finish()?;
            Ok(match call.method() {
                "add" => a + b,
                "mul" => a * b,
                _ => u32::try_from(b).map_or(0, |b| a.pow(b)),
            })
        });
        Reply::from(result.map(Answer::from))
    }

    fn repr(&self) -> String {
        "<module 'operator'>".to_owned()
    }
}

fn test(manager: &BaseManager) -> Result<(), CallError> {
    println!("{}", "-".repeat(20));
    let f1 = manager.create_of::<Foo>(())?;
    println!("{}", f1.f()?);
    println!("{}", f1.g()?);
    assert!(f1._h().is_err());
    assert_eq!(f1.as_proxy().exposed(), ["f", "g"]);

    println!("{}", "-".repeat(20));
    let f2 = manager.create("Foo2", ())?;
    println!("{}", f2.call::<_, String>("g", ())?);
    println!("{}", f2.call::<_, String>("_h", ())?);
    assert!(f2.call_method("f", ()).is_err());
    assert_eq!(f2.exposed(), ["_h", "g"]);

    println!("{}", "-".repeat(20));
    let squares = manager.create("baz", ())?;
    let steps = std::iter::from_fn(|| squares.call_method("__next__", ()).ok());
    let steps: Vec<Object> = steps.collect();
    println!("{}", steps.iter().map(|step| format!("<{step}>")).collect::<Vec<_>>().join(" "));

    println!("{}", "-".repeat(20));
    let operator: Proxy = manager.create("operator", ())?;
    println!("op.add(23, 45) = {}", operator.call_method("add", (23, 45))?);
    println!("op.pow(2, 60) = {}", operator.call_method("pow", (2, 60))?);
    println!("op._exposed_ = {:?}", operator.exposed());
    Ok(())
}

#[multiproc::main]
fn main() -> Result<(), Box<dyn Error>> {
    let manager = BaseManager::builder()
        .register::<Foo>()
        .add(Type::of::<Foo>("Foo2").exposed(["g", "_h"]))
        .add(Type::with("baz", squares))
        .add(Type::once("operator", || Operator))
        .start()?;
    test(&manager)?;
    manager.shutdown()?;
    Ok(())
}
