//! Reading JSON that others send: request bodies and queue messages.
//!
//! serde alone is too lenient and its errors are written for Rust programmers: a derived struct also reads an array of
//! its fields in order, and an error names Rust types and quotes strings of any length. [`read`] takes an object where
//! an object is meant, at every depth, and says in plain, bounded words what is wrong, with a JSON Pointer to it.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt::{self, Write as _};

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeSeed, Deserializer, Expected, IgnoredAny, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use serde::{Deserialize, forward_to_deserialize_any};

/// The most characters of a text, a name or a step of a pointer that an error quotes.
const QUOTED_CHARS_MAX: usize = 64;

/// The largest whole number up to which every smaller one has a floating-point number of its own: 2⁵³.
const EXACT_FLOAT_MAX: f64 = 9_007_199_254_740_992.0;

/// Reads one JSON value and nothing after it.
pub fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, JsonError> {
    let context = Context::default();
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = T::deserialize(Strict {
        inner: &mut json,
        context: &context,
    });
    let value = value.map_err(|_| {
        // Reading stops at the first thing that is wrong. What is not JSON at all is said first.
        let rest = serde_json::from_slice::<IgnoredAny>(bytes);
        rest.err().map_or_else(
            || context.error(),
            |error| JsonError::Syntax(error.to_string()),
        )
    })?;
    match json.end() {
        Ok(()) => Ok(value),
        Err(error) => Err(JsonError::Syntax(error.to_string())),
    }
}

/// Why bytes are not the JSON that is needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// They are not JSON; says where, by line and column.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// They are JSON of another shape.
    #[error("{}", at(pointer, detail))]
    Data {
        /// A JSON Pointer (RFC 6901) to the value at fault; empty for the whole.
        pointer: String,
        /// What is wrong with it.
        detail: String,
    },
}

/// What is wrong, after the place where it is wrong.
pub fn at(pointer: &str, detail: &str) -> String {
    match pointer {
        "" => detail.to_owned(),
        pointer => format!("{pointer}: {detail}"),
    }
}

/// The start of a text, in quotes of its own where it is used.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// One step of the way to a value.
enum Step<'de> {
    Key(Cow<'de, str>),
    Index(usize),
}

/// The way to the value that is being read, and the first thing that is wrong.
#[derive(Default)]
struct Context<'de> {
    path: RefCell<Vec<Step<'de>>>,
    error: RefCell<Option<JsonError>>,
}

impl<'de> Context<'de> {
    fn enter(&self, step: Step<'de>) {
        self.path.borrow_mut().push(step);
    }

    /// Not called after an error: the path keeps leading to it.
    fn leave(&self) {
        self.path.borrow_mut().pop();
    }

    /// Keeps what is wrong, unless it is only the consequence of what is kept already.
    fn keep(&self, error: impl FnOnce() -> JsonError) {
        self.error.borrow_mut().get_or_insert_with(error);
    }

    /// Keeps what the type that is read says is wrong, and passes it on to the JSON reader.
    fn pass<E: de::Error>(&self, fault: Fault) -> E {
        self.keep(|| JsonError::Data {
            pointer: self.pointer(fault.member),
            detail: fault.detail,
        });
        E::custom("")
    }

    /// Keeps an error of the JSON reader itself.
    fn syntax(&self, error: &impl fmt::Display) -> Fault {
        self.keep(|| JsonError::Syntax(error.to_string()));
        Fault::new(String::new())
    }

    fn error(&self) -> JsonError {
        let error = self.error.borrow_mut().take();
        error.unwrap_or_else(|| JsonError::Syntax("the value cannot be read".to_owned()))
    }

    fn pointer(&self, member: Option<&'static str>) -> String {
        let mut pointer = String::new();
        let path = self.path.borrow();
        let member = member.map(|name| Step::Key(Cow::Borrowed(name)));
        for step in path.iter().chain(&member) {
            let key = match step {
                Step::Index(index) => {
                    // Writing to a string cannot fail.
                    let _ = write!(pointer, "/{index}");
                    continue;
                }
                Step::Key(key) => key,
            };
            if key.chars().nth(QUOTED_CHARS_MAX).is_some() {
                break;
            }
            pointer.push('/');
            pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
        }
        pointer
    }
}

/// What a type says is wrong with the value it was to be read from.
#[derive(Debug)]
struct Fault {
    detail: String,
    /// The member that is missing from the object being read.
    member: Option<&'static str>,
}

