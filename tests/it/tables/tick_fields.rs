//! The fields of a tick: OpenAPI's schema, the TypeScript type and the table for readers, from `wire::TICK_FIELDS`.

use super::document::check;
use serde_json::{Value, json};
use std::fmt::Write as _;
use tickfan::wire::{Presence, TICK_FIELDS, TickField, ValueType};

/// The longest line of a comment in `tick.d.ts`.
const COMMENT_COLUMNS_MAX: usize = 120;

/// What a field means, and in which ticks it stands where that is not said by its being optional.
fn described(field: &TickField) -> String {
    match field.presence {
        Presence::When(condition) => format!("{} Present when {condition}.", field.meaning),
        Presence::Always | Presence::Known => field.meaning.to_owned(),
    }
}

fn quoted(words: &[&str], quote: &str, separator: &str) -> String {
    words.iter().map(|word| format!("{quote}{word}{quote}")).collect::<Vec<_>>().join(separator)
}

fn schema(field: &TickField) -> Value {
    let mut schema = match field.value {
        ValueType::Symbol => json!({"$ref": "#/components/schemas/Symbol"}),
        ValueType::Feed => json!({"type": "string"}),
        ValueType::Count => json!({"type": "integer", "minimum": 0}),
        ValueType::Micros => json!({"type": "integer"}),
        ValueType::Decimal => json!({"type": "number"}),
        ValueType::Word(words) => json!({"enum": words}),
        ValueType::OpenWord(words) => json!({"type": "string", "examples": words}),
        ValueType::Words(words) => json!({"type": "array", "items": {"enum": words}, "minItems": 1}),
    };
    let unit = if matches!(field.value, ValueType::Micros) { " Microseconds since 1970." } else { "" };
    schema["description"] = format!("{}{unit}", described(field)).into();
    schema
}

/// A value as `openapi.json` shows it, so many levels deep.
fn pretty(value: &Value, levels: usize) -> String {
    serde_json::to_string_pretty(value).unwrap().replace('\n', &format!("\n{}", "  ".repeat(levels)))
}

#[test]
fn the_openapi_schema_follows_from_the_table() {
    let required: Vec<_> =
        TICK_FIELDS.iter().filter(|field| field.presence == Presence::Always).map(|field| field.name).collect();
    let properties: Vec<_> = TICK_FIELDS
        .iter()
        .map(|field| format!("          \"{}\": {}", field.name, pretty(&schema(field), 5)))
        .collect();
    let description = "The whole latest state of one symbol: replace your row with it. What is unknown is left out; a \
                       missing field is not zero. Ignore fields, kinds, states and reasons that you do not know: v1 \
                       grows by adding.";
    let expected = format!(
        "        \"type\": \"object\",\n        \"description\": \"{description}\",\n        \"required\": {},\n        \
         \"properties\": {{\n{}\n        }}\n",
        pretty(&json!(required), 4),
        properties.join(",\n"),
    );
    check("src/api/openapi.json", "      \"Tick\": {", "      },", &expected);
}

fn typescript(value: ValueType) -> String {
    match value {
        ValueType::Symbol | ValueType::Feed | ValueType::OpenWord(_) => "string".to_owned(),
        ValueType::Count | ValueType::Decimal => "number".to_owned(),
        ValueType::Micros => "Micros".to_owned(),
        ValueType::Word(words) => quoted(words, "\"", " | "),
        ValueType::Words(words) => format!("({})[]", quoted(words, "\"", " | ")),
    }
}

/// A comment of one line, or of several where it is longer than a line.
fn typescript_comment(comment: &str) -> String {
    let line = format!("  /** {comment} */\n");
    if line.len() <= COMMENT_COLUMNS_MAX {
        return line;
    }
    let mut lines = "  /**\n   *".to_owned();
    let mut columns = "   *".len();
    for word in comment.split(' ') {
        if columns + 1 + word.len() > COMMENT_COLUMNS_MAX {
            lines.push_str("\n   *");
            columns = "   *".len();
        }
        lines.push(' ');
        lines.push_str(word);
        columns += 1 + word.len();
    }
    lines + "\n   */\n"
}

#[test]
fn the_typescript_type_follows_from_the_table() {
    let mut expected = String::new();
    for field in &TICK_FIELDS {
        expected += &typescript_comment(&described(field));
        let optional = if field.presence == Presence::Always { "" } else { "?" };
        writeln!(expected, "  {}{optional}: {};", field.name, typescript(field.value)).unwrap();
    }
    check("examples/tick.d.ts", "export interface Tick {", "}", &expected);
}

fn for_readers(value: ValueType) -> String {
    match value {
        ValueType::Symbol | ValueType::Feed | ValueType::OpenWord(_) => "string".to_owned(),
        ValueType::Count => "integer".to_owned(),
        ValueType::Micros => "µs since 1970".to_owned(),
        ValueType::Decimal => "decimal".to_owned(),
        ValueType::Word(words) => quoted(words, "`", ", "),
        ValueType::Words(words) => format!("list of {}", quoted(words, "`", ", ")),
    }
}

#[test]
fn the_table_for_readers_follows_from_the_table() {
    let mut expected = "\n| field | type | part | present | meaning |\n|---|---|---|---|---|\n".to_owned();
    for field in &TICK_FIELDS {
        let part = field.part.map_or("", |part| part.name());
        let presence = match field.presence {
            Presence::Always => "always".to_owned(),
            Presence::Known => "where the venue gives it".to_owned(),
            Presence::When(condition) => format!("when {condition}"),
        };
        let value = for_readers(field.value);
        writeln!(expected, "| `{}` | {value} | {part} | {presence} | {} |", field.name, field.meaning).unwrap();
    }
    expected.push('\n');
    check("docs/clients.md", "<!-- fields of a tick -->", "<!-- end of fields -->", &expected);
}
