//! Selectors as people type them: labels (`app in (a,b),!legacy`) and fields (`spec.nodeName=n`).
//!
//! Owns both grammars, their matching and their canonical text; refuses to know what is selected.
//! Follows `k8s.io/apimachinery/pkg/labels` and `pkg/fields` of 1.36. Structured selectors are
//! checked in `validation/labels`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::validation::names::{is_qualified_name, is_valid_label_value};

/// Why a text is no selector, in the API server's words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SelectorError(String);

/// How a label's value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `key`: the label is there.
    Exists,
    /// `!key`: the label is not there.
    DoesNotExist,
    /// `key=value`.
    Equals,
    /// `key==value`.
    DoubleEquals,
    /// `key!=value`: also where the label is not there.
    NotEquals,
    /// `key in (a,b)`.
    In,
    /// `key notin (a,b)`: also where the label is not there.
    NotIn,
    /// `key>1`, both sides integers.
    GreaterThan,
    /// `key<1`, both sides integers.
    LessThan,
}

impl Operator {
    /// The operator of a requirement built piece by piece: `in`, `notin`, `=`, `gt`, `exists`, `!`.
    pub fn named(name: &str) -> Option<Operator> {
        Some(match name {
            "exists" => Operator::Exists,
            "!" => Operator::DoesNotExist,
            "=" => Operator::Equals,
            "==" => Operator::DoubleEquals,
            "!=" => Operator::NotEquals,
            "in" => Operator::In,
            "notin" => Operator::NotIn,
            "gt" => Operator::GreaterThan,
            "lt" => Operator::LessThan,
            _ => return None,
        })
    }

    fn sign(self) -> &'static str {
        match self {
            Operator::Exists | Operator::DoesNotExist => "",
            Operator::Equals => "=",
            Operator::DoubleEquals => "==",
            Operator::NotEquals => "!=",
            Operator::In => " in ",
            Operator::NotIn => " notin ",
            Operator::GreaterThan => ">",
            Operator::LessThan => "<",
        }
    }
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

impl Requirement {
    /// A condition whose parts fit together.
    ///
    /// # Errors
    /// The first thing wrong, as `path: Invalid value: ...`.
    pub fn new(
        key: &str,
        operator: Operator,
        values: Vec<String>,
    ) -> Result<Requirement, SelectorError> {
        let fault = |place: &str, value: &str, detail: &str| {
            Err(SelectorError(format!("{place}: Invalid value: {value}: {detail}")))
        };
        let complaints = is_qualified_name(key);
        if !complaints.is_empty() {
            return fault("key", &format!("{key:?}"), &complaints.join("; "));
        }
        let count = match operator {
            Operator::In | Operator::NotIn if values.is_empty() => {
                Some("for 'in', 'notin' operators, values set can't be empty")
            }
            Operator::Equals | Operator::DoubleEquals | Operator::NotEquals
                if values.len() != 1 =>
            {
                Some("exact-match compatibility requires one single value")
            }
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
                Some("values set must be empty for exists and does not exist")
            }
            Operator::GreaterThan | Operator::LessThan if values.len() != 1 => {
                Some("for 'Gt', 'Lt' operators, exactly one value is required")
            }
            _ => None,
        };
        if let Some(detail) = count {
            let shown: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
            return fault("values", &format!("[]string{{{}}}", shown.join(", ")), detail);
        }
        for (at, value) in values.iter().enumerate() {
            let compared = matches!(operator, Operator::GreaterThan | Operator::LessThan);
            if compared && value.parse::<i64>().is_err() {
                let detail = "for 'Gt', 'Lt' operators, the value must be an integer";
                return fault(&format!("values[{at}]"), &format!("{value:?}"), detail);
            }
            let complaints = is_valid_label_value(value);
            if !complaints.is_empty() {
                let place = format!("values[{at}][{key}]");
                return fault(&place, &format!("{value:?}"), &complaints.join("; "));
            }
        }
        Ok(Requirement { key: key.to_owned(), operator, values })
    }

    /// The label.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The comparison.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The values compared with.
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// Whether labels meet the condition.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        let listed = |value: &String| self.values.contains(value);
        let compared = |fits: fn(i64, i64) -> bool| {
            let bound = self.values.first().and_then(|bound| bound.parse::<i64>().ok());
            let number = value.and_then(|value| value.parse::<i64>().ok());
            number.zip(bound).is_some_and(|(number, bound)| fits(number, bound))
        };
        match self.operator {
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Equals | Operator::DoubleEquals | Operator::In => value.is_some_and(listed),
            Operator::NotEquals | Operator::NotIn => !value.is_some_and(listed),
            Operator::GreaterThan => compared(|number, bound| number > bound),
            Operator::LessThan => compared(|number, bound| number < bound),
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        values.sort_unstable();
        let values = values.join(",");
        let (key, sign) = (&self.key, self.operator.sign());
        match self.operator {
            Operator::DoesNotExist => write!(f, "!{key}"),
            Operator::In | Operator::NotIn => write!(f, "{key}{sign}({values})"),
            _ => write!(f, "{key}{sign}{values}"),
        }
    }
}