impl Fault {
    fn new(detail: String) -> Self {
        Self {
            detail,
            member: None,
        }
    }

    fn expected(expected: &str, found: Unexpected<'_>) -> Self {
        Self::new(format!("expected {expected}, found {}", in_words(found)))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(detail: T) -> Self {
        Self::new(detail.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(plain(&expected.to_string()), found)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(plain(&expected.to_string()), found)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::new(format!("expected {expected}, found {length} values"))
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        let variant = quoted(variant);
        Self::new(format!("`{variant}` is not one of {}", listed(known)))
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        let field = quoted(field);
        Self::new(format!(
            "unknown field `{field}`; the fields are {}",
            listed(known)
        ))
    }

    fn missing_field(field: &'static str) -> Self {
        Self {
            detail: "this field is missing".to_owned(),
            member: Some(field),
        }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(format!("the field `{field}` is there more than once"))
    }
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => "none".to_owned(),
        names => format!("`{}`", names.join("`, `")),
    }
}

/// What a Rust type expects, in the words of JSON.
fn plain(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number from 0 up, in range",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number in range",
        "f32" | "f64" => "a number",
        "a string" | "a borrowed string" => "a string",
        "a sequence" => "an array",
        "a boolean" => "true or false",
        "unit" => "null",
        other if other.starts_with("struct ") || other == "a map" => "an object",
        other => other,
    }
}

fn in_words(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(number) => number.to_string(),
        Unexpected::Signed(number) => number.to_string(),
        Unexpected::Float(number) => number.to_string(),
        Unexpected::Str(text) => format!("the string \"{}\"", quoted(text)),
        Unexpected::Unit | Unexpected::Option => "null".to_owned(),
        Unexpected::Seq => "an array".to_owned(),
        Unexpected::Map => "an object".to_owned(),
        other => other.to_string(),
    }
}

/// Which JSON values a type asks for. A visitor may understand others: a UUID also reads an array of 16 numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Any,
    Null,
    Bool,
    Whole,
    Number,
    String,
    Array,
    Object,
    /// A string, or an object with one member.
    Variant,
}

impl Kind {
    const fn words(self) -> &'static str {
        match self {
            Self::Any => "a value",
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Whole => "a whole number",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
            Self::Variant => "a string, or an object with one member",
        }
    }
}

/// Reads a value of the kind that its type asks for, and what is in it.
struct Strict<'c, 'de, D> {
    inner: D,
    context: &'c Context<'de>,
}

impl<'de, D: Deserializer<'de>> Strict<'_, 'de, D> {
    fn value<V: Visitor<'de>>(self, kind: Kind, visitor: V) -> Result<V::Value, Fault> {
        let context = self.context;
        let visitor = Checked {
            visitor,
            kind,
            context,
        };
        let value = self.inner.deserialize_any(visitor);
        value.map_err(|error| context.syntax(&error))
    }
}

