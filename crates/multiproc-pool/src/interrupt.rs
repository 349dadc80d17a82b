//! Pools that Ctrl-C ends.

use std::{
    ptr,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use multiproc_image::{StartError, after_fork::ForkLocal, threads};
use multiproc_sys::interrupt::InterruptBell;

use crate::{PoolError, TaskError, core::Core, shared::Hub};

/// Those of this process.
static INTERRUPTS: ForkLocal<Mutex<Interrupts>> = ForkLocal::new(|_| Mutex::default());

/// The pools that Ctrl-C ends, and what tells of it.
#[derive(Default)]
pub(crate) struct Interrupts {
    bell: Option<&'static InterruptBell>,
    pools: Vec<Weak<dyn Hub>>,
}

impl Interrupts {
    /// Has the next Ctrl-C end this pool.
    pub(crate) fn watch(pool: &Core) -> Result<(), PoolError> {
        let mut interrupts = INTERRUPTS.get().lock().unwrap_or_else(PoisonError::into_inner);
        interrupts.pools.retain(|pool| pool.strong_count() > 0);
        interrupts.pools.push(Arc::downgrade(&pool.hub));
        let bell = match interrupts.bell {
            Some(bell) => bell,
            None => {
                let bell =
                    InterruptBell::new().map_err(StartError::os("make an event descriptor"))?;
                threads::spawn("multiproc-ctrl-c", move || {
                    loop {
                        bell.wait();
                        end_all();
                    }
                })
                .map_err(PoolError::Supervisor)?;
                *interrupts.bell.insert(bell)
            }
        };
        bell.arm();
        Ok(())
    }

    /// Leaves Ctrl-C to the program where no pool is left that it could end.
    fn rest(&self) {
        if self.pools.is_empty()
            && let Some(bell) = self.bell
        {
            bell.disarm();
        }
    }

    /// Forgets a pool that has ended. When this returns, nobody here is at it.
    pub(crate) fn forget(pool: &Arc<dyn Hub>) {
        let mut interrupts = INTERRUPTS.get().lock().unwrap_or_else(PoisonError::into_inner);
        interrupts.pools.retain(|other| {
            other.strong_count() > 0 && !ptr::addr_eq(other.as_ptr(), Arc::as_ptr(pool))
        });
        interrupts.rest();
    }
}

fn end_all() {
    let mut interrupts = INTERRUPTS.get().lock().unwrap_or_else(PoisonError::into_inner);
    let pools = std::mem::take(&mut interrupts.pools);
    interrupts.rest();
    for pool in pools {
        if let Some(pool) = pool.upgrade() {
            pool.terminate(&TaskError::Interrupted);
        }
    }
}
