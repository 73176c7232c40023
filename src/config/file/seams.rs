//! Whether and how seams are looked for, as a job file says it.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// `seams`: whether seams between sections are looked for, `true` or a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SeamsFile {
    /// How far behind the boundary control lines lie, in cells; `None` looks for no seams.
    pub control_cells: Option<usize>,
}

/// The table form of `seams`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SeamsTable {
    control_cells: usize,
}

impl Default for SeamsTable {
    fn default() -> Self {
        Self { control_cells: 8 }
    }
}

impl<'de> Deserialize<'de> for SeamsFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Seams;

        impl<'de> Visitor<'de> for Seams {
            type Value = SeamsFile;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("true, false, or a table with `control_cells`")
            }

            fn visit_bool<E>(self, wanted: bool) -> std::result::Result<SeamsFile, E> {
                Ok(SeamsFile { control_cells: wanted.then(|| SeamsTable::default().control_cells) })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<SeamsFile, A::Error> {
                let table = SeamsTable::deserialize(MapAccessDeserializer::new(map))?;
                Ok(SeamsFile { control_cells: Some(table.control_cells) })
            }
        }

        deserializer.deserialize_any(Seams)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seams_are_a_word_or_a_table() {
        #[derive(Deserialize)]
        struct Keys {
            #[serde(default)]
            seams: SeamsFile,
        }
        let control = |text: &str| toml::from_str::<Keys>(text).map(|keys| keys.seams.control_cells);
        assert_eq!(control(""), Ok(None));
        assert_eq!(control("seams = false"), Ok(None));
        assert_eq!(control("seams = true"), Ok(Some(8)));
        assert_eq!(control("[seams]"), Ok(Some(8)));
        assert_eq!(control("seams = { control_cells = 3 }"), Ok(Some(3)));
        let typo = control("seams = { control_cell = 3 }").unwrap_err().to_string();
        assert!(typo.contains("control_cell`") && typo.contains("`control_cells`"), "{typo}");
        let word = control("seams = 8").unwrap_err().to_string();
        assert!(word.contains("true, false, or a table with `control_cells`"), "{word}");
    }
}
