//! Control groups, by which the kernel bounds the memory of a process with all that it starts and shares.
//!
//! A group with processes in it cannot bound those of its children, so workers get groups beside that of this process, in
//! one that was handed to its user (systemd: `Delegate=yes` and `DelegateSubgroup=`). Others' groups are left alone, even
//! by who could change them.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process,
    sync::OnceLock,
};

use multiproc_sys::primitive::{AtomicU64, Ordering};
use rustix::{fs::getxattr, process::getuid};

/// What the names of our groups begin with; a process id and a number follow.
const NAME: &str = "multiproc-";
/// By these the system's manager says that a group is its user's to divide.
const MARKS: [&str; 2] = ["user.delegate", "trusted.delegate"];

/// Where groups for workers are made.
#[derive(Debug)]
pub(crate) struct Groups {
    parent: PathBuf,
}

impl Groups {
    /// Looks for it; none where there is no such thing.
    pub(crate) fn find() -> Option<Self> {
        let (mount, own) = own()?;
        let parent = own.parent().filter(|parent| parent.starts_with(mount));
        let handed = |path: &&Path| is_handed_over(path, getuid().as_raw());
        parent.into_iter().find(handed).and_then(Self::at)
    }

    /// Makes them in this group, if it can bound the memory of others.
    fn at(parent: &Path) -> Option<Self> {
        let controllers = fs::read_to_string(parent.join("cgroup.subtree_control")).ok()?;
        let groups = Self { parent: parent.into() };
        groups.sweep();
        controllers.split_whitespace().any(|name| name == "memory").then_some(groups)
    }

    /// Makes a group whose processes have so many bytes of memory together, swap included.
    pub(crate) fn make(&self, bytes: u64) -> io::Result<Group> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = self.parent.join(format!("{NAME}{}-{number}", process::id()));
        fs::create_dir(&path)?;
        let group = Group { path };
        fs::write(group.path.join("memory.max"), bytes.to_string())?;
        // What a task has started goes with it. Neither file is on every system.
        for (name, value) in [("memory.oom.group", "1"), ("memory.swap.max", "0")] {
            let _ = fs::write(group.path.join(name), value);
        }
        Ok(group)
    }

    /// Removes what processes have left that were killed. The system removes no group with processes in it.
    fn sweep(&self) {
        let names = fs::read_dir(&self.parent).into_iter().flatten().flatten();
        for name in names.filter_map(|entry| entry.file_name().into_string().ok()) {
            let pid = name.strip_prefix(NAME).and_then(|rest| rest.split_once('-'));
            if pid.is_some_and(|(pid, _)| !Path::new("/proc").join(pid).exists()) {
                let _ = fs::remove_dir(self.parent.join(name));
            }
        }
    }
}

/// A group for a worker, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Group {
    path: PathBuf,
}

impl Group {
    /// What a process enters by [`enter`].
    pub(crate) fn door(&self) -> PathBuf {
        self.path.join("cgroup.procs")
    }

