//! Change per year: cells by the true time between the maps that decided them.
//!
//! Sections are mapped in different years. What changed per year in a zone of several is the sum of what changed per year in
//! each, never a total divided by some time between two years.

use std::collections::BTreeMap;

use crate::config::job::{Job, Source};
use crate::kernel::tabulate::Joint;
use crate::model::area::Amount;
use crate::model::date::{MapDate, Span};
use crate::model::epoch::{Epoch, Interval};
use crate::model::legend::ClassCode;
use crate::model::source::SourceIndex;

use super::zones::PairFacts;

/// The true time between the maps of a pair of years, by the sources that decided a cell.
pub struct Spans {
    pair: Interval,
    /// Date of each source's map at the first year.
    from: Vec<MapDate>,
    /// At the second.
    to: Vec<MapDate>,
}

impl Spans {
    /// Those of a pair. A map without a date has its mapped year.
    pub fn of(job: &Job, pair: Interval) -> Self {
        let date = |source: &Source, year: Epoch| {
            let date = source.maps.get(&year).and_then(|map| MapDate::parse(map.date.as_deref()?));
            date.unwrap_or(MapDate::Year(year))
        };
        let dates = |year: Epoch| job.sources.iter().map(|source| date(source, year)).collect();
        Self { pair, from: dates(pair.from), to: dates(pair.to) }
    }

    /// The time between the maps of two sources.
    pub fn between(&self, from: SourceIndex, to: SourceIndex) -> Span {
        let date = |dates: &[MapDate], source: SourceIndex, year: Epoch| {
            dates.get(usize::from(source)).copied().unwrap_or(MapDate::Year(year))
        };
        Span::between(date(&self.from, from, self.pair.from), date(&self.to, to, self.pair.to))
    }
}

/// What happened to a class, or to all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flow {
    /// Cells that have the class in one of the years or in both.
    pub touched: Amount,
    /// Cells that became it.
    pub gain: Amount,
    /// Cells that ceased to be it.
    pub loss: Amount,
}

/// What happened to the cells of a zone that are compared, by the true time between their maps, by class; `None` is all
/// classes together.
#[derive(Debug, Clone, Default)]
pub struct ZoneFlows(BTreeMap<Span, BTreeMap<Option<ClassCode>, Flow>>);

impl ZoneFlows {
    /// Sorts a count in.
    pub fn add(&mut self, joint: &Joint, amount: Amount, pair: &PairFacts) {
        let (Some(from), Some(to)) = (joint.from, joint.to) else { return };
        if pair.comparability.leaves_out(joint.from_source, joint.to_source) {
            return;
        }
        let flows = self.0.entry(pair.spans.between(joint.from_source, joint.to_source)).or_default();
        let changed = from != to;
        let mut note = |class: Option<ClassCode>, gains: bool, loses: bool| {
            let flow = flows.entry(class).or_default();
            flow.touched += amount;
            let where_it = |holds: bool| if holds { amount } else { Amount::default() };
            flow.gain += where_it(gains);
            flow.loss += where_it(loses);
        };
        note(None, changed, changed);
        note(Some(from), false, changed);
        if changed {
            note(Some(to), true, false);
        }
    }

    /// Those of a class, or of all, whose maps follow each other, by the time between them.
    pub fn with_interval(&self, class: Option<ClassCode>) -> Vec<(Span, Flow)> {
        let flows = self.0.iter().filter(|(span, _)| span.is_positive());
        flows.filter_map(|(span, flows)| Some((*span, *flows.get(&class)?))).collect()
    }

    /// Cells of a class, or of all, whose maps do not follow each other: they have no rate.
    pub fn without_interval(&self, class: Option<ClassCode>) -> Amount {
        let flows = self.0.iter().filter(|(span, _)| !span.is_positive());
        flows.filter_map(|(_, flows)| Some(flows.get(&class)?.touched)).sum()
    }
}
