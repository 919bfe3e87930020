//! How much memory further processes could use: what the system has available, or what is left to this process's control
//! group or one of those above it, if that is less. What the kernel only caches and could drop at once counts as available.

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes that are available; `None` when the system does not say.
#[must_use]
pub fn available() -> Option<u64> {
    available_below(Path::new("/"))
}

fn available_below(root: &Path) -> Option<u64> {
    let system = read(&root.join("proc/meminfo")).and_then(|text| meminfo(&text));
    let groups = read(&root.join("proc/self/cgroup")).unwrap_or_default();
    let left = groups.lines().filter_map(Hierarchy::of).flat_map(|(hierarchy, group)| {
        let top = root.join(hierarchy.mounted_at);
        let own = top.join(group.trim_start_matches('/'));
        let up: Vec<PathBuf> = own.ancestors().take_while(|at| at.starts_with(&top)).map(Path::to_owned).collect();
        up.into_iter().filter_map(move |directory| hierarchy.left_in(&directory))
    });
    system.into_iter().chain(left).min()
}

/// Lines look like `MemAvailable:   24003408 kB`.
fn meminfo(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Where a version of control groups keeps what.
struct Hierarchy {
    mounted_at: &'static str,
    limits: &'static [&'static str],
    usage: &'static str,
    cache: &'static str,
}

const VERSION_1: Hierarchy = Hierarchy {
    mounted_at: "sys/fs/cgroup/memory",
    limits: &["memory.limit_in_bytes"],
    usage: "memory.usage_in_bytes",
    cache: "total_inactive_file",
};

const VERSION_2: Hierarchy = Hierarchy {
    mounted_at: "sys/fs/cgroup",
    // Above `high` processes are slowed down until they have given some back.
    limits: &["memory.max", "memory.high"],
    usage: "memory.current",
    cache: "inactive_file",
};

impl Hierarchy {
    /// Which one a line of `/proc/self/cgroup` is about, and the group in it: `4:memory:/shop` or `0::/shop`.
    fn of(line: &str) -> Option<(Self, &str)> {
        let (controllers, group) = line.split_once(':')?.1.split_once(':')?;
        match controllers {
            "" => Some((VERSION_2, group)),
            _ if controllers.split(',').any(|controller| controller == "memory") => Some((VERSION_1, group)),
            _ => None,
        }
    }

    /// What the group in this directory may still use; `None` without a limit.
    fn left_in(&self, directory: &Path) -> Option<u64> {
        // Without a limit it says `max`, or a number beyond any memory.
        let limits = self.limits.iter().filter_map(|name| number(&directory.join(name)));
        let limit = limits.min()?;
        let usage = number(&directory.join(self.usage))?;
        let statistics = read(&directory.join("memory.stat")).unwrap_or_default();
        let cached = statistics.lines().find_map(|line| line.strip_prefix(self.cache)?.trim().parse().ok());
        Some(limit.saturating_sub(usage.saturating_sub(cached.unwrap_or(0))))
    }
}

fn number(path: &Path) -> Option<u64> {
    read(path)?.trim().parse().ok()
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use tempfile::TempDir;

    use super::*;

    const MB: u64 = 1024 * 1024;
    const MEMINFO: (&str, &str) = (
        "proc/meminfo",
        "MemTotal:       24684084 kB\nMemFree:        11525076 kB\nMemAvailable:    1024000 kB\nBuffers:           96016 kB\n",
    );
    const UNLIMITED: &str = "9223372036854771712\n";

    fn system(files: &[(&str, &str)]) -> TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[rstest]
    #[case::without_control_groups(&[], 1000)]
    #[case::version_2_without_a_limit(
        &[("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "max\n"), ("sys/fs/cgroup/memory.current", "5\n")],
        1000
    )]
    #[case::a_container(
        &[
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", "536870912\n"),
            ("sys/fs/cgroup/memory.high", "max\n"),
            ("sys/fs/cgroup/memory.current", "431669248\n"),
            ("sys/fs/cgroup/memory.stat", "anon 1\nfile 2\ninactive_anon 7\ninactive_file 104513536\nactive_file 0\n"),
        ],
        512 - 411 + 99
    )]
    #[case::a_service_whose_slice_has_the_limit(
        &[
            ("proc/self/cgroup", "0::/web.slice/shop.service\n"),
            ("sys/fs/cgroup/web.slice/shop.service/memory.max", "max\n"),
            ("sys/fs/cgroup/web.slice/shop.service/memory.current", "1000\n"),
            ("sys/fs/cgroup/web.slice/memory.max", "max\n"),
            ("sys/fs/cgroup/web.slice/memory.high", "314572800\n"),
            ("sys/fs/cgroup/web.slice/memory.current", "104857600\n"),
        ],
        200
    )]
    #[case::version_1(
        &[
            ("proc/self/cgroup", "9:name=systemd:/\n4:memory:/shop/web\n2:cpuacct:/\n0::/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", UNLIMITED),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "5\n"),
            ("sys/fs/cgroup/memory/shop/memory.limit_in_bytes", "209715200\n"),
            ("sys/fs/cgroup/memory/shop/memory.usage_in_bytes", "157286400\n"),
            ("sys/fs/cgroup/memory/shop/memory.stat", "cache 1\ninactive_file 1\ntotal_inactive_file 52428800\n"),
            ("sys/fs/cgroup/memory/shop/web/memory.limit_in_bytes", UNLIMITED),
            ("sys/fs/cgroup/memory/shop/web/memory.usage_in_bytes", "5\n"),
        ],
        100
    )]
    #[case::a_container_that_sees_the_path_outside(
        &[
            ("proc/self/cgroup", "4:memory:/docker/0123\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "104857600\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "52428800\n"),
        ],
        50
    )]
    #[case::over_its_limit(
        &[("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/memory.max", "10\n"), ("sys/fs/cgroup/memory.current", "12\n")],
        0
    )]
    fn the_tightest_bound_counts(#[case] files: &[(&str, &str)], #[case] megabytes: u64) {
        let root = system(&[&[MEMINFO], files].concat());
        assert_eq!(available_below(root.path()).map(|bytes| bytes / MB), Some(megabytes));
    }

    #[test]
    fn a_system_that_says_nothing_is_not_guessed_at() {
        assert_eq!(available_below(system(&[]).path()), None);
        assert_eq!(available_below(system(&[("proc/meminfo", "MemFree: 1 kB\nMemAvailable: many\n")]).path()), None);
    }

    #[test]
    fn this_system_has_some() {
        assert!(available().unwrap() > 0);
    }
}
