//! The text of `Fn::Sub`: what is said, and which names stand in it.
//!
//! Source: CloudFormation User Guide, "Fn::Sub".

use pipeline::operation::Result;
use wire::Fault;

/// A part of a text.
#[derive(PartialEq, Eq, Debug)]
pub enum Part<'a> {
    Text(&'a str),
    /// `${Name}`, `${Name.Attribute}` or `${AWS::Region}`.
    Name(&'a str),
    /// `${!Literal}`, which becomes `${Literal}`.
    Literal(&'a str),
}

/// Takes a text apart.
///
/// # Errors
/// A name with other than letters, digits, underscores, periods and colons.
pub fn parts(text: &str) -> Result<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        let Some((name, after)) = behind.split_once('}') else {
            break;
        };
        if !before.is_empty() {
            parts.push(Part::Text(before));
        }
        match name.strip_prefix('!') {
            Some(literal) => parts.push(Part::Literal(literal)),
            None => {
                let name = name.trim();
                let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':');
                if name.is_empty() || !name.chars().all(fits) {
                    return Err(Fault::validation(
                        "Template error: variable names in Fn::Sub syntax must contain only alphanumeric \
                         characters, underscores, periods, and colons",
                    ));
                }
                parts.push(Part::Name(name));
            }
        }
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Text(rest));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_literals_are_told_apart() {
        let found = parts("a${B}c${D.Arn}${!E}${AWS::Region}$F").ok().unwrap();
        assert_eq!(
            found,
            [
                Part::Text("a"),
                Part::Name("B"),
                Part::Text("c"),
                Part::Name("D.Arn"),
                Part::Literal("E"),
                Part::Name("AWS::Region"),
                Part::Text("$F"),
            ]
        );
        assert!(parts("${a b}").is_err());
        assert_eq!(parts("${open").ok().unwrap(), [Part::Text("${open")]);
    }
}
