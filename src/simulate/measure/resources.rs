//! What this process has used of the machine.

use std::time::Duration;

/// Ticks per second in which the system tells processor time: the same on every Linux, whatever its kernel's clock.
const TICKS_PER_S: u32 = 100;

/// The most memory that this process ever had in use, in bytes; 0 where the system does not tell.
pub fn peak_rss_bytes() -> u64 {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return 0;
    };
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse::<u64>().ok())
        .map_or(0, |kibibytes| kibibytes * 1_024)
}

/// How much processor time all threads of this process have used so far, to 10 ms; nothing where the system does not
/// tell.
pub fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    ticks(&stat).map_or(Duration::ZERO, |ticks| {
        Duration::from_secs(1) / TICKS_PER_S * ticks
    })
}

/// User and system time: the 14th and the 15th field. The second is the program's name in brackets, and a name may
/// have brackets and spaces in it.
fn ticks(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    next()?.checked_add(next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory() {
        assert!(peak_rss_bytes() > 100_000);
    }

    #[test]
    fn this_process_uses_time_and_never_gets_it_back() {
        let before = processor_time();
        let mut sum = 0_u64;
        while processor_time() == before {
            sum = (0..100_000).fold(sum, u64::wrapping_add);
        }
        assert!(processor_time() > before, "{sum}");
    }

    #[test]
    fn a_name_with_brackets_does_not_matter() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 9 0 0 0 123 45 0 0 20 0 3 0 100";
        assert_eq!(ticks(stat), Some(168));
        assert_eq!(ticks("7 (a) S 1"), None);
        assert_eq!(ticks(""), None);
    }
}
