//! What a machine has.

/// Bytes that can still be taken: of the machine, or of what a container may have; none where that cannot be known.
pub fn available_memory() -> Option<u64> {
    let of_machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| of_meminfo(&text));
    [of_machine, of_container()].into_iter().flatten().min()
}

/// Free memory and what swapping can make free.
fn of_meminfo(text: &str) -> Option<u64> {
    let field = |name: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(name))?;
        let kib: u64 = line.trim_start_matches(':').trim().trim_end_matches("kB").trim().parse().ok()?;
        kib.checked_mul(1024)
    };
    Some(field("MemAvailable")?.saturating_add(field("SwapFree").unwrap_or(0)))
}

/// What a control group leaves, of version 2 or 1. Pages of files that it holds can be given back.
fn of_container() -> Option<u64> {
    let v2 = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat"];
    let v1 = [
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
        "/sys/fs/cgroup/memory/memory.stat",
    ];
    [v2, v1].into_iter().find_map(|names| {
        let [most, used, stat] = names.map(|name| std::fs::read_to_string(name).unwrap_or_default());
        left(&most, &used, &stat)
    })
}

/// What is left of a group's limit; none where it has no limit.
fn left(most: &str, used: &str, stat: &str) -> Option<u64> {
    let most: u64 = most.trim().parse().ok()?;
    let used: u64 = used.trim().parse().ok()?;
    let files = |name: &str| stat.lines().find_map(|l| l.strip_prefix(name)?.trim().parse::<u64>().ok());
    let files = files("total_inactive_file ").or(files("inactive_file ")).unwrap_or(0);
    Some(most.saturating_sub(used.saturating_sub(files)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_machine_has_is_read_from_its_files() {
        let text = "MemTotal:       24000000 kB\nMemFree:  1 kB\nMemAvailable:   20000000 kB\nSwapFree:       1000 kB\n";
        assert_eq!(of_meminfo(text), Some(20_001_000 * 1024));
        assert_eq!(of_meminfo("MemTotal: 5 kB\n"), None);
        assert_eq!(left("1000\n", "700\n", "anon 3\ninactive_file 200\n"), Some(500));
        assert_eq!(left("max\n", "700\n", ""), None);
        assert_eq!(left("1000", "1200", ""), Some(0));
        #[cfg(target_os = "linux")]
        assert!(available_memory().is_some_and(|bytes| bytes > 1 << 20));
    }
}
