//! The model's patterns, which are Java regular expressions, as patterns that run in linear time.
//!
//! Invariant: a compiled pattern accepts every text that Java's accepts; where the dialects cannot be reconciled it
//! accepts more, or the pattern is refused and the constraint not enforced. Memory is bounded.
//!
//! Source: Java SE API, `java.util.regex.Pattern`; Smithy specification, "pattern trait".

use regex::{Regex, RegexBuilder};

/// Bytes of one compiled program, and of its cache.
const PROGRAM_BYTES_MAX: usize = 4 << 20;
/// Characters of a pattern.
const SOURCE_CHARS_MAX: usize = 8192;
/// Repetitions beyond this are relaxed if the program would be too large.
const REPEAT_RELAXED: u32 = 16;

/// A pattern that cannot be expressed, with the construct that is to blame.
#[derive(Debug, thiserror::Error)]
#[error("the pattern has {0}, which cannot be checked")]
pub struct Unsupported(pub &'static str);

/// A compiled pattern.
pub struct Pattern {
    main: Regex,
    /// Length in characters, taken out of the pattern.
    length: Option<(usize, usize)>,
    /// Conditions at the start or end: whether they must match, and what.
    conditions: Vec<(bool, Regex)>,
}

impl Pattern {
    /// Compiles a pattern of a model.
    ///
    /// Errors: look-around inside the pattern, back references, or a program that is too large.
    pub fn new(source: &str) -> Result<Self, Unsupported> {
        if source.len() > SOURCE_CHARS_MAX {
            return Err(Unsupported("too many characters"));
        }
        let (ahead, behind, core) = peel(source)?;
        let mut conditions = Vec::new();
        for (positive, inner) in ahead {
            conditions.push((
                positive,
                compile(&format!(r"\A(?:{})", translate(inner, false)?))?,
            ));
        }
        for (positive, inner) in behind {
            conditions.push((
                positive,
                compile(&format!(r"(?:{})\z", translate(inner, false)?))?,
            ));
        }
        if let Some((class, length)) = class_repeated(core) {
            let main = compile(&format!(r"\A(?:{})*\z", translate(class, false)?))?;
            return Ok(Self {
                main,
                length: Some(length),
                conditions,
            });
        }
        // Services of Java's kind match the whole text, those of Smithy's kind search: an anchor shows the latter.
        let (starts, ends) = (
            core.starts_with('^'),
            core.ends_with('$') && !core.ends_with(r"\$"),
        );
        let lone = matches!(core.as_bytes(), [b'\\', _]);
        let wrap = |text: String| match (starts || ends || lone, conditions.is_empty()) {
            (true, true) => text,
            (true, false) if starts && !ends => format!(r"\A(?:{text})"),
            _ => format!(r"\A(?:{text})\z"),
        };
        let main = match compile(&wrap(translate(core, false)?)) {
            Ok(main) => main,
            Err(_) => compile(&wrap(translate(core, true)?))?,
        };
        Ok(Self {
            main,
            length: None,
            conditions,
        })
    }

    /// Whether the text satisfies the pattern.
    pub fn matches(&self, text: &str) -> bool {
        self.length
            .is_none_or(|(min, max)| (min..=max).contains(&text.chars().count()))
            && self.main.is_match(text)
            && self
                .conditions
                .iter()
                .all(|(positive, condition)| condition.is_match(text) == *positive)
    }
}

fn compile(pattern: &str) -> Result<Regex, Unsupported> {
    let built = RegexBuilder::new(pattern)
        .size_limit(PROGRAM_BYTES_MAX)
        .dfa_size_limit(PROGRAM_BYTES_MAX)
        .build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => Unsupported("too large a program"),
        _ => Unsupported("a construct of another dialect"),
    })
}

type Conditions<'a> = Vec<(bool, &'a str)>;

