//! Serde over a [`Node`]: typed objects out of a tree, with the path of whatever does not fit.
//!
//! Unlike a reader of text it knows the path at every moment, so an error names the field in the API
//! server's form, and a field that the type does not know is noticed when serde skips it. Null is the
//! type's zero value, as in Go's decoder; a quantity may be written as a number.

use std::cell::RefCell;
use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error, Expected, IntoDeserializer,
    MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};

use crate::api::tree::{Entry, Node, Value, scalar_text};
use crate::api::validation::field::Path;

/// A field that the type does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownField {
    /// Its path.
    pub path: String,
    /// The field the writer probably meant.
    pub nearest: Option<&'static str>,
}

/// A value that does not fit its field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The field's path; empty for the whole object.
    pub path: String,
    /// What was expected and what was found.
    pub message: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Misfit {}

impl Error for Misfit {
    fn custom<T: fmt::Display>(message: T) -> Misfit {
        Misfit { path: String::new(), message: message.to_string() }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Misfit {
        Misfit::custom(format_args!("expected {}, found {found}", plain_words(expected)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Misfit {
        Misfit::custom(format_args!("expected {}, found {found}", plain_words(expected)))
    }
}

fn plain_words(expected: &dyn Expected) -> String {
    match expected.to_string().as_str() {
        "IntOrString" => "an integer or a string".to_owned(),
        words => words.to_owned(),
    }
}

impl Misfit {
    fn at(mut self, path: &Path<'_>) -> Misfit {
        if self.path.is_empty() {
            self.path = path.to_string();
        }
        self
    }
}

/// Reads `node` as a `T`; the fields `T` does not have are added to `unknown`.
///
/// # Errors
/// The first value that does not fit.
pub fn read<T: DeserializeOwned>(
    node: &Node<'_>,
    unknown: &mut Vec<UnknownField>,
) -> Result<T, Misfit> {
    let log = RefCell::new(std::mem::take(unknown));
    let result = T::deserialize(Reader { node, path: &Path::ROOT, log: &log });
    *unknown = log.into_inner();
    result
}

#[derive(Clone, Copy)]
struct Reader<'n, 'a> {
    node: &'n Node<'a>,
    path: &'n Path<'n>,
    log: &'n RefCell<Vec<UnknownField>>,
}

impl Reader<'_, '_> {
    fn misfit(&self, expected: &str) -> Misfit {
        let found = match &self.node.value {
            Value::Null => "null".to_owned(),
            Value::Bool(flag) => format!("the boolean {flag}"),
            Value::Text(text) if text.len() > 80 => "a long text".to_owned(),
            Value::Text(text) => format!("{text:?}"),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "an object".to_owned(),
            number => format!("the number {}", scalar_text(number).unwrap_or_default()),
        };
        Misfit {
            path: self.path.to_string(),
            message: format!("expected {expected}, found {found}"),
        }
    }

    /// The whole number, if the value is one; Go prints 3.0 as 3, so it counts.
    fn whole(&self) -> Option<i128> {
        match self.node.value {
            Value::Null => Some(0),
            Value::Int(number) => Some(number.into()),
            Value::Big(number) => Some(number.into()),
            Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e21 => {
                // Exact: a whole f64 below 2^127 is an i128.
                Some(number as i128)
            }
            _ => None,
        }
    }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $int:ty, $words:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
            let Some(number) = self.whole() else { return Err(self.misfit("an integer")) };
            match <$int>::try_from(number) {
                Ok(number) => visitor.$visit(number).map_err(|e: Misfit| e.at(self.path)),
                Err(_) => Err(self.misfit($words)),
            }
        }
    )*};
}

impl<'de, 'n, 'a> Deserializer<'de> for Reader<'n, 'a> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let result = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(flag) => visitor.visit_bool(*flag),
            Value::Int(number) => visitor.visit_i64(*number),
            Value::Big(number) => visitor.visit_u64(*number),
            Value::Float(number) => {
                match self.whole().and_then(|whole| i64::try_from(whole).ok()) {
                    Some(whole) => visitor.visit_i64(whole),
                    None => visitor.visit_f64(*number),
                }
            }
            Value::Text(text) => visitor.visit_str(text),
            Value::List(_) => return self.deserialize_seq(visitor),
            Value::Map(_) => return self.deserialize_map(visitor),
        };
        result.map_err(|error: Misfit| error.at(self.path))
    }

    whole_numbers! {
        deserialize_i8 visit_i8 i8, "an 8-bit integer";
        deserialize_i16 visit_i16 i16, "a 16-bit integer";
        deserialize_i32 visit_i32 i32, "a 32-bit integer";
        deserialize_i64 visit_i64 i64, "a 64-bit integer";
        deserialize_u8 visit_u8 u8, "an integer from 0 to 255";
        deserialize_u16 visit_u16 u16, "an integer from 0 to 65535";
        deserialize_u32 visit_u32 u32, "an integer from 0 to 4294967295";
        deserialize_u64 visit_u64 u64, "an integer from 0 on";
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let number = match self.node.value {
            Value::Null => 0.0,
            Value::Int(number) => number as f64,
            Value::Big(number) => number as f64,
            Value::Float(number) => number,
            _ => return Err(self.misfit("a number")),
        };
        visitor.visit_f64(number).map_err(|error: Misfit| error.at(self.path))
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.node.value {
            Value::Bool(flag) => visitor.visit_bool(flag),
            Value::Null => visitor.visit_bool(false),
            _ => Err(self.misfit("true or false")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match &self.node.value {
            Value::Text(text) => visitor.visit_str(text),
            Value::Null => visitor.visit_str(""),
            _ => Err(self.misfit("a string")),
        }
        .map_err(|error: Misfit| error.at(self.path))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
        .map_err(|error: Misfit| error.at(self.path))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let result = match (name, &self.node.value) {
            ("Quantity", Value::Int(_) | Value::Big(_) | Value::Float(_)) => {
                let text = scalar_text(&self.node.value).unwrap_or_default();
                visitor.visit_newtype_struct(text.into_deserializer())
            }
            ("Quantity", Value::Bool(_) | Value::List(_) | Value::Map(_)) => {
                return Err(self.misfit("a quantity"));
            }
            ("Time" | "MicroTime", Value::Text(_)) => {
                let misfit = || self.misfit("a time in RFC 3339, as 2026-01-01T00:00:00Z");
                return visitor.visit_newtype_struct(self).map_err(|_: Misfit| misfit());
            }
            _ => visitor.visit_newtype_struct(self),
        };
        result.map_err(|error: Misfit| error.at(self.path))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let items = match &self.node.value {
            Value::List(items) => items.as_slice(),
            Value::Null => &[],
            _ => return Err(self.misfit("a list")),
        };
        let walk = Items { items: items.iter().enumerate(), path: self.path, log: self.log };
        visitor.visit_seq(walk).map_err(|error: Misfit| error.at(self.path))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.object(visitor, None)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        self.object(visitor, Some(fields))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let result = match &self.node.value {
            Value::Text(text) => visitor.visit_enum(text.as_ref().into_deserializer()),
            Value::Map(entries) if entries.len() == 1 => {
                visitor.visit_enum(Variant { entry: &entries[0], reader: self })
            }
            _ => return Err(self.misfit("a name, or an object with one key")),
        };
        result.map_err(|error: Misfit| error.at(self.path))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct identifier
    }
}

impl<'n> Reader<'n, '_> {
    fn object<'de, V: Visitor<'de>>(
        self,
        visitor: V,
        fields: Option<&'static [&'static str]>,
    ) -> Result<V::Value, Misfit> {
        let entries = match &self.node.value {
            Value::Map(entries) => entries.as_slice(),
            Value::Null => &[],
            _ => return Err(self.misfit("an object")),
        };
        let walk =
            Entries { entries: entries.iter(), now: None, fields, path: self.path, log: self.log };
        visitor.visit_map(walk).map_err(|error: Misfit| error.at(self.path))
    }
}

