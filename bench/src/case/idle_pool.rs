//! What a pool costs that has nothing to do: processor time, and memory of each worker.

use std::{fs, thread, time::Duration};

use multiproc::Pool;

use super::{Case, Figures, pool::square};
use crate::{Result, memory, ours::Method, raw};

/// How many workers there are.
const WORKERS: usize = 4;
/// How long after its last call a pool is asleep, and how long it is watched then.
const QUIET: Duration = Duration::from_millis(500);
const WATCH: Duration = Duration::from_secs(10);

/// Watches pools that are idle.
pub(super) struct IdlePool {
    method: Method,
}

impl IdlePool {
    pub(super) fn new(method: Method) -> Self {
        Self { method }
    }
}

impl Case for IdlePool {
    fn ours(&mut self) -> Result<Figures> {
        let pool = Pool::builder().processes(WORKERS).context(self.method.context()).build()?;
        pool.map(square, 0..1000)?;
        thread::sleep(QUIET);
        let workers: Vec<_> = pool.stats().workers.iter().filter_map(|worker| worker.pid).collect();
        let before = processor_time(&workers)?;
        thread::sleep(WATCH);
        let took = processor_time(&workers)? - before;
        let (mut rss, mut pss) = (0.0, 0.0);
        for pid in workers {
            let memory = memory::of(pid)?;
            rss += memory.rss / WORKERS as f64;
            pss += memory.pss / WORKERS as f64;
        }
        Ok(vec![took, rss, pss])
    }

    fn limit(&mut self) -> Result<Figures> {
        let memory = match self.method {
            Method::Fork => raw::forked_idle_memory()?,
            Method::Spawn => raw::spawned_idle_memory()?,
            Method::Forkserver => return Err("no row watches a pool of the fork server".into()),
        };
        // Who sleeps takes no time.
        Ok(vec![0.0, memory.rss, memory.pss])
    }
}

/// How many milliseconds processes, and all threads of this one, have been on a core.
fn processor_time(pids: &[u32]) -> Result<f64> {
    let mut files: Vec<_> = pids.iter().map(|pid| format!("/proc/{pid}/schedstat")).collect();
    for task in fs::read_dir("/proc/self/task")? {
        files.push(task?.path().join("schedstat").display().to_string());
    }
    let mut nanoseconds = 0.0;
    for file in files {
        let text = fs::read_to_string(file)?;
        nanoseconds += text.split(' ').next().unwrap_or("").parse::<f64>()?;
    }
    Ok(nanoseconds / 1e6)
}