/// Takes look-aheads off the start and a look-behind off the end, where they mean conditions on the whole text.
fn peel(source: &str) -> Result<(Conditions<'_>, Conditions<'_>, &str), Unsupported> {
    let (mut ahead, mut behind) = (Vec::new(), Vec::new());
    let anchored = source.starts_with('^');
    let mut core = source.strip_prefix('^').unwrap_or(source);
    while let Some((positive, rest)) = core
        .strip_prefix("(?=")
        .map(|rest| (true, rest))
        .or_else(|| core.strip_prefix("(?!").map(|rest| (false, rest)))
    {
        let end = group_end(rest).ok_or(Unsupported("an open group"))?;
        let (Some(inner), Some(after)) = (rest.get(..end), rest.get(end + 1..)) else {
            return Err(Unsupported("an open group"));
        };
        ahead.push((positive, inner));
        core = after;
    }
    if ahead.is_empty() {
        core = source;
    }
    let unended = core.strip_suffix('$').unwrap_or(core);
    for (mark, positive) in [("(?<!", false), ("(?<=", true)] {
        let Some(at) = unended.rfind(mark) else { continue };
        let (Some(before), Some(rest)) = (unended.get(..at), unended.get(at + mark.len()..)) else {
            continue;
        };
        let whole = group_end(rest).is_some_and(|end| end + 1 == rest.len());
        if let (true, Some(inner)) = (whole, rest.strip_suffix(')')) {
            behind.push((positive, inner));
            core = before;
        }
    }
    if (!ahead.is_empty() || !behind.is_empty()) && has_alternatives(core) {
        return Err(Unsupported("look-around in one of several alternatives"));
    }
    if !ahead.is_empty() && anchored && !core.starts_with('^') && core.ends_with('$') {
        core = core.strip_suffix('$').unwrap_or(core);
    }
    Ok((ahead, behind, core))
}

/// The byte index of the parenthesis that closes a group whose inside begins the text.
fn group_end(text: &str) -> Option<usize> {
    scan(text, |depth, letter| depth == 0 && letter == ')')
}

fn has_alternatives(text: &str) -> bool {
    scan(text, |depth, letter| depth == 0 && letter == '|').is_some()
}