/// Conditions on labels, all of which must hold; none selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelQuery {
    requirements: Vec<Requirement>,
}

impl LabelQuery {
    /// A selector of the given conditions, in the order they stand in its text.
    pub fn of(requirements: Vec<Requirement>) -> LabelQuery {
        LabelQuery { requirements }
    }

    /// Reads a selector; its conditions are sorted by key.
    ///
    /// # Errors
    /// What was found where something else was expected, in the API server's words.
    pub fn parse(text: &str) -> Result<LabelQuery, SelectorError> {
        let mut parser = Parser { tokens: tokens(text), at: 0 };
        let mut requirements = parser.requirements()?;
        requirements.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(LabelQuery { requirements })
    }

    /// The conditions.
    pub fn requirements(&self) -> &[Requirement] {
        &self.requirements
    }

    /// Whether labels meet all conditions.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.requirements.iter().all(|requirement| requirement.matches(labels))
    }
}

impl fmt::Display for LabelQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self.requirements.iter().map(ToString::to_string).collect();
        f.write_str(&texts.join(","))
    }
}

/// A piece of a label selector's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// Signs that mean nothing.
    Error(String),
    /// The end of the text.
    End,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// `!`
    Not,
    /// `==`
    DoubleEquals,
    /// `=`
    Equals,
    /// `>`
    Greater,
    /// A key or a value.
    Word(String),
    /// `in`
    In,
    /// `<`
    Less,
    /// `!=`
    NotEquals,
    /// `notin`
    NotIn,
    /// `(`
    Open,
}

impl Token {
    fn sign(text: &str) -> Option<Token> {
        Some(match text {
            ")" => Token::Close,
            "," => Token::Comma,
            "!" => Token::Not,
            "==" => Token::DoubleEquals,
            "=" => Token::Equals,
            ">" => Token::Greater,
            "<" => Token::Less,
            "!=" => Token::NotEquals,
            "(" => Token::Open,
            _ => return None,
        })
    }

    fn text(&self) -> &str {
        match self {
            Token::Error(text) | Token::Word(text) => text,
            Token::End => "",
            Token::Close => ")",
            Token::Comma => ",",
            Token::Not => "!",
            Token::DoubleEquals => "==",
            Token::Equals => "=",
            Token::Greater => ">",
            Token::In => "in",
            Token::Less => "<",
            Token::NotEquals => "!=",
            Token::NotIn => "notin",
            Token::Open => "(",
        }
    }

    /// As a key or a value: there `in` and `notin` are ordinary words.
    fn word(&self) -> Option<&str> {
        match self {
            Token::Word(_) | Token::In | Token::NotIn => Some(self.text()),
            _ => None,
        }
    }
}

