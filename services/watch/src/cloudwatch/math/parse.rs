//! Reading an expression into a tree.
//!
//! Invariant: parentheses lie no deeper than `DEPTH_MAX`, and all operators together are no more than `OPERATORS_MAX`, so that nobody's
//! expression exhausts the stack.

/// How deep an expression may be nested.
const DEPTH_MAX: usize = 64;
/// As many as an expression of 2048 letters has room for: a long sum is a deep tree too.
const OPERATORS_MAX: usize = 1024;

/// An expression.
#[derive(Clone, PartialEq, Debug)]
pub(in super::super) enum Expression {
    Number(f64),
    Text(String),
    /// The id of another query, or a word such as `REPEAT`.
    Name(String),
    Call(String, Vec<Expression>),
    List(Vec<Expression>),
    Negative(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
}

/// What stands between two operands.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in super::super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
    Equal,
    Unequal,
    AtMost,
    AtLeast,
    Less,
    Greater,
    And,
    Or,
}

impl Operator {
    /// The operators of a level, the loosest first.
    const LEVELS: [&'static [(&'static str, Self)]; 5] = [
        &[("||", Self::Or), ("OR", Self::Or)],
        &[("&&", Self::And), ("AND", Self::And)],
        &[
            ("==", Self::Equal),
            ("!=", Self::Unequal),
            ("<=", Self::AtMost),
            (">=", Self::AtLeast),
            ("<", Self::Less),
            (">", Self::Greater),
        ],
        &[("+", Self::Add), ("-", Self::Subtract)],
        &[("*", Self::Multiply), ("/", Self::Divide)],
    ];
}

#[derive(Clone, PartialEq, Debug)]
enum Token {
    Number(f64),
    Text(String),
    Name(String),
    Sign(&'static str),
}

impl Expression {
    /// The ids and words that it names.
    pub(in super::super) fn names(&self, found: &mut Vec<String>) {
        match self {
            Self::Number(_) | Self::Text(_) => {}
            Self::Name(name) => found.push(name.clone()),
            Self::Call(_, parts) | Self::List(parts) => parts.iter().for_each(|part| part.names(found)),
            Self::Negative(part) => part.names(found),
            Self::Binary(_, left, right) => {
                left.names(found);
                right.names(found);
            }
        }
    }
}

/// Reads an expression; the error tells where it cannot be read.
pub(in super::super) fn parse(text: &str) -> Result<Expression, String> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens: &tokens,
        depth: 0,
        operators: 0,
    };
    let expression = parser.level(0)?;
    match parser.tokens.first() {
        None => Ok(expression),
        Some((at, _)) => Err(unexpected(*at)),
    }
}

fn unexpected(at: usize) -> String {
    format!("Syntax error at position {}", at + 1)
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>, String> {
    const SIGNS: [&str; 18] = [
        "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "^", "(", ")", "[", "]", ",",
    ];
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let first = rest.chars().next().unwrap_or(' ');
        let length = if first.is_whitespace() {
            first.len_utf8()
        } else if first.is_ascii_digit() || first == '.' {
            let length = rest
                .find(|c: char| !c.is_ascii_digit() && c != '.')
                .unwrap_or(rest.len());
            let digits = rest.get(..length).unwrap_or_default();
            let number: f64 = digits.parse().map_err(|_| unexpected(at))?;
            tokens.push((at, Token::Number(number)));
            length
        } else if first.is_ascii_alphabetic() || first == '_' {
            let length = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            let name = rest.get(..length).unwrap_or_default().to_owned();
            tokens.push((at, Token::Name(name)));
            length
        } else if first == '"' || first == '\'' {
            let inner = rest.get(1..).unwrap_or_default();
            let length = inner.find(first).ok_or_else(|| unexpected(at))?;
            let inner = inner.get(..length).unwrap_or_default().to_owned();
            tokens.push((at, Token::Text(inner)));
            length + 2
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let sign = sign.ok_or_else(|| unexpected(at))?;
            tokens.push((at, Token::Sign(sign)));
            sign.len()
        };
        at += length;
    }
    // Where an expression that lacks something ends.
    if tokens.is_empty() {
        return Err(unexpected(0));
    }
    Ok(tokens)
}