/// The index of the first character outside classes and escapes for which the test holds at its depth of groups.
fn scan(text: &str, test: impl Fn(i32, char) -> bool) -> Option<usize> {
    let (mut depth, mut class, mut escaped) = (0, 0_u32, false);
    for (at, letter) in text.char_indices() {
        if escaped {
            escaped = false;
            continue;
        }
        match letter {
            '\\' => escaped = true,
            '[' => class += 1,
            ']' => class = class.saturating_sub(1),
            _ if class > 0 => {}
            _ if test(depth, letter) => return Some(at),
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// `^[class]{m,n}$`, the commonest pattern: the class, and the length that need not be in the program.
fn class_repeated(core: &str) -> Option<(&str, (usize, usize))> {
    let (start, end) = (
        core.starts_with('^'),
        core.ends_with('$') && !core.ends_with(r"\$"),
    );
    if start != end {
        return None;
    }
    let inner = core.strip_prefix('^').unwrap_or(core);
    let inner = inner.strip_suffix('$').unwrap_or(inner);
    let open = inner.rfind('{')?;
    let (class, count) = (inner.get(..open)?, inner.get(open + 1..)?.strip_suffix('}')?);
    let body = class.strip_prefix('[')?.strip_suffix(']')?;
    let plain = !body.contains(['[', ']']) && !body.ends_with('\\');
    let (min, max) = count.split_once(',').unwrap_or((count, count));
    let max = if max.is_empty() {
        usize::MAX
    } else {
        max.parse().ok()?
    };
    plain.then_some((class, (min.parse().ok()?, max)))
}

/// Translates Java's dialect. With `relax`, long repetitions lose their count.
fn translate(source: &str, relax: bool) -> Result<String, Unsupported> {
    let dotall = source.contains("(?s)");
    let mut reader = Reader {
        rest: source,
        out: String::with_capacity(source.len() * 2),
    };
    let mut class = 0_u32;
    while let Some(letter) = reader.take() {
        match letter {
            '\\' => reader.escape(class > 0)?,
            '[' => {
                class += 1;
                reader.out.push('[');
                if reader.rest.starts_with("^]") || reader.rest.starts_with(']') {
                    return Err(Unsupported("a class that begins with its end"));
                }
            }
            ']' if class > 0 => {
                class -= 1;
                reader.out.push(']');
            }
            '-' if class > 0 => reader.hyphen(),
            '~' if class > 0 => reader.out.push_str(r"\~"),
            _ if class > 0 => reader.out.push(letter),
            '.' if !dotall => reader.out.push_str(r"[^\n\r\u{85}\u{2028}\u{2029}]"),
            '(' => {
                for look in ["?=", "?!", "?<=", "?<!"] {
                    if reader.rest.starts_with(look) {
                        return Err(Unsupported("look-around"));
                    }
                }
                reader.out.push('(');
                if let Some(rest) = reader.rest.strip_prefix("?>") {
                    // Without its promise not to look back, an atomic group accepts a little more.
                    reader.rest = rest;
                    reader.out.push_str("?:");
                }
            }
            '{' if relax => reader.repeat(),
            _ => reader.out.push(letter),
        }
    }
    Ok(reader.out)
}

struct Reader<'a> {
    rest: &'a str,
    out: String,
}

impl Reader<'_> {
    fn take(&mut self) -> Option<char> {
        let letter = self.rest.chars().next()?;
        self.rest = self.rest.get(letter.len_utf8()..).unwrap_or_default();
        Some(letter)
    }

    /// A hyphen in a class. Two are an operator here and plain in Java; before a class it cannot be a range.
    fn hyphen(&mut self) {
        let mut next = self.rest.chars();
        match (next.next(), next.next()) {
            (Some('-'), _) => {
                self.take();
                self.out.push_str(r"-\-");
            }
            (Some('\\'), Some('d' | 'D' | 'w' | 'W' | 's' | 'S' | 'p' | 'P')) | (Some('['), _) => {
                self.out.push_str(r"\-");
            }
            // Nor can it after a class; classes are written with brackets here.
            _ if self.out.ends_with(']') => self.out.push_str(r"\-"),
            _ => self.out.push('-'),
        }
    }

    /// `{m,n}`: counts above the bound become `*` or `+`.
    fn repeat(&mut self) {
        let count = self.rest.split_once('}').and_then(|(count, rest)| {
            let (min, max) = count.split_once(',').unwrap_or((count, count));
            Some((
                min.parse::<u32>().ok()?,
                max.parse::<u32>().unwrap_or(u32::MAX),
                rest,
            ))
        });
        match count {
            Some((min, max, rest)) if max > REPEAT_RELAXED => {
                self.rest = rest;
                self.out.push(if min == 0 { '*' } else { '+' });
            }
            _ => self.out.push('{'),
        }
    }

    /// What follows a backslash. Java's classes are of ASCII.
    fn escape(&mut self, in_class: bool) -> Result<(), Unsupported> {
        let letter = self.take().ok_or(Unsupported("a backslash at its end"))?;
        let text = match letter {
            'd' => "[0-9]",
            'D' => "[^0-9]",
            'w' => "[0-9A-Za-z_]",
            'W' => "[^0-9A-Za-z_]",
            's' => r"[ \t\n\x0B\f\r]",
            'S' => r"[^ \t\n\x0B\f\r]",
            'h' => r"[ \t\u{A0}\u{1680}\u{180E}\u{2000}-\u{200A}\u{202F}\u{205F}\u{3000}]",
            'v' => r"[\n\x0B\f\r\u{85}\u{2028}\u{2029}]",
            't' => r"\t",
            'n' => r"\n",
            'r' => r"\r",
            'f' => r"\f",
            'a' => r"\x07",
            'Z' | 'z' if !in_class => r"\z",
            'A' if !in_class => r"\A",
            'b' if !in_class => r"(?-u:\b)",
            'p' | 'P' => return self.property(letter == 'P'),
            'u' => return self.code_unit(),
            'x' => {
                let value = self.hex_digits(2).ok_or(Unsupported("a malformed escape"))?;
                self.out.push_str(&format!(r"\u{{{value:X}}}"));
                return Ok(());
            }
            _ if letter.is_ascii_alphanumeric() => return Err(Unsupported("an escape of another dialect")),
            '<' | '>' => {
                self.out.push(letter);
                return Ok(());
            }
            _ => {
                if letter.is_ascii() {
                    self.out.push('\\');
                }
                self.out.push(letter);
                return Ok(());
            }
        };
        self.out.push_str(text);
        Ok(())
    }

    fn hex_digits(&mut self, count: usize) -> Option<u32> {
        let digits = self.rest.get(..count)?;
        let value = u32::from_str_radix(digits, 16).ok()?;
        self.rest = self.rest.get(count..)?;
        Some(value)
    }

    /// `\uXXXX`; two of them may be a surrogate pair.
    fn code_unit(&mut self) -> Result<(), Unsupported> {
        let bad = || Unsupported("a malformed escape");
        let mut value = self.hex_digits(4).ok_or_else(bad)?;
        if (0xD800..0xDC00).contains(&value) {
            self.rest = self
                .rest
                .strip_prefix("\\u")
                .ok_or(Unsupported("half a surrogate pair"))?;
            let low = self.hex_digits(4).filter(|low| (0xDC00..0xE000).contains(low));
            let low = low.ok_or(Unsupported("half a surrogate pair"))?;
            value = 0x10000 + ((value - 0xD800) << 10) + (low - 0xDC00);
        }
        if char::from_u32(value).is_none() {
            return Err(Unsupported("half a surrogate pair"));
        }
        self.out.push_str(&format!(r"\u{{{value:X}}}"));
        Ok(())
    }

    /// `\p{Name}` or `\pL`.
    fn property(&mut self, negated: bool) -> Result<(), Unsupported> {
        let rest = self.rest;
        let (name, after) = match rest.strip_prefix('{') {
            Some(inner) => inner.split_once('}').ok_or(Unsupported("a malformed property"))?,
            None => rest
                .split_at_checked(1)
                .ok_or(Unsupported("a malformed property"))?,
        };
        self.rest = after;
        let inside = match name {
            "ASCII" => r"\x00-\x7F",
            "Alnum" => "0-9A-Za-z",
            "Alpha" => "A-Za-z",
            "Digit" => "0-9",
            "Lower" => "a-z",
            "Upper" => "A-Z",
            "XDigit" => "0-9A-Fa-f",
            "Punct" => r"!-/:-@\[-`\{-\~",
            "Graph" => r"!-\~",
            "Print" => r" -\~",
            "Blank" => r" \t",
            "Cntrl" => r"\x00-\x1F\x7F",
            "Space" => r" \t\n\x0B\f\r",
            "all" => r"\x00-\u{10FFFF}",
            "LD" => r"\p{L}\p{Nd}",
            "IsAlphabetic" => r"\p{Alphabetic}",
            "IsWhitespace" | "IsWhite_Space" => r"\p{White_Space}",
            "IsDigit" => r"\p{Nd}",
            "IsLetter" => r"\p{L}",
            _ if name.len() <= 2 && name.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
                self.out.push_str(if negated { "[\\P{" } else { "[\\p{" });
                self.out.push_str(name);
                self.out.push_str("}]");
                return Ok(());
            }
            _ => return Err(Unsupported("a property of another dialect")),
        };
        self.out.push_str(if negated { "[^" } else { "[" });
        self.out.push_str(inside);
        self.out.push(']');
        Ok(())
    }
}
