//! The functions of `$(...)` as far as they only know their operands.

use std::fmt::Write as _;

#[derive(Clone, Copy, Debug)]
pub(crate) enum TextFunction {
    Length,
    Upper,
    Lower,
    Chr,
}

impl TextFunction {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "length" => Self::Length,
            "upper" => Self::Upper,
            "lower" => Self::Lower,
            "chr" => Self::Chr,
            _ => return None,
        })
    }

    pub(crate) fn apply(self, text: &str) -> String {
        match self {
            Self::Length => text.len().to_string(),
            Self::Upper => text.to_ascii_uppercase(),
            Self::Lower => text.to_ascii_lowercase(),
            Self::Chr => u32::try_from(number(text))
                .ok()
                .and_then(char::from_u32)
                .filter(|&character| character != '\0')
                .map(String::from)
                .unwrap_or_default(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Arithmetic {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
}

impl Arithmetic {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "add" | "+" => Self::Add,
            "sub" | "-" => Self::Sub,
            "mul" | "*" => Self::Mul,
            "div" | "/" => Self::Div,
            "mod" | "%" => Self::Mod,
            _ => return None,
        })
    }

    /// The result in 32 bits, with zeros in front up to `width` characters.
    pub(crate) fn apply(self, first: i32, second: i32, width: usize) -> String {
        let result = match self {
            Self::Add => first.wrapping_add(second),
            Self::Sub => first.wrapping_sub(second),
            Self::Mul => first.wrapping_mul(second),
            Self::Div if second != 0 => first.wrapping_div(second),
            Self::Mod if second != 0 => first.wrapping_rem(second),
            Self::Div | Self::Mod => 0,
        };
        // Wider than any number that is dialled; a rule cannot ask for a megabyte of zeros.
        format!("{result:0width$}", width = width.min(64))
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Comparison {
    Eq,
    Ne,
    Lt,
    Gt,
    Le,
    Ge,
}

impl Comparison {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "eq" => Self::Eq,
            "ne" => Self::Ne,
            "lt" | "<" => Self::Lt,
            "gt" | ">" => Self::Gt,
            "le" => Self::Le,
            "ge" => Self::Ge,
            _ => return None,
        })
    }

    pub(crate) const fn apply(self, first: i32, second: i32) -> bool {
        match self {
            Self::Eq => first == second,
            Self::Ne => first != second,
            Self::Lt => first < second,
            Self::Gt => first > second,
            Self::Le => first <= second,
            Self::Ge => first >= second,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Strings {
    Equal,
    Different,
    Position,
}

impl Strings {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "streq" => Self::Equal,
            "strne" => Self::Different,
            "strpos" => Self::Position,
            _ => return None,
        })
    }

    pub(crate) fn apply(self, first: &str, second: &str) -> String {
        match self {
            Self::Equal => (first == second).to_string(),
            Self::Different => (first != second).to_string(),
            Self::Position => second
                .find(first)
                .map_or_else(|| "-1".to_owned(), |at| at.to_string()),
        }
    }
}

/// A decimal number within 32 bits; what is none counts as 0, what is larger as the largest.
pub(crate) fn number(text: &str) -> i32 {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return 0;
    }
    let limit = if text.starts_with('-') {
        i32::MIN
    } else {
        i32::MAX
    };
    text.parse().unwrap_or(limit)
}

/// The octets of a number, lowest first.
pub(crate) fn hex(number: i32, length: Option<i32>, separator: &str) -> String {
    let octets = number.to_le_bytes();
    let needed = octets
        .iter()
        .rposition(|&octet| octet != 0)
        .map_or(1, |last| last + 1);
    let length = length
        .and_then(|length| usize::try_from(length).ok())
        .filter(|&length| length > 0)
        .unwrap_or(needed);
    let mut out = String::new();
    for (n, octet) in octets.iter().take(length).enumerate() {
        if n > 0 {
            out.push_str(separator);
        }
        // Infallible: a String takes whatever is written.
        let _ = write!(out, "{octet:02x}");
    }
    out
}