    /// True if the kernel has ended processes in it because they were too large.
    pub(crate) fn has_struck(&self) -> bool {
        struck(&self.path).is_some_and(|times| times > 0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // What a task has started may be in it still. Then a later pool removes it.
        let _ = fs::remove_dir(&self.path);
    }
}

/// Moves this process into a group.
pub(crate) fn enter(door: &Path) -> io::Result<()> {
    fs::write(door, "0")
}

/// How many processes the kernel has ended in the group of this process for want of memory, if that can be known.
pub(crate) fn struck_here() -> Option<u64> {
    struck(&own()?.1)
}

fn struck(group: &Path) -> Option<u64> {
    let events = fs::read_to_string(group.join("memory.events")).ok()?;
    events.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

/// Where the groups of this process's namespace are mounted, and which of them it is in.
fn own() -> Option<(&'static Path, PathBuf)> {
    static MOUNT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let mount = MOUNT.get_or_init(|| {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        mounts.lines().find_map(mounted)
    });
    let mount = mount.as_deref()?;
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some((mount, mount.join(group)))
}

/// Where a line of `mountinfo` says that all groups are mounted.
fn mounted(line: &str) -> Option<PathBuf> {
    let (place, kind) = line.split_once(" - ")?;
    let mut place = place.split(' ').skip(3);
    let is_whole = place.next()? == "/" && kind.starts_with("cgroup2 ");
    place.next().filter(|_| is_whole).map(PathBuf::from)
}

/// True if a group is for this user to divide.
fn is_handed_over(group: &Path, user: u32) -> bool {
    let is_marked = || {
        MARKS.iter().any(|mark| {
            let mut value = [0; 8];
            matches!(getxattr(group, *mark, &mut value[..]), Ok(1) if value[0] == b'1')
        })
    };
    let owner = fs::metadata(group.join("cgroup.procs")).map(|file| file.uid());
    // Everything is the superuser's, so that alone says nothing.
    owner.is_ok_and(|owner| owner == user) && (user != 0 || is_marked())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder in place of a group: files like those that the kernel would show.
    struct Stage(PathBuf);

    impl Stage {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("{NAME}groups-{}-{name}", process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.join(name), text).unwrap();
        }
    }

    impl Drop for Stage {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn group_has_its_limits_and_is_removed() {
        let stage = Stage::new("limits");
        stage.write("cgroup.subtree_control", "cpu memory pids\n");
        let group = Groups::at(&stage.0).unwrap().make(1 << 20).unwrap();
        let read = |name| fs::read_to_string(group.path.join(name)).unwrap();
        assert_eq!((read("memory.max"), read("memory.oom.group")), ("1048576".into(), "1".into()));
        assert_eq!(group.door().parent(), Some(group.path.as_path()));
        assert!(!group.has_struck());
        fs::write(group.path.join("memory.events"), "low 0\noom 1\noom_kill 1\n").unwrap();
        assert!(group.has_struck());
        // The kernel's files go with the folder; these have to be removed first.
        for file in fs::read_dir(&group.path).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
        let path = group.path.clone();
        drop(group);
        assert!(!path.exists());
    }

    #[test]
    fn group_that_cannot_bound_memory_is_of_no_use() {
        let stage = Stage::new("controllers");
        assert!(Groups::at(&stage.0).is_none());
        stage.write("cgroup.subtree_control", "cpu pids\n");
        assert!(Groups::at(&stage.0).is_none());
    }

    #[test]
    fn groups_of_the_dead_are_removed() {
        let stage = Stage::new("sweep");
        let (dead, living) = (format!("{NAME}4194305-7"), format!("{NAME}{}-9999", process::id()));
        for name in [&dead, &living, &"others".to_string()] {
            fs::create_dir(stage.0.join(name)).unwrap();
        }
        stage.write("cgroup.subtree_control", "memory");
        Groups::at(&stage.0).unwrap();
        assert!(!stage.0.join(dead).exists());
        assert!(stage.0.join(living).exists() && stage.0.join("others").exists());
    }

    #[test]
    fn group_of_another_is_left_alone() {
        let stage = Stage::new("owner");
        assert!(!is_handed_over(&stage.0, getuid().as_raw()), "it has no processes to be moved");
        stage.write("cgroup.procs", "");
        let owner = fs::metadata(stage.0.join("cgroup.procs")).unwrap().uid();
        assert!(!is_handed_over(&stage.0, owner + 1));
        assert_eq!(
            is_handed_over(&stage.0, owner),
            owner != 0,
            "root owns what is not marked, too"
        );
    }

    #[test]
    fn mount_is_found_among_others() {
        let line = "35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
        assert_eq!(mounted(line), Some("/sys/fs/cgroup".into()));
        assert_eq!(
            mounted("36 24 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory"),
            None
        );
        assert_eq!(mounted("37 24 0:30 /part /mnt rw - cgroup2 cgroup2 rw"), None);
    }
}
