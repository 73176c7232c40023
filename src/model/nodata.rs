//! What "no data" means in one file: the values its legend lists, and the declared tag when it can be true.
//!
//! Nodata tags of the field's files lie: 128 in signed bytes, 0 where 0 is a class, none at all. A tag never turns
//! a class into nodata unseen, and an impossible one is told.

use serde::Serialize;

use super::legend::{ClassCode, Legend};

/// What became of the declared nodata tag.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum TagVerdict {
    /// The file declares none.
    Absent,
    /// The legend lists the value anyway.
    Listed {
        /// The tag.
        value: ClassCode,
    },
    /// The legend does not list it; it can be true, so it counts as nodata too.
    Added {
        /// The tag.
        value: ClassCode,
    },
    /// It is NaN, which a float raster can hold; NaN always counts as nodata.
    NotANumber,
    /// The data type can hold it, but no class code is so large: it counts as nodata, as NaN does.
    BeyondClasses {
        /// The tag.
        declared: f64,
    },
    /// It is a class of the legend; the class is kept.
    Class {
        /// The tag.
        value: ClassCode,
    },
    /// No cell can hold it. In a signed byte the value with the same bits is what was meant.
    Impossible {
        /// The tag as declared.
        declared: f64,
        /// The value taken instead.
        meant: Option<ClassCode>,
    },
}

impl TagVerdict {
    /// Judges a tag.
    ///
    /// `range` is the smallest and largest whole number of the data type, `type_word` its name.
    pub fn judge(legend: &Legend, tag: Option<f64>, range: (f64, f64), signed_byte: bool) -> Self {
        let Some(tag) = tag else { return Self::Absent };
        if tag.is_nan() {
            return Self::NotANumber;
        }
        let fits = tag.fract() == 0.0 && tag >= range.0 && tag <= range.1;
        let holds = tag >= range.0 && tag <= range.1;
        if holds && (tag > f64::from(i32::MAX) || tag <= f64::from(i32::MIN)) {
            return Self::BeyondClasses { declared: tag };
        }
        if !fits {
            let twin = (signed_byte && (128.0..=255.0).contains(&tag)).then_some(tag as ClassCode - 256);
            return Self::Impossible {
                declared: tag,
                meant: twin.filter(|value| legend.class(*value).is_none()),
            };
        }
        let value = tag as ClassCode;
        if legend.class(value).is_some() {
            Self::Class { value }
        } else if legend.absence(value).is_some() {
            Self::Listed { value }
        } else {
            Self::Added { value }
        }
    }

    /// The value that the tag adds to those of the legend.
    pub fn adds(&self) -> Option<ClassCode> {
        match self {
            Self::Added { value } | Self::Listed { value } => Some(*value),
            Self::Impossible { meant, .. } => *meant,
            _ => None,
        }
    }

    /// A warning, where the tag lies.
    pub fn warning(&self, type_word: &str) -> Option<String> {
        match self {
            Self::Class { value } => {
                Some(format!("the nodata tag {value} is a class of the legend; its cells keep their class"))
            }
            Self::Impossible { declared, meant: Some(meant) } => Some(format!(
                "the nodata tag {declared} is impossible in {type_word}; {meant} has the same bits and counts as nodata"
            )),
            Self::Impossible { declared, meant: None } => {
                Some(format!("the nodata tag {declared} is impossible in {type_word} and was left aside"))
            }
            _ => None,
        }
    }

    /// The verdict in words, for `info` and `plan`.
    pub fn words(&self) -> String {
        match self {
            Self::Absent => "no tag".into(),
            Self::Listed { value } => format!("tag {value}, which the legend lists"),
            Self::Added { value } => format!("tag {value}, taken beside what the legend lists"),
            Self::NotANumber => "tag NaN".into(),
            Self::BeyondClasses { declared } => format!("tag {declared}"),
            Self::Class { value } => format!("tag {value} is a class: not taken"),
            Self::Impossible { declared, meant: Some(meant) } => {
                format!("tag {declared} is impossible; taken as {meant}")
            }
            Self::Impossible { declared, meant: None } => format!("tag {declared} is impossible: not taken"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::legend::{Absence, NodataValue, Status};

    fn legend() -> Legend {
        let listed = |value| NodataValue {
            value,
            meaning: Absence::Outside,
            status: Status::Published,
            source: "test".into(),
            note: None,
        };
        Legend { id: "n".into(), nodata: vec![listed(-128)], ..Legend::raw() }
    }

    #[test]
    fn the_cecs_signed_bytes_tagged_128_are_read_right_and_told() {
        let verdict = TagVerdict::judge(&legend(), Some(128.0), (-128.0, 127.0), true);
        assert_eq!(verdict, TagVerdict::Impossible { declared: 128.0, meant: Some(-128) });
        assert!(verdict.warning("int8").is_some_and(|w| w.contains("128 is impossible in int8")));
    }

    #[test]
    fn a_tag_counts_only_where_it_can_be_true() {
        let judge = |tag, range| TagVerdict::judge(&legend(), tag, range, false);
        assert_eq!(judge(Some(255.0), (0.0, 255.0)), TagVerdict::Added { value: 255 });
        assert_eq!(judge(Some(-9999.0), (0.0, 255.0)).adds(), None);
        assert_eq!(judge(Some(f64::NAN), (f64::MIN, f64::MAX)), TagVerdict::NotANumber);
        assert_eq!(judge(None, (0.0, 255.0)).adds(), None);
        let float = (f64::from(f32::MIN), f64::from(f32::MAX));
        assert_eq!(judge(Some(float.0), float), TagVerdict::BeyondClasses { declared: float.0 });
        let whole = (f64::from(i32::MIN), f64::from(i32::MAX));
        assert_eq!(judge(Some(whole.0), whole), TagVerdict::BeyondClasses { declared: whole.0 });
        assert_eq!(judge(Some(whole.0), whole).warning("int32"), None);
    }
}
