//! CEL's own operators and functions: what they take, what they give.

use super::lower::Lowering;
use super::vocabulary::Type;

/// Functions called by name.
pub(super) const FUNCTIONS: [&str; 9] =
    ["size", "int", "uint", "double", "string", "bool", "dyn", "type", "has"];
/// Functions called on a value.
pub(super) const MEMBERS: [&str; 9] =
    ["size", "contains", "startsWith", "endsWith", "all", "exists", "exists_one", "map", "filter"];

/// Operators as the parser names them, and as people write them.
const OPERATORS: [(&str, &str); 17] = [
    ("_?_:_", "?:"),
    ("_&&_", "&&"),
    ("_||_", "||"),
    ("!_", "!"),
    ("_-_", "-"),
    ("_+_", "+"),
    ("_*_", "*"),
    ("_/_", "/"),
    ("_%_", "%"),
    ("_==_", "=="),
    ("_!=_", "!="),
    ("_>=_", ">="),
    ("_<=_", "<="),
    ("_>_", ">"),
    ("_<_", "<"),
    ("-_", "-"),
    ("_[_]", "[]"),
];

pub(super) fn is_known(name: &str) -> bool {
    OPERATORS.iter().any(|(known, _)| *known == name)
        || ["@in", "@not_strictly_false", "contains", "startsWith", "endsWith"].contains(&name)
        || (FUNCTIONS.contains(&name) && !["type", "has"].contains(&name))
}

/// The type of a call of `name` at `at`; `args` tell where the arguments begin.
pub(super) fn result(
    lowering: &mut Lowering<'_>,
    at: usize,
    name: &str,
    target: Option<Type>,
    types: &[Type],
    args: &[usize],
) -> Type {
    let sign = OPERATORS.iter().find(|(known, _)| *known == name).map_or(name, |(_, sign)| sign);
    match (name, target, types) {
        ("_&&_" | "_||_", None, [_, _]) | ("!_", None, [_]) => {
            for (given, &at) in types.iter().zip(args) {
                want(lowering, at, sign, given, &[Type::Bool]);
            }
            Type::Bool
        }
        ("_?_:_", None, [condition, yes, no]) => {
            want(lowering, args[0], sign, condition, &[Type::Bool]);
            if yes == no { yes.clone() } else { Type::Any }
        }
        ("_==_" | "_!=_" | "_<_" | "_<=_" | "_>_" | "_>=_", None, [left, right]) => {
            let is_order = !matches!(sign, "==" | "!=");
            compare(lowering, at, left, right, is_order);
            Type::Bool
        }
        ("_+_" | "_-_" | "_*_" | "_/_" | "_%_", None, [left, right]) => {
            arithmetic(lowering, at, sign, left, right)
        }
        ("-_", None, [given]) => {
            want(lowering, args[0], sign, given, &[Type::Int, Type::Double]);
            given.clone()
        }
        ("@in", None, [item, list]) => {
            match list {
                Type::List(of) | Type::Map(of, _) => compare(lowering, at, item, of, false),
                Type::Any => {}
                other => lowering.tell(args[1], format!("in needs a list, not {other}"), None),
            }
            Type::Bool
        }
        ("_[_]", None, [list, _]) => match list {
            Type::List(of) | Type::Map(_, of) => (**of).clone(),
            Type::Any => Type::Any,
            other => {
                lowering.tell(args[0], format!("{other} has no items"), None);
                Type::Any
            }
        },
        ("@not_strictly_false", None, [_]) => Type::Bool,
        ("size", Some(given), []) => size(lowering, at, &given),
        ("size", None, [given]) => size(lowering, args[0], given),
        ("contains" | "startsWith" | "endsWith", Some(text), [part]) => {
            want(lowering, at, name, &text, &[Type::Text]);
            want(lowering, args[0], name, part, &[Type::Text]);
            Type::Bool
        }
        ("int", None, [_]) => Type::Int,
        ("uint", None, [_]) => Type::UInt,
        ("double", None, [_]) => Type::Double,
        ("string", None, [_]) => Type::Text,
        ("bool", None, [_]) => Type::Bool,
        ("dyn", None, [_]) => Type::Any,
        (_, target, types) => {
            let called = if target.is_some() { " on a value" } else { "" };
            let message = format!("{name} cannot be called{called} with {} arguments", types.len());
            lowering.tell(at, message, None);
            Type::Any
        }
    }
}

fn want(lowering: &mut Lowering<'_>, at: usize, sign: &str, given: &Type, wanted: &[Type]) {
    if *given == Type::Any || wanted.contains(given) {
        return;
    }
    let names: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let message = format!("{sign} needs {}, this is {given}", names.join(" or "));
    lowering.tell(at, message, None);
}

fn size(lowering: &mut Lowering<'_>, at: usize, given: &Type) -> Type {
    if !matches!(given, Type::List(_) | Type::Map(..) | Type::Text | Type::Bytes | Type::Any) {
        lowering.tell(at, format!("size needs a list or a text, this is {given}"), None);
    }
    Type::Int
}

fn compare(lowering: &mut Lowering<'_>, at: usize, left: &Type, right: &Type, is_order: bool) {
    let is_any = *left == Type::Any || *right == Type::Any;
    let fits = match (left, right) {
        _ if is_any => true,
        (left, right) if left.is_number() && right.is_number() => true,
        (Type::List(left), Type::List(right)) if !is_order => {
            return compare(lowering, at, left, right, false);
        }
        (Type::Bool | Type::Text | Type::Bytes, _) => left == right,
        _ => !is_order && left == right,
    };
    if !fits {
        let message = format!("{left} cannot be compared with {right}");
        lowering.tell(at, message, None);
    }
}

fn arithmetic(
    lowering: &mut Lowering<'_>,
    at: usize,
    sign: &str,
    left: &Type,
    right: &Type,
) -> Type {
    if *left == Type::Any || *right == Type::Any {
        return if *left == Type::Any { right.clone() } else { left.clone() };
    }
    if left.is_number() && right.is_number() {
        if left != right {
            let message = format!("{sign} cannot mix {left} and {right}");
            lowering.tell(at, message, Some("write 2.0, or double(..)".to_owned()));
        } else if sign == "%" && *left == Type::Double {
            lowering.tell(at, "% needs whole numbers", None);
        }
        return left.clone();
    }
    match (sign, left, right) {
        ("+", Type::Text, Type::Text) | ("+", Type::Bytes, Type::Bytes) => left.clone(),
        ("+", Type::List(a), Type::List(b)) => {
            // A gathered list is of what is put into it.
            if **a == Type::Any { Type::List(b.clone()) } else { left.clone() }
        }
        _ => {
            let message = format!("{sign} does not go between {left} and {right}");
            lowering.tell(at, message, None);
            Type::Any
        }
    }
}
