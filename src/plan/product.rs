//! The rasters of a product: what each shows, where it lies, how its cells are stored.

use std::collections::BTreeSet;

use super::Plan;
use super::inputs::InputHeader;
use crate::config::job::Job;
use crate::error::{Error, Result};
use crate::io::cog::SampleType;
use crate::io::gdal::SampleKind;
use crate::kernel::change::CHANGE_NODATA;
use crate::model::epoch::Interval;
use crate::model::fraction::{FRACTION_NODATA, Fraction};
use crate::model::legend::ClassCode;
use crate::model::nodata::TagVerdict;
use crate::model::provenance::OUTSIDE;
use crate::model::rule::NAN_VALUE;

/// One raster of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// The mosaic of an epoch, by position.
    Landcover(usize),
    /// The changes of a pair, by position.
    Change(usize),
    /// The share of something in each cell of the mosaic of an epoch, by position.
    Fraction(usize, Fraction),
    /// Where each cell of the mosaic of an epoch comes from, by position.
    Provenance(usize),
}

impl Product {
    /// All rasters of a job of some epochs and pairs, in the order of parts.
    pub fn all(job: &Job, epochs: usize, pairs: usize) -> Vec<Self> {
        let of = |wanted: bool, n: usize| 0..if wanted { n } else { 0 };
        let fractions = of(job.products.fractions, epochs).flat_map(|epoch| {
            Fraction::all(&job.target).into_iter().map(move |fraction| Self::Fraction(epoch, fraction))
        });
        let maps = of(job.products.landcover, epochs).map(Self::Landcover);
        let provenance = of(job.products.provenance, epochs).map(Self::Provenance);
        maps.chain(of(job.products.change, pairs).map(Self::Change))
            .chain(fractions)
            .chain(provenance)
            .collect()
    }
}

/// How classes are held and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storage {
    /// Whether classes fit in a byte while they are worked on (every legend but `raw`).
    pub bytes: bool,
    /// Data type of the maps on disk.
    pub sample: SampleType,
    /// Nodata while classes are worked on.
    pub nodata: ClassCode,
    /// Nodata on disk; `None` where the maps have none to write.
    pub stored_nodata: Option<i64>,
}

impl Storage {
    /// A byte for legends, what the inputs have for `raw`.
    ///
    /// # Errors
    /// Input: rasters without a legend that differ in data type or nodata.
    pub fn of(job: &Job, headers: &[&InputHeader], warnings: &mut Vec<String>) -> Result<Self> {
        if !job.target.is_raw() {
            let fill = job.target.fill;
            return Ok(Self {
                bytes: true,
                sample: SampleType::U8,
                nodata: fill,
                stored_nodata: Some(fill.into()),
            });
        }
        let kinds: BTreeSet<&str> = headers.iter().map(|h| h.header.sample.word()).collect();
        let Some(first) = headers.first() else { return Err(Error::usage("there is no input")) };
        if kinds.len() > 1 {
            return Err(Error::input("rasters without a legend must share a data type")
                .found(kinds.into_iter().collect::<Vec<_>>().join(", "))
                .help("convert them first, or name their legend with --legend"));
        }
        let sample = match first.header.sample {
            SampleKind::U8 => SampleType::U8,
            SampleKind::I8 => SampleType::I8,
            SampleKind::U16 => SampleType::U16,
            SampleKind::I16 => SampleType::I16,
            SampleKind::I32 => SampleType::I32,
            other => {
                warnings.push(format!("{} is written as int32", other.word()));
                SampleType::I32
            }
        };
        let given = job.sources.iter().flat_map(|s| s.maps.values()).find_map(|m| m.nodata);
        let range = first.header.sample.range();
        let signed_byte = first.header.sample == SampleKind::I8;
        let verdict =
            |h: &&InputHeader| TagVerdict::judge(&job.target, h.header.nodata_tag, range, signed_byte);
        let tags: BTreeSet<Option<ClassCode>> = headers.iter().map(|h| verdict(h).adds()).collect();
        if given.is_none() && tags.len() > 1 {
            let told = |tag: &Option<ClassCode>| tag.map_or("none".to_string(), |t| t.to_string());
            return Err(Error::input("rasters without a legend must share a nodata value")
                .found(tags.iter().map(told).collect::<Vec<_>>().join(", "))
                .help("give the one that holds for all: --nodata VALUE"));
        }
        // What is not written in its own type, or has a nodata value that no class can be, is written with ours.
        let beyond = |h: &&InputHeader| matches!(verdict(h), TagVerdict::BeyondClasses { .. });
        let converted = sample == SampleType::I32 && first.header.sample != SampleKind::I32;
        let ours = (converted || headers.iter().any(beyond)).then_some(NAN_VALUE);
        let stored_nodata = given.or(tags.into_iter().next().flatten()).or(ours).map(i64::from);
        Ok(Self { bytes: false, sample, nodata: NAN_VALUE, stored_nodata })
    }
}

impl Plan {
    /// Data type and nodata of a product on disk.
    pub fn sample_of(&self, product: Product) -> (SampleType, Option<i64>) {
        match product {
            Product::Landcover(_) => (self.storage.sample, self.storage.stored_nodata),
            Product::Change(_) => (SampleType::U16, Some(CHANGE_NODATA.into())),
            Product::Fraction(..) => (SampleType::U16, Some(FRACTION_NODATA.into())),
            Product::Provenance(_) => (SampleType::U8, Some(OUTSIDE.into())),
        }
    }

    /// Nodata of a product's cells while they are worked on.
    pub fn nodata_of(&self, product: Product) -> ClassCode {
        match product {
            Product::Landcover(_) => self.storage.nodata,
            Product::Change(_) => CHANGE_NODATA.into(),
            Product::Fraction(..) => FRACTION_NODATA.into(),
            Product::Provenance(_) => OUTSIDE.into(),
        }
    }

    /// Path of a product below the output folder.
    pub fn path_of(&self, product: Product) -> String {
        let resolution = self.grid.resolution_word();
        let name = match &self.grid_id {
            Some(id) => format!("{}_{id}", self.job.name),
            None => self.job.name.clone(),
        };
        match product {
            Product::Landcover(epoch) => {
                format!("landcover/{name}_landcover_{}_{resolution}.tif", self.epochs[epoch].year)
            }
            Product::Change(pair) => {
                let Interval { from, to } = self.pairs[pair];
                format!("change/{name}_change_{from}_{to}_{resolution}.tif")
            }
            Product::Fraction(epoch, fraction) => {
                let (word, year) = (fraction.word(), self.epochs[epoch].year);
                format!("fraction/{name}_{word}_{year}_{resolution}.tif")
            }
            Product::Provenance(epoch) => {
                format!("provenance/{name}_source_{}_{resolution}.tif", self.epochs[epoch].year)
            }
        }
    }
}