macro_rules! read_as {
    ($($method:ident => $kind:ident,)+) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
                self.value(Kind::$kind, visitor)
            }
        )+
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<'_, 'de, D> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.value(Kind::Any, visitor)
    }

    read_as! {
        deserialize_bool => Bool,
        deserialize_i8 => Whole,
        deserialize_i16 => Whole,
        deserialize_i32 => Whole,
        deserialize_i64 => Whole,
        deserialize_i128 => Whole,
        deserialize_u8 => Whole,
        deserialize_u16 => Whole,
        deserialize_u32 => Whole,
        deserialize_u64 => Whole,
        deserialize_u128 => Whole,
        deserialize_f32 => Number,
        deserialize_f64 => Number,
        deserialize_char => String,
        deserialize_str => String,
        deserialize_string => String,
        deserialize_identifier => String,
        deserialize_bytes => String,
        deserialize_byte_buf => String,
        deserialize_unit => Null,
        deserialize_seq => Array,
        deserialize_map => Object,
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let context = self.context;
        let visitor = Checked {
            visitor,
            kind: Kind::Any,
            context,
        };
        let value = self.inner.deserialize_option(visitor);
        value.map_err(|error| context.syntax(&error))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let value = self.inner.deserialize_ignored_any(visitor);
        value.map_err(|error| self.context.syntax(&error))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.value(Kind::Null, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.value(Kind::Array, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.value(Kind::Array, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.value(Kind::Object, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.value(Kind::Variant, visitor)
    }
}

/// A visitor that sees only values of the kind that was asked for.
struct Checked<'c, 'de, V> {
    visitor: V,
    kind: Kind,
    context: &'c Context<'de>,
}

impl<'de, V: Visitor<'de>> Checked<'_, 'de, V> {
    /// Hands a value on if its kind is asked for.
    fn give<E: de::Error>(
        self,
        kinds: &[Kind],
        found: Unexpected<'_>,
        visit: impl FnOnce(V) -> Result<V::Value, Fault>,
    ) -> Result<V::Value, E> {
        let value = if self.kind == Kind::Any || kinds.contains(&self.kind) {
            visit(self.visitor)
        } else {
            Err(Fault::expected(self.kind.words(), found))
        };
        value.map_err(|fault| self.context.pass(fault))
    }

    fn string<E: de::Error>(
        self,
        text: &str,
        visit: impl FnOnce(V) -> Result<V::Value, Fault>,
    ) -> Result<V::Value, E> {
        if self.kind == Kind::Variant {
            let value = self.visitor.visit_enum(StrDeserializer::new(text));
            return value.map_err(|fault| self.context.pass(fault));
        }
        self.give(&[Kind::String], Unexpected::Str(text), visit)
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Checked<'_, 'de, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.words())
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<V::Value, E> {
        self.give(&[Kind::Bool], Unexpected::Bool(value), |visitor| {
            visitor.visit_bool(value)
        })
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<V::Value, E> {
        let kinds = [Kind::Whole, Kind::Number];
        self.give(&kinds, Unexpected::Signed(number), |visitor| {
            visitor.visit_i64(number)
        })
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<V::Value, E> {
        let kinds = [Kind::Whole, Kind::Number];
        self.give(&kinds, Unexpected::Unsigned(number), |visitor| {
            visitor.visit_u64(number)
        })
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<V::Value, E> {
        // JSON has one kind of number: 2.0 and 2e0 are the whole number 2.
        if self.kind == Kind::Whole && number.fract() == 0.0 && number.abs() <= EXACT_FLOAT_MAX {
            #[expect(clippy::cast_possible_truncation, reason = "whole, and in range")]
            let whole = number as i64;
            return self.visit_i64(whole);
        }
        self.give(&[Kind::Number], Unexpected::Float(number), |visitor| {
            visitor.visit_f64(number)
        })
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<V::Value, E> {
        self.string(text, |visitor| visitor.visit_str(text))
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<V::Value, E> {
        self.string(text, |visitor| visitor.visit_borrowed_str(text))
    }

    fn visit_none<E: de::Error>(self) -> Result<V::Value, E> {
        let value = self.visitor.visit_none();
        value.map_err(|fault| self.context.pass(fault))
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let value = self.visitor.visit_some(Strict {
            inner,
            context: self.context,
        });
        value.map_err(|fault| self.context.pass(fault))
    }

    fn visit_unit<E: de::Error>(self) -> Result<V::Value, E> {
        self.give(&[Kind::Null], Unexpected::Unit, V::visit_unit)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let context = self.context;
        let index = Cell::new(0);
        self.give(&[Kind::Array], Unexpected::Seq, |visitor| {
            visitor.visit_seq(Elements {
                inner,
                index,
                context,
            })
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        let context = self.context;
        let members = Members { inner, context };
        if self.kind == Kind::Variant {
            let value = (self.visitor).visit_enum(MapAccessDeserializer::new(members));
            return value.map_err(|fault| context.pass(fault));
        }
        self.give(&[Kind::Object], Unexpected::Map, |visitor| {
            visitor.visit_map(members)
        })
    }
}

/// The elements of an array.
struct Elements<'c, 'de, A> {
    inner: A,
    index: Cell<usize>,
    context: &'c Context<'de>,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, 'de, A> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let context = self.context;
        let index = self.index.get();
        self.index.set(index + 1);
        context.enter(Step::Index(index));
        let element = self.inner.next_element_seed(Inside { seed, context });
        let element = element.map_err(|error| context.syntax(&error))?;
        context.leave();
        Ok(element)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// The members of an object.
struct Members<'c, 'de, A> {
    inner: A,
    context: &'c Context<'de>,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Members<'_, 'de, A> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let context = self.context;
        let key = self.inner.next_key_seed(Key { seed, context });
        key.map_err(|error| context.syntax(&error))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let context = self.context;
        let value = self.inner.next_value_seed(Inside { seed, context });
        let value = value.map_err(|error| context.syntax(&error))?;
        context.leave();
        Ok(value)
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// What is read inside an array or an object, as strictly as what is around it.
struct Inside<'c, 'de, T> {
    seed: T,
    context: &'c Context<'de>,
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Inside<'_, 'de, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<T::Value, D::Error> {
        let value = self.seed.deserialize(Strict {
            inner,
            context: self.context,
        });
        value.map_err(|fault| self.context.pass(fault))
    }
}

/// The key of a member, which becomes the next step of the path until the value is read.
struct Key<'c, 'de, T> {
    seed: T,
    context: &'c Context<'de>,
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Key<'_, 'de, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<T::Value, D::Error> {
        inner.deserialize_str(self)
    }
}

impl<'de, T: DeserializeSeed<'de>> Key<'_, 'de, T> {
    fn read<E: de::Error>(self, key: Cow<'de, str>) -> Result<T::Value, E> {
        let context = self.context;
        let name = Name(key.clone());
        context.enter(Step::Key(key));
        (self.seed)
            .deserialize(name)
            .map_err(|fault| context.pass(fault))
    }
}

impl<'de, T: DeserializeSeed<'de>> Visitor<'de> for Key<'_, 'de, T> {
    type Value = T::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: de::Error>(self, key: &str) -> Result<T::Value, E> {
        self.read(Cow::Owned(key.to_owned()))
    }

    fn visit_borrowed_str<E: de::Error>(self, key: &'de str) -> Result<T::Value, E> {
        self.read(Cow::Borrowed(key))
    }
}

/// A key as a value, borrowed where it can be.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserializer<'de> for Name<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.0 {
            Cow::Borrowed(key) => visitor.visit_borrowed_str(key),
            Cow::Owned(key) => visitor.visit_string(key),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_enum(StrDeserializer::new(&self.0))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Cart<'a> {
        #[serde(borrow)]
        customer: Cow<'a, str>,
        lines: Vec<Line>,
        #[serde(default)]
        note: Option<Box<Note>>,
        #[serde(default)]
        id: Option<uuid::Uuid>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Line {
        sku: String,
        quantity: u32,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Note {
        Empty,
        Text(String),
        Gift { to: String, by: i64 },
    }

    fn wrong(json: &str) -> (String, String) {
        match read::<Cart<'_>>(json.as_bytes()) {
            Err(JsonError::Data { pointer, detail }) => (pointer, detail),
            other => panic!("{json}: {other:?}"),
        }
    }

    fn with(member: &str) -> String {
        format!("{{\"customer\":\"c1\",\"lines\":[{{\"sku\":\"A\",\"quantity\":1}}]{member}}}")
    }

    #[test]
    fn whatever_serde_reads_from_objects_is_read() {
        let cart = |note| Cart {
            customer: "c\n1".into(),
            lines: vec![Line {
                sku: "A".to_owned(),
                quantity: 2,
            }],
            note,
            id: None,
        };
        for (note, read_as) in [
            ("null", None),
            ("\"empty\"", Some(Note::Empty)),
            ("{\"text\":\"t\"}", Some(Note::Text("t".to_owned()))),
            (
                "{\"gift\":{\"to\":\"x\",\"by\":-3,\"more\":[{}]}}",
                Some(Note::Gift {
                    to: "x".to_owned(),
                    by: -3,
                }),
            ),
        ] {
            let json = format!(
                " {{\"customer\":\"c\\n1\",\"lines\":[{{\"s\\u006bu\":\"A\",\"quantity\":2}}],\"note\":{note}}} "
            );
            let cart = cart(read_as.map(Box::new));
            assert_eq!(read::<Cart<'_>>(json.as_bytes()), Ok(cart), "{json}");
        }
    }

    #[test]
    fn an_array_is_no_object_at_any_depth() {
        for (json, pointer) in [
            ("[\"c1\",[]]", ""),
            ("{\"customer\":\"c1\",\"lines\":[[\"A\",1]]}", "/lines/0"),
            (
                "{\"customer\":\"c1\",\"lines\":[{\"sku\":\"A\",\"quantity\":1},[\"A\",1]]}",
                "/lines/1",
            ),
            (&with(",\"note\":{\"gift\":[\"x\",1]}"), "/note/gift"),
        ] {
            let expected = "expected an object, found an array".to_owned();
            assert_eq!(wrong(json), (pointer.to_owned(), expected), "{json}");
        }
        // A UUID's own reader takes 16 bytes, too.
        let bytes = with(&format!(",\"id\":{:?}", [7; 16]));
        let expected = "expected a string, found an array".to_owned();
        assert_eq!(wrong(&bytes), ("/id".to_owned(), expected));
    }

    #[test]
    fn what_is_wrong_is_said_in_plain_words_and_with_its_place() {
        for (json, pointer, detail) in [
            ("null", "", "expected an object, found null"),
            (
                "\"text\"",
                "",
                "expected an object, found the string \"text\"",
            ),
            (
                "{\"customer\":5}",
                "/customer",
                "expected a string, found 5",
            ),
            ("{\"lines\":[]}", "/customer", "this field is missing"),
            (
                "{\"customer\":\"c1\",\"lines\":{}}",
                "/lines",
                "expected an array, found an object",
            ),
            (
                "{\"customer\":\"c1\",\"lines\":[{\"sku\":\"A\"}]}",
                "/lines/0/quantity",
                "this field is missing",
            ),
            (
                "{\"customer\":\"c1\",\"lines\":[{\"sku\":\"A\",\"quantity\":\"2\"}]}",
                "/lines/0/quantity",
                "expected a whole number, found the string \"2\"",
            ),
            (
                "{\"customer\":\"c1\",\"lines\":[{\"sku\":\"A\",\"quantity\":1.5}]}",
                "/lines/0/quantity",
                "expected a whole number, found 1.5",
            ),
            (
                "{\"customer\":\"c1\",\"lines\":[{\"sku\":\"A\",\"quantity\":-1}]}",
                "/lines/0/quantity",
                "expected a whole number from 0 up, in range, found -1",
            ),
            (
                &with(",\"a/b~\":1"),
                "/a~1b~0",
                "unknown field `a/b~`; the fields are `customer`, `lines`, `note`, `id`",
            ),
            (
                &with(",\"customer\":\"c2\""),
                "/customer",
                "the field `customer` is there more than once",
            ),
            (
                &with(",\"note\":\"odd\""),
                "/note",
                "`odd` is not one of `empty`, `text`, `gift`",
            ),
            (
                &with(",\"note\":7"),
                "/note",
                "expected a string, or an object with one member, found 7",
            ),
        ] {
            let expected = (pointer.to_owned(), detail.to_owned());
            assert_eq!(wrong(json), expected, "{json}");
        }
    }

    #[test]
    fn an_error_quotes_little_of_what_was_sent() {
        let long = "x".repeat(100_000);
        let (pointer, detail) = wrong(&format!("\"{long}\""));
        assert_eq!(pointer, "");
        assert!(detail.len() < 200, "{detail}");
        let (pointer, detail) = wrong(&with(&format!(",\"{long}\":1")));
        assert_eq!(pointer, "");
        assert!(detail.len() < 200, "{detail}");
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_fraction_or_an_exponent() {
        for (written, units) in [
            ("2.0", 2),
            ("1e3", 1_000),
            ("-0.0", 0),
            ("4294967295", u32::MAX),
        ] {
            let json = format!("{{\"sku\":\"A\",\"quantity\":{written}}}");
            let line: Line = read(json.as_bytes()).unwrap();
            assert_eq!(line.quantity, units, "{written}");
        }
        for written in ["4294967296", "1e30", "1e-3", "18446744073709551616", "true"] {
            let json = format!("{{\"sku\":\"A\",\"quantity\":{written}}}");
            let error = read::<Line>(json.as_bytes()).unwrap_err();
            assert!(matches!(&error, JsonError::Data { pointer, .. } if pointer == "/quantity"));
        }
    }

    #[test]
    fn what_is_not_json_is_told_by_line_and_column() {
        for (bytes, what) in [
            (&b"{\n \"customer\": }"[..], "line 2 column 14"),
            (b"{\"customer\":\"c1\"", "EOF"),
            (b"", "EOF"),
            (b"{\"customer\":\"\xff\"}", "line 1"),
            (b"{\"customer\":\"c1\",\"lines\":[]} {}", "trailing"),
            (b"{\"customer\":\"c1\",}", "line 1 column 18"),
            (b"[", "EOF"),
            (b"{\"customer\":5} {}", "trailing"),
        ] {
            match read::<Cart<'_>>(bytes) {
                Err(JsonError::Syntax(error)) => assert!(error.contains(what), "{error}"),
                other => panic!("{bytes:?}: {other:?}"),
            }
        }
    }
}