fn is_special(c: char) -> bool {
    matches!(c, '=' | '!' | '(' | ')' | ',' | '>' | '<')
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

/// The pieces of a label selector's text, its end included.
pub fn tokens(text: &str) -> Vec<Token> {
    // A zero byte ends the text, as it does in Kubernetes' own reader.
    let mut rest = text.split('\0').next().unwrap_or("");
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches(is_blank);
        let Some(first) = rest.chars().next() else { break };
        let length = if is_special(first) {
            // The longest sign that means something; failing that, all signs in a row.
            let run = rest.find(|c| !is_special(c)).unwrap_or(rest.len());
            (1..=run.min(2)).rev().find(|n| Token::sign(&rest[..*n]).is_some()).unwrap_or(run)
        } else {
            rest.find(|c| is_special(c) || is_blank(c)).unwrap_or(rest.len())
        };
        let (piece, tail) = rest.split_at(length);
        found.push(match piece {
            "in" => Token::In,
            "notin" => Token::NotIn,
            _ if is_special(first) => Token::sign(piece).unwrap_or_else(|| {
                Token::Error(format!("error expected: keyword found '{piece}'"))
            }),
            _ => Token::Word(piece.to_owned()),
        });
        rest = tail;
    }
    found.push(Token::End);
    found
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).unwrap_or(&Token::End)
    }

    fn take(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn starts_requirement(&self) -> bool {
        *self.peek() == Token::Not || self.peek().word().is_some()
    }

    fn requirements(&mut self) -> Result<Vec<Requirement>, SelectorError> {
        let mut found = Vec::new();
        if *self.peek() == Token::End {
            return Ok(found);
        }
        if !self.starts_requirement() {
            return Err(expected(self.peek(), ", expected: !, identifier, or 'end of string'"));
        }
        loop {
            let parsed = self.requirement();
            found.push(
                parsed.map_err(|error| {
                    SelectorError(format!("unable to parse requirement: {error}"))
                })?,
            );
            match self.take() {
                Token::End => return Ok(found),
                Token::Comma if self.starts_requirement() => {}
                Token::Comma => {
                    return Err(expected(self.peek(), ", expected: identifier after ','"));
                }
                other => return Err(expected(&other, ", expected: ',' or 'end of string'")),
            }
        }
    }

    fn requirement(&mut self) -> Result<Requirement, SelectorError> {
        let mut token = self.take();
        let negated = token == Token::Not;
        if negated {
            token = self.take();
        }
        let Some(key) = token.word() else {
            return Err(expected(&token, ", expected: identifier"));
        };
        let complaints = is_qualified_name(key);
        if !complaints.is_empty() {
            let detail = complaints.join("; ");
            return Err(SelectorError(format!("<nil>: Invalid value: {key:?}: {detail}")));
        }
        if negated {
            return Requirement::new(key, Operator::DoesNotExist, Vec::new());
        }
        if matches!(self.peek(), Token::End | Token::Comma) {
            return Requirement::new(key, Operator::Exists, Vec::new());
        }
        let operator = match self.take() {
            Token::In => Operator::In,
            Token::NotIn => Operator::NotIn,
            Token::Equals => Operator::Equals,
            Token::DoubleEquals => Operator::DoubleEquals,
            Token::NotEquals => Operator::NotEquals,
            Token::Greater => Operator::GreaterThan,
            Token::Less => Operator::LessThan,
            other => return Err(expected(&other, ", expected: in, notin, =, ==, !=, gt, lt")),
        };
        let values = match operator {
            Operator::In | Operator::NotIn => self.list()?,
            _ => vec![self.value()?],
        };
        Requirement::new(key, operator, values)
    }

    fn value(&mut self) -> Result<String, SelectorError> {
        if matches!(self.peek(), Token::End | Token::Comma) {
            return Ok(String::new());
        }
        let token = self.take();
        token.word().map(str::to_owned).ok_or_else(|| expected(&token, ", expected: identifier"))
    }

    /// `(a,b)`; an empty place is the empty value, and equal values are one.
    fn list(&mut self) -> Result<Vec<String>, SelectorError> {
        let open = self.take();
        if open != Token::Open {
            return Err(expected(&open, " expected: '('"));
        }
        let starts = matches!(self.peek(), Token::Comma | Token::Close);
        if !starts && self.peek().word().is_none() {
            return Err(expected(self.peek(), ", expected: ',', ')' or identifier"));
        }
        let mut values = BTreeSet::new();
        loop {
            let place = self.peek().clone();
            if let Some(word) = place.word() {
                values.insert(word.to_owned());
                self.at += 1;
            } else if matches!(place, Token::Comma | Token::Close) {
                values.insert(String::new());
            } else {
                return Err(expected(&place, ", expected: ',', or identifier"));
            }
            match self.take() {
                Token::Close => return Ok(values.into_iter().collect()),
                Token::Comma => {}
                other => return Err(expected(&other, ", expected: ',' or ')'")),
            }
        }
    }
}

