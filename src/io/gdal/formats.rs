//! Formats of rasters, by the names GDAL has for them.

use serde::{Deserialize, Serialize};

use crate::error::did_you_mean;

/// A format that a raster may have.
///
/// All are files on the disk that hold their cells, with companions of their own name; a VRT is read before GDAL reads
/// it. Left out are formats that name other files or hosts, and those that no map of classes comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum RasterFormat {
    /// GeoTIFF.
    GTiff,
    /// Erdas Imagine.
    #[serde(rename = "HFA")]
    Hfa,
    /// A mosaic of GeoTIFFs in GDAL's virtual format.
    #[serde(rename = "VRT")]
    Vrt,
    /// Arc/Info ASCII grid.
    #[serde(rename = "AAIGrid")]
    AaiGrid,
    /// Arc/Info binary grid.
    #[serde(rename = "AIG")]
    Aig,
    /// Bytes with an Esri header.
    #[serde(rename = "EHdr")]
    EHdr,
    /// Bytes with an ENVI header.
    #[serde(rename = "ENVI")]
    Envi,
    /// Idrisi.
    #[serde(rename = "RST")]
    Rst,
}

impl RasterFormat {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::GTiff, Self::Hfa, Self::Vrt, Self::AaiGrid, Self::Aig, Self::EHdr, Self::Envi, Self::Rst];

    /// Those that are read unasked.
    pub const DEFAULT: [Self; 2] = [Self::GTiff, Self::Hfa];

    /// GDAL's name.
    pub const fn driver(self) -> &'static str {
        match self {
            Self::GTiff => "GTiff",
            Self::Hfa => "HFA",
            Self::Vrt => "VRT",
            Self::AaiGrid => "AAIGrid",
            Self::Aig => "AIG",
            Self::EHdr => "EHdr",
            Self::Envi => "ENVI",
            Self::Rst => "RST",
        }
    }

    /// The format of a GDAL driver.
    pub fn of_driver(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.driver() == name)
    }

    /// Reads a name as users write it, in any case.
    ///
    /// # Errors
    /// The words for the user: the names there are, and the one that was meant.
    pub fn parse(name: &str) -> std::result::Result<Self, String> {
        let names = Self::ALL.map(Self::driver);
        if let Some(found) = Self::ALL.into_iter().find(|f| f.driver().eq_ignore_ascii_case(name)) {
            return Ok(found);
        }
        let near = did_you_mean(name, names).map(|near| format!("; did you mean `{near}`?"));
        let near = near.unwrap_or_default();
        Err(format!("there is no format `{name}`; expected one of {}{near}", names.join(", ")))
    }
}

impl<'de> Deserialize<'de> for RasterFormat {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_format_is_met_with_a_suggestion() {
        assert_eq!(RasterFormat::parse("gtiff"), Ok(RasterFormat::GTiff));
        let words = RasterFormat::parse("GTif").unwrap_err();
        assert!(words.contains("did you mean `GTiff`?"), "{words}");
        let words = RasterFormat::parse("netCDF").unwrap_err();
        assert!(words.contains("no format `netCDF`") && words.contains("VRT"), "{words}");
    }
}