struct Parser<'t> {
    tokens: &'t [(usize, Token)],
    depth: usize,
    operators: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<(usize, Token)> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first.clone())
    }

    fn takes(&mut self, sign: &str) -> bool {
        let found = match self.tokens.first() {
            Some((_, Token::Sign(found))) => *found == sign,
            Some((_, Token::Name(found))) => found == sign,
            _ => false,
        };
        if found && let Some((_, rest)) = self.tokens.split_first() {
            self.tokens = rest;
        }
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.takes(sign) {
            return Ok(());
        }
        Err(self.tokens.first().map_or_else(
            || format!("Syntax error: {sign} is missing"),
            |(at, _)| unexpected(*at),
        ))
    }

    fn level(&mut self, level: usize) -> Result<Expression, String> {
        let Some(operators) = Operator::LEVELS.get(level) else {
            return self.unary();
        };
        let mut left = self.level(level + 1)?;
        while let Some((_, operator)) = operators.iter().find(|(sign, _)| self.takes(sign)) {
            self.operators += 1;
            if self.operators > OPERATORS_MAX {
                return Err(format!("It has more than {OPERATORS_MAX} operators"));
            }
            let right = self.level(level + 1)?;
            left = Expression::Binary(*operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("It is nested deeper than {DEPTH_MAX}"));
        }
        let expression = if self.takes("-") {
            Expression::Negative(Box::new(self.unary()?))
        } else {
            let base = self.operand()?;
            if self.takes("^") {
                // It binds to the right: 2^3^2 is 2^9.
                Expression::Binary(Operator::Power, Box::new(base), Box::new(self.unary()?))
            } else {
                base
            }
        };
        self.depth -= 1;
        Ok(expression)
    }

    fn operand(&mut self) -> Result<Expression, String> {
        match self.next() {
            None => Err("Syntax error: an operand is missing".to_owned()),
            Some((_, Token::Number(number))) => Ok(Expression::Number(number)),
            Some((_, Token::Text(text))) => Ok(Expression::Text(text)),
            Some((_, Token::Sign("("))) => {
                let inner = self.level(0)?;
                self.expect(")")?;
                Ok(inner)
            }
            Some((_, Token::Sign("["))) => Ok(Expression::List(self.parts("]")?)),
            Some((at, Token::Name(name))) if matches!(name.as_str(), "AND" | "OR") => Err(unexpected(at)),
            Some((_, Token::Name(name))) => {
                if self.takes("(") {
                    return Ok(Expression::Call(name, self.parts(")")?));
                }
                Ok(Expression::Name(name))
            }
            Some((at, Token::Sign(_))) => Err(unexpected(at)),
        }
    }

    /// What stands between commas, up to a closing sign.
    fn parts(&mut self, end: &str) -> Result<Vec<Expression>, String> {
        let mut parts = Vec::new();
        if self.takes(end) {
            return Ok(parts);
        }
        loop {
            parts.push(self.level(0)?);
            if self.takes(end) {
                return Ok(parts);
            }
            self.expect(",")?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_bind_as_usual() {
        let number = |number| Box::new(Expression::Number(number));
        let binary = |operator, left, right| Expression::Binary(operator, left, right);
        assert_eq!(
            parse("1+2*3").unwrap(),
            binary(
                Operator::Add,
                number(1.0),
                Box::new(binary(Operator::Multiply, number(2.0), number(3.0)))
            )
        );
        assert_eq!(
            parse("1-2-3").unwrap(),
            binary(
                Operator::Subtract,
                Box::new(binary(Operator::Subtract, number(1.0), number(2.0))),
                number(3.0)
            )
        );
        assert_eq!(
            parse("2^3^4").unwrap(),
            binary(
                Operator::Power,
                number(2.0),
                Box::new(binary(Operator::Power, number(3.0), number(4.0)))
            )
        );
        let mut names = Vec::new();
        parse("IF(m1 > 1 AND m2 < -2, SUM([m1, e2]), FILL(m3, REPEAT))")
            .unwrap()
            .names(&mut names);
        assert_eq!(names, ["m1", "m2", "m1", "e2", "m3", "REPEAT"]);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        for text in [
            "", " ", "m1 +", "(m1", "m1)", "[m1", "m1 m2", "SUM(m1,", "\"open", "1..2", "m1 % 2", "AND", "ä",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&"(".repeat(1000)).is_err());
        assert!(parse(&"-".repeat(1000)).is_err());
        assert!(parse(&format!("1{}", "+1".repeat(OPERATORS_MAX + 1))).is_err());
    }
}
