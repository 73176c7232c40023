//! Edits by interpreters: which cells of a polygon get another class.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::legend::ClassCode;

/// Which cells an edit is about, by the class that the maps give them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "EditedText", into = "EditedText")]
pub enum Edited {
    /// Those of any class; not those without one.
    AnyClass,
    /// Those that a source decided without giving a class.
    NoData,
    /// Those of one class.
    Class(ClassCode),
}

impl Edited {
    /// Whether a cell that a source decided is meant; `None` is no class.
    pub fn holds(self, class: Option<ClassCode>) -> bool {
        match self {
            Self::AnyClass => class.is_some(),
            Self::NoData => class.is_none(),
            Self::Class(code) => class == Some(code),
        }
    }
}

impl fmt::Display for Edited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnyClass => f.write_str("*"),
            Self::NoData => f.write_str("nodata"),
            Self::Class(code) => write!(f, "{code}"),
        }
    }
}

/// How job files and run.json write it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum EditedText {
    Code(ClassCode),
    Word(String),
}

impl TryFrom<EditedText> for Edited {
    type Error = String;

    fn try_from(text: EditedText) -> Result<Self, String> {
        match text {
            EditedText::Code(code) => Ok(Self::Class(code)),
            EditedText::Word(word) if word == "*" => Ok(Self::AnyClass),
            EditedText::Word(word) if word == "nodata" => Ok(Self::NoData),
            EditedText::Word(word) => {
                Err(format!("`{word}` is no class code: write a number, \"*\" or \"nodata\""))
            }
        }
    }
}

impl From<Edited> for EditedText {
    fn from(edited: Edited) -> Self {
        match edited {
            Edited::Class(code) => Self::Code(code),
            other => Self::Word(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_class_is_not_no_class() {
        let held = |edited: Edited| [None, Some(15), Some(16)].map(|class| edited.holds(class));
        assert_eq!(held(Edited::AnyClass), [false, true, true]);
        assert_eq!(held(Edited::NoData), [true, false, false]);
        assert_eq!(held(Edited::Class(15)), [false, true, false]);
    }

    #[test]
    fn words_and_codes_are_read_and_written_alike() {
        for (text, edited) in
            [("\"*\"", Edited::AnyClass), ("\"nodata\"", Edited::NoData), ("15", Edited::Class(15))]
        {
            assert_eq!(serde_json::from_str::<Edited>(text).unwrap(), edited);
            assert_eq!(serde_json::to_string(&edited).unwrap(), text);
        }
        assert!(serde_json::from_str::<Edited>("\"any\"").is_err());
    }
}
