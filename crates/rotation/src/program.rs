//! What of a program its process needs: the segments that are loaded, without the tables for linkers and debuggers behind them.
//!
//! Source: System V ABI, "Object Files": ELF header, program header.

/// The part of an ELF program (64 bits, little endian) that is loaded; any other file as it is.
pub(crate) fn loaded(program: &[u8]) -> Vec<u8> {
    let Some(end) = end_of_segments(program) else {
        return program.to_vec();
    };
    let mut kept = program.get(..end).unwrap_or(program).to_vec();
    // There is no table of sections any more: its place, the number of its entries, and the one with the names.
    for span in [0x28..0x30, 0x3c..0x3e, 0x3e..0x40] {
        if let Some(field) = kept.get_mut(span) {
            field.fill(0);
        }
    }
    kept
}

fn end_of_segments(program: &[u8]) -> Option<usize> {
    // 64 bits, little endian.
    program.strip_prefix(b"\x7fELF\x02\x01")?;
    let long = |at: usize| {
        let bytes = program.get(at..at.checked_add(8)?)?;
        usize::try_from(u64::from_le_bytes(bytes.try_into().ok()?)).ok()
    };
    let short = |at: usize| {
        let bytes = program.get(at..at + 2)?;
        Some(usize::from(u16::from_le_bytes(bytes.try_into().ok()?)))
    };
    let (table, size, count) = (long(0x20)?, short(0x36)?, short(0x38)?);
    let mut end = table.checked_add(size.checked_mul(count)?)?;
    for number in 0..count {
        let header = table.checked_add(size.checked_mul(number)?)?;
        let segment = long(header.checked_add(0x08)?)?.checked_add(long(header.checked_add(0x20)?)?)?;
        end = end.max(segment);
    }
    (count > 0 && end <= program.len()).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test's own program, trimmed, still runs.
    #[test]
    fn a_trimmed_program_still_runs() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let kept = loaded(&own);
        assert!(kept.len() < own.len());
        assert!(loaded(&kept) == kept);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bootstrap");
        std::fs::write(&path, kept).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).unwrap();
        let listed = std::process::Command::new(&path).arg("--list").output().unwrap();
        assert!(String::from_utf8_lossy(&listed.stdout).contains("a_trimmed_program_still_runs"));
    }

    #[test]
    fn what_is_no_program_stays_as_it_is() {
        for other in [
            &b""[..],
            b"#!/bin/sh\n",
            b"\x7fELF\x02\x01",
            &[0x7f; 80],
            b"\x7fELF\x01\x01rest",
        ] {
            assert_eq!(loaded(other), other);
        }
        let mut broken = b"\x7fELF\x02\x01".to_vec();
        broken.resize(64, 0xff);
        assert_eq!(loaded(&broken), broken);
    }
}
