//! Tidy: which licence expressions we take.
//!
//! Source: SPDX specification, annex "SPDX license expressions". The old form `A/B` means `A OR B`.

/// Licences that ask for no more than their notice.
const PERMISSIVE: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BlueOak-1.0.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

const EXCEPTIONS: &[&str] = &["LLVM-exception"];

/// Whether the expression can be met by permissive licences alone. What cannot be read is not permissive.
pub(crate) fn permissive(expression: &str) -> bool {
    let spaced = expression
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words };
    reader.any() == Some(true) && reader.words.is_empty()
}

struct Reader<'a> {
    words: &'a [&'a str],
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (word, rest) = self.words.split_first()?;
        self.words = rest;
        Some(word)
    }

    fn take(&mut self, word: &str) -> bool {
        let there = self.words.first() == Some(&word);
        if there {
            self.next();
        }
        there
    }

    /// `A OR B`: one of them must do.
    fn any(&mut self) -> Option<bool> {
        let mut met = self.all()?;
        while self.take("OR") {
            met |= self.all()?;
        }
        Some(met)
    }

    /// `A AND B`: all of them must do.
    fn all(&mut self) -> Option<bool> {
        let mut met = self.one()?;
        while self.take("AND") {
            met &= self.one()?;
        }
        Some(met)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let met = self.any()?;
            return self.take(")").then_some(met);
        }
        let met = PERMISSIVE.contains(&self.next()?);
        let excepted = !self.take("WITH") || EXCEPTIONS.contains(&self.next()?);
        Some(met && excepted)
    }
}

#[cfg(test)]
mod tests {
    use super::permissive;

    #[test]
    fn a_choice_needs_one_permissive_licence_and_a_sum_needs_all() {
        assert!(permissive("MIT OR Apache-2.0 OR LGPL-2.1-or-later"));
        assert!(permissive("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(permissive("Unlicense/MIT"));
        assert!(permissive("Apache-2.0 WITH LLVM-exception"));
        assert!(!permissive("MIT AND LGPL-2.1-or-later"));
        assert!(!permissive("MPL-2.0"));
        assert!(!permissive("AGPL-3.0-only OR GPL-3.0-only"));
    }

    #[test]
    fn what_cannot_be_read_is_not_taken() {
        for expression in [
            "",
            "MIT OR",
            "(MIT",
            "MIT)",
            "MIT Apache-2.0",
            "Apache-2.0 WITH something",
        ] {
            assert!(!permissive(expression), "{expression}");
        }
    }
}