fn expected(found: &Token, what: &str) -> SelectorError {
    SelectorError(format!("found '{}'{what}", found.text()))
}

/// Conditions on fields, all of which must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldQuery {
    terms: Vec<FieldTerm>,
}

/// One condition on one field.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldTerm {
    /// The field, as `spec.nodeName`.
    pub field: String,
    /// Whether the field must have the value or must not.
    pub wanted: Wanted,
    /// The value.
    pub value: String,
}

/// Which way a field condition goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// `=` or `==`.
    Equal,
    /// `!=`.
    Different,
}

impl FieldQuery {
    /// Reads a field selector.
    ///
    /// # Errors
    /// In the API server's words.
    pub fn parse(text: &str) -> Result<FieldQuery, SelectorError> {
        let mut parts = split_terms(text);
        parts.sort_unstable();
        let mut terms = Vec::new();
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            let Some((field, operator, value)) = split_term(part) else {
                let message = format!("invalid selector: '{text}'; can't understand '{part}'");
                return Err(SelectorError(message));
            };
            let wanted = if operator == "!=" { Wanted::Different } else { Wanted::Equal };
            let value = unescape(value)?;
            terms.push(FieldTerm { field: field.to_owned(), wanted, value });
        }
        Ok(FieldQuery { terms })
    }

    /// The conditions.
    pub fn terms(&self) -> &[FieldTerm] {
        &self.terms
    }

    /// Whether fields meet all conditions; a field that is not there reads as empty.
    pub fn matches<'a>(&self, field: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.terms.iter().all(|term| {
            let equal = field(&term.field).unwrap_or("") == term.value;
            equal == (term.wanted == Wanted::Equal)
        })
    }
}

/// The parts between commas that no backslash precedes.
pub fn split_terms(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    if text.is_empty() {
        return parts;
    }
    let (mut start, mut escaped) = (0, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// Field, operator and value of a term, split at its first operator.
pub fn split_term(term: &str) -> Option<(&str, &str, &str)> {
    term.char_indices().find_map(|(at, _)| {
        let (field, rest) = term.split_at(at);
        ["!=", "==", "="]
            .into_iter()
            .find_map(|operator| Some((field, operator, rest.strip_prefix(operator)?)))
    })
}

fn unescape(value: &str) -> Result<String, SelectorError> {
    let fault = |noun: &str, text: String| {
        Err(SelectorError(format!("invalid field selector: {noun}: {text}")))
    };
    let mut plain = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(next @ ('\\' | ',' | '=')) => plain.push(next),
                Some(next) => return fault("invalid escape sequence", format!("\\{next}")),
                None => return fault("invalid escape sequence", "\\".to_owned()),
            },
            ',' | '=' => return fault("unescaped character in value", c.to_string()),
            other => plain.push(other),
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_come_back_in_canonical_form() {
        let canonical = |text| LabelQuery::parse(text).map(|query| query.to_string());
        assert_eq!(canonical("z , x in ( b,a ),!y").as_deref(), Ok("x in (a,b),!y,z"));
        assert_eq!(canonical("in in (in)").as_deref(), Ok("in in (in)"));
        let error = canonical("x=a||y").expect_err("no selector").to_string();
        assert!(error.starts_with("unable to parse requirement: values[0][x]: Invalid value"));
    }

    #[test]
    fn fields_are_compared_with_absent_ones_empty() {
        let query = FieldQuery::parse("spec.nodeName=,status.phase!=Failed").expect("a selector");
        assert!(query.matches(|field| (field == "status.phase").then_some("Running")));
        assert!(!query.matches(|_| Some("Failed")));
    }
}
