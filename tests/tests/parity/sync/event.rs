//! Behaviours: event.* of docs/parity.tsv.

use std::time::Duration;

use multiproc::{Context, Event, simplex};
use multiproc_tests::TestResult;

use super::{SHORT, another, sent, takes_its_time, until_asleep};

multiproc_tests::each_start_method! { child_sets_it, all_who_wait_go_on_though_it_is_cleared_at_once }
multiproc_tests::once! { unset_event_is_waited_for, set_event_is_not, debug_form_tells_the_flag }

// parity: event.wait-unset, event.initially-unset
fn unset_event_is_waited_for() -> TestResult {
    let event = Event::new()?;
    assert!(!event.is_set());
    assert!(!event.wait_timeout(Duration::ZERO)?);
    assert!(!takes_its_time(|| event.wait_timeout(SHORT))?);
    Ok(())
}

// parity: event.wait-set, event.clear
fn set_event_is_not() -> TestResult {
    let event = sent(&Event::new()?)?;
    event.set();
    event.set();
    assert!(event.is_set());
    event.wait()?;
    assert!(event.wait_timeout(SHORT)? && event.wait_timeout(Duration::ZERO)?);
    event.clear();
    event.clear();
    assert!(!event.is_set() && !event.wait_timeout(Duration::ZERO)?);
    Ok(())
}

// parity: event.set-by-child
fn child_sets_it(ctx: &Context) -> TestResult {
    let event = Event::new()?;
    event.set();
    event.clear();
    let child = ctx.start(|event: Event| event.set(), (event.clone(),))?;
    event.wait()?;
    assert!(event.is_set());
    child.result()?;
    Ok(())
}

fn all_who_wait_go_on_though_it_is_cleared_at_once(ctx: &Context) -> TestResult {
    let event = Event::new()?;
    let (ready, say) = simplex::<()>()?;
    let children: Vec<_> = (0..4)
        .map(|_| ctx.process().daemon(true).start(wait, (event.clone(), another(&say))))
        .collect::<Result<_, _>>()?;
    for _ in &children {
        ready.recv()?;
    }
    children.iter().for_each(until_asleep);
    event.set();
    event.clear();
    for child in &children {
        child.result()?;
    }
    Ok(())
}

fn wait(event: Event, say: multiproc::connection::Sender<()>) {
    say.send(&()).unwrap();
    event.wait().unwrap();
}

// parity: event.repr
fn debug_form_tells_the_flag() -> TestResult {
    let event = Event::new()?;
    assert_eq!(format!("{event:?}"), "Event { is_set: false }");
    event.set();
    assert_eq!(format!("{event:?}"), "Event { is_set: true }");
    Ok(())
}
