//! What a pool costs that has nothing to do.

use std::{fs, thread, time::Duration};

use multiproc::{Context, Failure};
use multiproc_tests::{TestResult, context_named, each_start_method, in_child, name_of, procfs};

use crate::{pool, square};

each_start_method! { idle_pool_sleeps }

/// How often it is looked whether anybody has run, and for how long each time.
const LOOKS: u32 = 40;
const LOOK: Duration = Duration::from_millis(250);

fn idle_pool_sleeps(ctx: &Context) -> TestResult {
    in_child(&Context::spawn(), be_idle, (name_of(ctx),))
}

fn be_idle(method: String) -> Result<(), Failure> {
    let pool = pool(&context_named(&method), 4)?;
    pool.map(square, 0..1000)?;
    let workers = pool.stats().workers.into_iter();
    let mut tasks: Vec<u32> = workers.filter_map(|worker| worker.pid).collect();
    assert_eq!(tasks.len(), 4);
    for task in fs::read_dir("/proc/self/task")? {
        let path = task?.path();
        // One that ends meanwhile is none of ours.
        let comm = fs::read_to_string(path.join("comm")).unwrap_or_default();
        if comm.starts_with("multiproc") {
            let name = path.file_name().and_then(|name| name.to_str()).ok_or("no name")?;
            tasks.push(name.parse()?);
        }
    }
    let switches =
        || tasks.iter().map(|task| procfs::switches(*task)).collect::<Result<Vec<_>, _>>();
    // After the last call it takes a moment until all have gone to sleep; from then on none runs any more.
    for _ in 0..LOOKS {
        let before = switches()?;
        thread::sleep(LOOK);
        if switches()? == before {
            return Ok(());
        }
    }
    Err("somebody goes on running".into())
}