struct Items<'n, 'a> {
    items: std::iter::Enumerate<std::slice::Iter<'n, Node<'a>>>,
    path: &'n Path<'n>,
    log: &'n RefCell<Vec<UnknownField>>,
}

impl<'de> SeqAccess<'de> for Items<'_, '_> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Misfit> {
        let Some((at, node)) = self.items.next() else { return Ok(None) };
        let path = self.path.index(at);
        seed.deserialize(Reader { node, path: &path, log: self.log }).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Entries<'n, 'a> {
    entries: std::slice::Iter<'n, Entry<'a>>,
    now: Option<&'n Entry<'a>>,
    fields: Option<&'static [&'static str]>,
    path: &'n Path<'n>,
    log: &'n RefCell<Vec<UnknownField>>,
}

impl<'de> MapAccess<'de> for Entries<'_, '_> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        self.now = self.entries.next();
        let Some(entry) = self.now else { return Ok(None) };
        let Some(fields) = self.fields else {
            return seed.deserialize(entry.key.as_ref().into_deserializer()).map(Some);
        };
        if !fields.contains(&entry.key.as_ref()) {
            let path = self.path.child(&entry.key).to_string();
            let nearest = crate::api::kinds::nearest(&entry.key, fields);
            self.log.borrow_mut().push(UnknownField { path, nearest });
        }
        seed.deserialize(entry.key.as_ref().into_deserializer()).map(Some)
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Misfit> {
        let Some(entry) = self.now.take() else {
            return Err(Misfit::custom("a value without a key"));
        };
        let path = match self.fields {
            Some(_) => self.path.child(&entry.key),
            None => self.path.key(&entry.key),
        };
        seed.deserialize(Reader { node: &entry.node, path: &path, log: self.log })
    }
}

/// `{name: value}` as a variant with a value.
struct Variant<'n, 'a> {
    entry: &'n Entry<'a>,
    reader: Reader<'n, 'a>,
}

impl<'de, 'n, 'a> EnumAccess<'de> for Variant<'n, 'a> {
    type Error = Misfit;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Misfit> {
        seed.deserialize(self.entry.key.as_ref().into_deserializer()).map(|name| (name, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, '_> {
    type Error = Misfit;

    fn unit_variant(self) -> Result<(), Misfit> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Misfit> {
        let path = self.reader.path.child(&self.entry.key);
        seed.deserialize(Reader { node: &self.entry.node, path: &path, log: self.reader.log })
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Misfit> {
        let path = self.reader.path.child(&self.entry.key);
        Reader { node: &self.entry.node, path: &path, log: self.reader.log }
            .deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        let path = self.reader.path.child(&self.entry.key);
        Reader { node: &self.entry.node, path: &path, log: self.reader.log }
            .object(visitor, Some(fields))
    }
}
