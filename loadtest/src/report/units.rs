//! Numbers with units, for people.

/// A time in µs.
pub fn time(micros: f64) -> String {
    match micros {
        micros if micros < 1_000.0 => format!("{micros:.1} µs"),
        micros if micros < 1_000_000.0 => format!("{:.1} ms", micros / 1e3),
        micros => format!("{:.2} s", micros / 1e6),
    }
}

/// A size in bytes.
pub fn size(bytes: f64) -> String {
    const KIB: f64 = 1024.0;
    match bytes {
        bytes if bytes < KIB => format!("{bytes:.0} B"),
        bytes if bytes < KIB * KIB => format!("{:.1} KiB", bytes / KIB),
        bytes if bytes < KIB * KIB * KIB => format!("{:.1} MiB", bytes / KIB / KIB),
        bytes => format!("{:.2} GiB", bytes / KIB / KIB / KIB),
    }
}

/// A count, with a comma before every three digits.
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut number = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            number.push(',');
        }
        number.push(digit);
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_units_and_separators() {
        assert_eq!([time(12.34), time(12_340.0), time(12_340_000.0)], ["12.3 µs", "12.3 ms", "12.34 s"]);
        assert_eq!([size(12.0), size(2048.0), size(3.5 * 1024.0 * 1024.0)], ["12 B", "2.0 KiB", "3.5 MiB"]);
        assert_eq!([number(7), number(1_234), number(1_234_567)], ["7", "1,234", "1,234,567"]);
    }
}
