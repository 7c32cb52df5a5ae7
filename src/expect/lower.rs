//! Types of a condition, and its looks at the cluster taken out of it.
//!
//! CEL itself knows no types before it runs. Here every part of a condition is given one, slips are
//! told with their place, and each look (`deployment('web').available`) is replaced by the number of a
//! reading, so that evaluating a condition asks for nothing but ready values.

use cel::IdedExpr;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, SelectExpr, SourceInfo,
};

use super::compile::{Mention, Problem};
use super::standard;
use super::vocabulary::{Field, Noun, Reading, Subject, Type};
use crate::api::kinds::nearest;
use crate::api::selector_text::LabelQuery;
use crate::api::validation::names::is_dns1123_subdomain;
use crate::time::SimDuration;

/// Longest span a function of a Service may look back over, in seconds.
const SPAN_SECONDS_MAX: u64 = 3600;

/// Reads one condition.
pub(super) struct Lowering<'a> {
    text: Vec<char>,
    source: &'a SourceInfo,
    readings: &'a mut Vec<Reading>,
    problems: Vec<Problem>,
    uses: Vec<usize>,
    mentions: Vec<Mention>,
    /// Variables of `all`, `exists` and the like, innermost last.
    scope: Vec<(String, Type)>,
}

impl<'a> Lowering<'a> {
    pub(super) fn new(
        text: &str,
        source: &'a SourceInfo,
        readings: &'a mut Vec<Reading>,
    ) -> Lowering<'a> {
        Lowering {
            text: text.chars().collect(),
            source,
            readings,
            problems: Vec::new(),
            uses: Vec::new(),
            mentions: Vec::new(),
            scope: Vec::new(),
        }
    }

    /// Reads the whole of it.
    pub(super) fn condition(&mut self, expr: &mut IdedExpr) {
        match self.expr(expr) {
            Type::Bool | Type::Any => {}
            other => {
                let message = format!("a condition is true or false, this is {other}");
                self.tell(0, message, Some("compare it, as in .. == 3".to_owned()));
            }
        }
    }

    pub(super) fn finish(mut self) -> (Vec<Problem>, Vec<usize>, Vec<Mention>) {
        self.problems.sort_by_key(|problem| problem.at);
        (self.problems, self.uses, self.mentions)
    }

    pub(super) fn tell(&mut self, at: usize, message: impl Into<String>, hint: Option<String>) {
        self.problems.push(Problem { at, message: message.into(), hint });
    }

    /// The character an expression's mark stands at; the parser counts bytes.
    fn offset(&self, id: u64) -> usize {
        let bytes = self.source.offset_for(id).map_or(0, |(start, _)| start as usize);
        self.source.source.char_indices().take_while(|(at, _)| *at < bytes).count()
    }

    /// Where the name stands whose parenthesis is the place of `id`.
    fn name_at(&self, id: u64, name: &str) -> usize {
        let end = self.offset(id).min(self.text.len());
        let letters: Vec<char> = name.chars().collect();
        (0..=end.saturating_sub(letters.len()))
            .rev()
            .find(|&at| self.text[at..].starts_with(&letters))
            .unwrap_or(end)
    }

    /// Where the field stands whose dot is the place of `id`.
    fn field_at(&self, id: u64) -> usize {
        let dot = self.offset(id);
        let rest = self.text.iter().skip(dot + 1);
        dot + 1 + rest.take_while(|c| c.is_whitespace()).count()
    }

    /// Where an expression begins.
    pub(super) fn begin(&self, expr: &IdedExpr) -> usize {
        match &expr.expr {
            Expr::Select(select) if !select.test => self.begin(&select.operand),
            Expr::Call(CallExpr { target: Some(target), .. }) => self.begin(target),
            Expr::Call(call) if call.args.len() >= 2 && call.func_name.starts_with(['_', '@']) => {
                self.begin(&call.args[0])
            }
            Expr::Call(call) if !call.func_name.contains(['_', '!', '-', '@']) => {
                self.name_at(expr.id, &call.func_name)
            }
            _ => self.offset(expr.id),
        }
    }

    /// The type of an expression; looks in it are replaced.
    pub(super) fn expr(&mut self, expr: &mut IdedExpr) -> Type {
        if let Some(found) = self.look(expr) {
            return found;
        }
        let id = expr.id;
        match &mut expr.expr {
            Expr::Literal(literal) => literal_type(literal),
            Expr::Ident(name) => self.variable(id, name),
            Expr::Select(select) => self.select(id, select),
            Expr::Call(call) => self.call(id, call),
            Expr::List(list) => {
                let types = list.elements.iter_mut().map(|it| self.expr(it)).collect();
                Type::list(common(types))
            }
            Expr::Map(map) => {
                let (mut keys, mut values) = (Vec::new(), Vec::new());
                for entry in &mut map.entries {
                    if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                        keys.push(self.expr(&mut entry.key));
                        values.push(self.expr(&mut entry.value));
                    }
                }
                Type::Map(Box::new(common(keys)), Box::new(common(values)))
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
            Expr::Struct(named) => {
                let message = format!("there is no type {:?} here", named.type_name);
                self.tell(self.offset(id), message, None);
                Type::Any
            }
            Expr::Unspecified => Type::Any,
        }
    }

    fn variable(&mut self, id: u64, name: &str) -> Type {
        if let Some((_, found)) = self.scope.iter().rev().find(|(known, _)| known == name) {
            return found.clone();
        }
        let at = self.offset(id);
        if name == Noun::Cluster.word() || Noun::called(name).is_some() {
            self.tell_bare(at, Noun::called(name).unwrap_or(Noun::Cluster));
            return Type::Any;
        }
        let variables: Vec<String> = self.scope.iter().map(|(name, _)| name.clone()).collect();
        let variables = variables.iter().map(String::as_str).filter(|it| !it.starts_with('@'));
        let mut known: Vec<&str> = variables.collect();
        words().for_each(|word| known.push(word));
        let hint = nearest(name, &known).map(|name| format!("did you mean {name:?}?"));
        self.tell(at, format!("unknown name {name:?}"), hint);
        Type::Any
    }

    /// Something is named, and nothing asked of it.
    fn tell_bare(&mut self, at: usize, noun: Noun) {
        let how = match noun {
            Noun::Cluster => "cluster".to_owned(),
            Noun::Pods => "pods('app=web')".to_owned(),
            Noun::Node => "node('a')".to_owned(),
            Noun::NodeGroup => "nodegroup('a')".to_owned(),
            noun => format!("{}('namespace/name')", noun.word()),
        };
        let message = format!("{how} is no value by itself: ask for one of its fields");
        self.tell(at, message, Some(noun.all_names()));
    }

    fn select(&mut self, id: u64, select: &mut SelectExpr) -> Type {
        if select.test {
            let at = self.name_at(id, "has");
            if let Some(found) = self.subject(&select.operand) {
                if found.is_ok() {
                    self.tell(at, "has() is for maps", Some("ask for .exists".to_owned()));
                }
                return Type::Bool;
            }
        }
        match self.expr(&mut select.operand) {
            Type::Any => Type::Any,
            Type::Map(_, value) if !select.test => *value,
            Type::Map(..) => Type::Bool,
            other => {
                let at = self.field_at(id);
                self.tell(at, format!("{other} has no field {:?}", select.field), None);
                Type::Any
            }
        }
    }

    fn call(&mut self, id: u64, call: &mut CallExpr) -> Type {
        let at = if call.func_name.starts_with(|c: char| c.is_alphabetic()) {
            self.name_at(id, &call.func_name)
        } else {
            self.offset(id)
        };
        // Looks in them are replaced: where they begin is known before.
        let args: Vec<usize> = call.args.iter().map(|it| self.begin(it)).collect();
        let target = call.target.as_mut().map(|target| self.expr(target));
        let types: Vec<Type> = call.args.iter_mut().map(|argument| self.expr(argument)).collect();
        if standard::is_known(&call.func_name) {
            return standard::result(self, at, &call.func_name, target, &types, &args);
        }
        let name = &call.func_name;
        let known: Vec<&str> = match target {
            Some(_) => standard::MEMBERS.to_vec(),
            None => words().collect(),
        };
        let hint = nearest(name, &known).map(|name| format!("did you mean {name:?}?"));
        self.tell(at, format!("unknown function {name:?}"), hint);
        Type::Any
    }

    fn comprehension(&mut self, it: &mut ComprehensionExpr) -> Type {
        let at = self.begin(&it.iter_range);
        let over = match self.expr(&mut it.iter_range) {
            Type::List(item) => *item,
            Type::Map(key, _) => *key,
            Type::Any => Type::Any,
            other => {
                self.tell(at, format!("this needs a list, not {other}"), None);
                Type::Any
            }
        };
        let depth = self.scope.len();
        let first = self.expr(&mut it.accu_init);
        // A list is gathered from nothing: of what is known when it is.
        let gathered = match first {
            Type::List(_) => Type::list(Type::Any),
            other => other,
        };
        self.scope.push((it.iter_var.clone(), over));
        self.scope.push((it.accu_var.clone(), gathered));
        self.expr(&mut it.loop_cond);
        let step = self.expr(&mut it.loop_step);
        let last = self.scope.len() - 1;
        self.scope[last].1 = step;
        let result = self.expr(&mut it.result);
        self.scope.truncate(depth);
        result
    }

    // --- looks -------------------------------------------------------------------------------

    /// If this is a look at the cluster: its type, and it is replaced by a reading.
    fn look(&mut self, expr: &mut IdedExpr) -> Option<Type> {
        let id = expr.id;
        let (subject, field, kind, span) = match &expr.expr {
            Expr::Select(select) if !select.test => {
                let found = self.subject(&select.operand)?;
                let Ok((noun, subject)) = found else { return Some(Type::Any) };
                let name = &select.field;
                let Some(&(_, field, kind)) = noun.fields().iter().find(|it| it.0 == *name) else {
                    self.unknown_field(self.field_at(id), noun, name);
                    return Some(Type::Any);
                };
                (subject, field, kind, None)
            }
            Expr::Call(CallExpr { func_name, target: Some(target), args }) => {
                let found = self.subject(target)?;
                let Ok((noun, subject)) = found else { return Some(Type::Any) };
                let at = self.name_at(id, func_name);
                let known = noun.functions().iter().find(|it| it.0 == func_name);
                let Some(&(_, field, kind)) = known else {
                    self.unknown_field(at, noun, func_name);
                    return Some(Type::Any);
                };
                let Ok(span) = self.span(at, func_name, field, args) else {
                    return Some(Type::Any);
                };
                (subject, field, kind, span)
            }
            Expr::Call(call) if call.target.is_none() && call.func_name == Noun::Cluster.word() => {
                let hint = Some("write cluster.pods".to_owned());
                let message = "\"cluster\" is no function: write it without parentheses".to_owned();
                self.tell(self.name_at(id, "cluster"), message, hint);
                return Some(Type::Any);
            }
            Expr::Call(call) if call.target.is_none() => {
                let noun = Noun::called(&call.func_name)?;
                if self.subject(expr)?.is_ok() {
                    self.tell_bare(self.name_at(id, noun.word()), noun);
                }
                return Some(Type::Any);
            }
            _ => return None,
        };
        let begin = self.begin(expr);
        let text = self.written(begin, expr);
        let number = self.reading(Reading { subject, field, span, text: text.into() });
        expr.expr = Expr::Ident(number.to_string());
        Some(kind.of_value())
    }

    fn unknown_field(&mut self, at: usize, noun: Noun, name: &str) {
        let is_function = noun.functions().iter().any(|it| it.0 == name);
        let is_field = noun.fields().iter().any(|it| it.0 == name);
        let message = match (is_function, is_field) {
            (true, _) => format!("{name:?} is a function: {name}('1m')"),
            (_, true) => format!("{name:?} is no function: write it without parentheses"),
            _ => format!("{} has no field {name:?}", noun.word()),
        };
        let hint = match noun.nearest_name(name) {
            _ if is_function || is_field => None,
            Some(nearest) => Some(format!("did you mean {nearest:?}?")),
            None => Some(format!("it has {}", noun.all_names())),
        };
        self.tell(at, message, hint);
    }

    /// What a look says, from its first letter to its end.
    fn written(&self, begin: usize, expr: &IdedExpr) -> String {
        let end = match &expr.expr {
            Expr::Select(select) => self.field_at(expr.id) + select.field.chars().count(),
            _ => {
                let open = self.offset(expr.id);
                open + self.to_close(open)
            }
        };
        self.text[begin.min(end)..end.min(self.text.len())].iter().collect()
    }

    /// Characters from an opening parenthesis to behind the one that closes it; texts in between hold none
    /// that would mislead, for arguments are names and spans.
    fn to_close(&self, open: usize) -> usize {
        let mut quote = None;
        for (at, &c) in self.text.iter().enumerate().skip(open) {
            match (quote, c) {
                (None, '\'' | '"') => quote = Some(c),
                (Some(held), c) if held == c => quote = None,
                (None, ')') => return at + 1 - open,
                _ => {}
            }
        }
        self.text.len().saturating_sub(open)
    }

    fn reading(&mut self, reading: Reading) -> usize {
        let same = |it: &Reading| {
            it.subject == reading.subject && it.field == reading.field && it.span == reading.span
        };
        let number = self.readings.iter().position(same).unwrap_or_else(|| {
            self.readings.push(reading);
            self.readings.len() - 1
        });
        if !self.uses.contains(&number) {
            self.uses.push(number);
        }
        number
    }

    /// What `expr` names; nothing if it names nothing of ours.
    fn subject(&mut self, expr: &IdedExpr) -> Option<Result<(Noun, Subject), ()>> {
        match &expr.expr {
            Expr::Ident(name) => {
                let is_hidden = self.scope.iter().any(|(known, _)| known == name);
                (name == Noun::Cluster.word() && !is_hidden)
                    .then_some(Ok((Noun::Cluster, Subject::Cluster)))
            }
            Expr::Call(call) if call.target.is_none() => {
                let noun = Noun::called(&call.func_name)?;
                let at = self.name_at(expr.id, &call.func_name);
                let found = self.named(noun, at, call);
                if let Ok(subject) = &found {
                    let at = call.args.first().map_or(at, |argument| self.offset(argument.id));
                    self.mentions.push(Mention { at, subject: subject.clone() });
                }
                Some(found.map(|subject| (noun, subject)))
            }
            _ => None,
        }
    }

    fn named(&mut self, noun: Noun, at: usize, call: &CallExpr) -> Result<Subject, ()> {
        let most = if noun == Noun::Pods { 2 } else { 1 };
        if call.args.is_empty() || call.args.len() > most {
            let wanted = match noun {
                Noun::Pods => "a selector, or a namespace and a selector",
                Noun::Node => "a node's name",
                Noun::NodeGroup => "a node group's name",
                _ => "a name, as in 'namespace/name'",
            };
            self.tell(at, format!("{} needs {wanted}", noun.word()), None);
            return Err(());
        }
        let mut texts = Vec::new();
        for argument in &call.args {
            let Expr::Literal(LiteralValue::String(text)) = &argument.expr else {
                let message = format!("{} needs a text that is written out here", noun.word());
                self.tell(self.begin(argument), message, None);
                return Err(());
            };
            texts.push((self.offset(argument.id), text.inner().to_owned()));
        }
        match (noun, &texts[..]) {
            (Noun::Pods, [.., (at, selector)]) => {
                let namespace = (texts.len() == 2).then(|| texts[0].clone());
                if let Some((at, namespace)) = &namespace {
                    self.valid_name(*at, namespace)?;
                }
                let query = LabelQuery::parse(selector).map_err(|error| {
                    self.tell(*at, format!("{selector:?} is no selector: {error}"), None);
                })?;
                Ok(Subject::Pods { namespace: namespace.map(|(_, it)| it.into()), query })
            }
            (_, [(at, text), ..]) => {
                let (namespace, name) = match (noun, text.split_once('/')) {
                    (Noun::Node | Noun::NodeGroup, _) => ("", text.as_str()),
                    (_, Some((namespace, name))) => (namespace, name),
                    (_, None) => ("default", text.as_str()),
                };
                if !matches!(noun, Noun::Node | Noun::NodeGroup) {
                    self.valid_name(*at, namespace)?;
                }
                self.valid_name(*at, name)?;
                Ok(Subject::Object { noun, namespace: namespace.into(), name: name.into() })
            }
            (_, []) => Err(()),
        }
    }

    fn valid_name(&mut self, at: usize, name: &str) -> Result<(), ()> {
        match is_dns1123_subdomain(name).first() {
            None => Ok(()),
            Some(problem) => {
                self.tell(at, format!("{name:?} is no name: {problem}"), None);
                Err(())
            }
        }
    }

    /// The span a function of a Service looks back over.
    fn span(
        &mut self,
        at: usize,
        name: &str,
        field: Field,
        args: &[IdedExpr],
    ) -> Result<Option<SimDuration>, ()> {
        let argument = match args {
            [] if field == Field::Rate => {
                self.tell(at, "rate needs a span, as in rate('10s')", None);
                return Err(());
            }
            [] => return Ok(None),
            [one] => one,
            [_, more, ..] => {
                let at = self.begin(more);
                self.tell(at, format!("{name} takes one span, as in {name}('1m')"), None);
                return Err(());
            }
        };
        let at = self.begin(argument);
        let Expr::Literal(LiteralValue::String(text)) = &argument.expr else {
            let message = format!("{name} needs a span that is written out, as in {name}('1m')");
            self.tell(at, message, None);
            return Err(());
        };
        let span = SimDuration::parse(text.inner())
            .map_err(|error| self.tell(at, error.to_string(), None))?;
        let seconds = span.as_secs();
        if seconds == 0 || SimDuration::from_secs(seconds) != span || seconds > SPAN_SECONDS_MAX {
            self.tell(at, "a span is a number of whole seconds from 1s to 1h", None);
            return Err(());
        }
        Ok(Some(span))
    }
}

/// Words that may stand at the beginning of something.
fn words() -> impl Iterator<Item = &'static str> {
    let nouns = Noun::CALLED.into_iter().map(Noun::word);
    nouns.chain(["cluster"]).chain(standard::FUNCTIONS.iter().copied())
}

fn literal_type(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(_) => Type::Bytes,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Null => Type::Null,
        LiteralValue::String(_) => Type::Text,
        LiteralValue::UInt(_) => Type::UInt,
    }
}

/// The type all share.
fn common(types: Vec<Type>) -> Type {
    let mut types = types.into_iter();
    let Some(first) = types.next() else { return Type::Any };
    if types.all(|it| it == first) { first } else { Type::Any }
}
