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
use crate::model::source::{Role, SourceIndex};

use super::zones::PairFacts;

/// The true time between the maps of a pair of years, by the sources that decided a cell.
pub struct Spans {
    pair: Interval,
    /// Date of each source's map at the first year.
    from: Vec<MapDate>,
    /// At the second.
    to: Vec<MapDate>,
    /// Which sources stand for the band of water along the coast, which is one for all years.
    fringes: Vec<bool>,
}

impl Spans {
    /// Those of a pair. A map without a date has its mapped year.
    pub fn of(job: &Job, pair: Interval) -> Self {
        let date = |source: &Source, year: Epoch| {
            let date = source.maps.get(&year).and_then(|map| MapDate::parse(map.date.as_deref()?));
            date.unwrap_or(MapDate::Year(year))
        };
        let dates = |year: Epoch| job.sources.iter().map(|source| date(source, year)).collect();
        let fringes = job.sources.iter().map(|source| source.role == Role::Fringe).collect();
        Self { pair, from: dates(pair.from), to: dates(pair.to), fringes }
    }

    /// The time between the maps of two sources.
    pub fn between(&self, from: SourceIndex, to: SourceIndex) -> Span {
        let date = |dates: &[MapDate], source: SourceIndex, year: Epoch| {
            dates.get(usize::from(source)).copied().unwrap_or(MapDate::Year(year))
        };
        Span::between(date(&self.from, from, self.pair.from), date(&self.to, to, self.pair.to))
    }

    /// The time between the mapped years.
    pub fn mapped(&self) -> Span {
        Span::between(MapDate::Year(self.pair.from), MapDate::Year(self.pair.to))
    }

    /// Whether cells of two sources have no time of their own: the fringe is water whatever the year.
    pub fn is_timeless(&self, from: SourceIndex, to: SourceIndex) -> bool {
        let is_fringe = |source: SourceIndex| self.fringes.get(usize::from(source)).copied().unwrap_or(false);
        is_fringe(from) && is_fringe(to)
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
///
/// Cells without a time of their own, which did not change either, go with the shortest time of the zone; with that between the
/// mapped years where the zone has no others.
#[derive(Debug, Clone, Default)]
pub struct ZoneFlows {
    by_span: BTreeMap<Span, Flows>,
    timeless: Flows,
    mapped: Option<Span>,
}

/// By class; `None` is all classes together.
type Flows = BTreeMap<Option<ClassCode>, Flow>;

impl ZoneFlows {
    /// Sorts a count in.
    pub fn add(&mut self, joint: &Joint, amount: Amount, pair: &PairFacts) {
        let (Some(from), Some(to)) = (joint.from, joint.to) else { return };
        if pair.comparability.leaves_out(joint.from_source, joint.to_source) {
            return;
        }
        let (from_source, to_source) = (joint.from_source, joint.to_source);
        self.mapped = Some(pair.spans.mapped());
        let flows = if pair.spans.is_timeless(from_source, to_source) {
            &mut self.timeless
        } else {
            self.by_span.entry(pair.spans.between(from_source, to_source)).or_default()
        };
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

    /// The time that cells without one of their own go with.
    fn of_the_timeless(&self) -> Option<Span> {
        let shortest = self.by_span.keys().find(|span| span.is_positive()).copied();
        if self.by_span.is_empty() { self.mapped.filter(|span| span.is_positive()) } else { shortest }
    }

    /// Those of a class, or of all, whose maps follow each other, by the time between them.
    pub fn with_interval(&self, class: Option<ClassCode>) -> Vec<(Span, Flow)> {
        let flows = self.by_span.iter().filter(|(span, _)| span.is_positive());
        let mut flows: BTreeMap<Span, Flow> =
            flows.filter_map(|(span, flows)| Some((*span, *flows.get(&class)?))).collect();
        if let (Some(span), Some(timeless)) = (self.of_the_timeless(), self.timeless.get(&class)) {
            flows.entry(span).or_default().touched += timeless.touched;
        }
        flows.into_iter().collect()
    }

    /// Cells of a class, or of all, whose maps do not follow each other: they have no rate.
    pub fn without_interval(&self, class: Option<ClassCode>) -> Amount {
        let flows = self.by_span.iter().filter(|(span, _)| !span.is_positive());
        let flows = flows.filter_map(|(_, flows)| flows.get(&class));
        let timeless = self.timeless.get(&class).filter(|_| self.of_the_timeless().is_none());
        flows.chain(timeless).map(|flow| flow.touched).sum()
    }
}
