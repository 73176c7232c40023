//! Third group, fourth part: the shares of a cell add up to the whole, and the map shows the class with the largest.
//!
//! Which smaller cells voted cannot be seen in an output; what their shares must be to each other and to the map can.

use ndarray::Array2;

use super::findings::Findings;
use super::rasters::Raster;
use crate::model::fraction::{FRACTION_NODATA, Fraction, WHOLE};
use crate::model::legend::ClassCode;
use crate::model::window::Window;

/// What the shares of a cell came to, raster after raster.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Rasters that have a share.
    told: u16,
    /// Of all parts.
    sum: i32,
    /// Of the classes.
    classes: i32,
    /// The largest of a class.
    most: i32,
    /// That of the cell's own class in the map.
    own: Option<i32>,
    /// What the raster of purity says.
    purity: Option<i32>,
}

/// The shares in the cells of a square of one map, in the making.
pub struct Shares {
    cells: Array2<Cell>,
    /// Rasters of parts that were added.
    parts: u16,
    /// Rasters of classes among them.
    classes: u16,
    has_purity: bool,
}

impl Shares {
    /// None added yet.
    pub fn new(shape: (usize, usize)) -> Self {
        let cell = Cell { told: 0, sum: 0, classes: 0, most: 0, own: None, purity: None };
        Self { cells: Array2::from_elem(shape, cell), parts: 0, classes: 0, has_purity: false }
    }

    /// Adds a raster of shares; `map` says which class a cell has.
    ///
    /// # Shape
    /// Both have that of the square.
    pub fn add(&mut self, fraction: Fraction, shares: &Array2<i32>, map: &Array2<Option<ClassCode>>) {
        let has_share = |share: i32| share != i32::from(FRACTION_NODATA);
        match fraction {
            Fraction::Purity => self.has_purity = true,
            Fraction::Class(_) => (self.parts, self.classes) = (self.parts + 1, self.classes + 1),
            Fraction::NoData | Fraction::Outside => self.parts += 1,
        }
        for ((cell, &share), &class) in self.cells.iter_mut().zip(shares).zip(map) {
            if !has_share(share) {
                continue;
            }
            if fraction == Fraction::Purity {
                cell.purity = Some(share);
                continue;
            }
            (cell.told, cell.sum) = (cell.told + 1, cell.sum + share);
            if let Fraction::Class(code) = fraction {
                (cell.classes, cell.most) = (cell.classes + share, cell.most.max(share));
                if class == Some(code) {
                    cell.own = Some(share);
                }
            }
        }
    }

    /// Compares all that was added, of a square of a map; gives the number of cells.
    pub fn check(
        &self,
        square: &Window,
        map: (&Raster, &Array2<Option<ClassCode>>),
        findings: &mut Findings,
    ) -> u64 {
        if self.parts == 0 {
            return 0;
        }
        for (((row, col), cell), class) in self.cells.indexed_iter().zip(map.1) {
            let Some(wrong) = self.wrong(cell, *class) else { continue };
            findings.add(&map.0.name, "shares", || {
                format!("row {}, column {}: {wrong}", square.row + row as i64, square.col + col as i64)
            });
        }
        square.cells()
    }

    /// What is wrong with a cell of a class.
    fn wrong(&self, cell: &Cell, class: Option<ClassCode>) -> Option<String> {
        // A share may be rounded by nearly one.
        let (rounding, half) = (i32::from(self.classes), i32::from(WHOLE) / 2);
        if cell.told != 0 && cell.told != self.parts {
            return Some(format!("{} of {} fractions have a share", cell.told, self.parts));
        }
        if cell.told != 0 && cell.sum != i32::from(WHOLE) {
            return Some(format!("the shares add up to {}; expected {WHOLE}", cell.sum));
        }
        let Some(class) = class else {
            let purity = cell.purity.filter(|_| self.has_purity);
            return match purity {
                Some(purity) => Some(format!("its purity is {purity}, but it has no class")),
                None if cell.classes > half + rounding => {
                    Some(format!("classes have {} of it, but it has none in the map", cell.classes))
                }
                None => None,
            };
        };
        let Some(own) = cell.own else { return Some(format!("is class {class}, which has no share of it")) };
        if own + 1 < cell.most {
            return Some(format!("is class {class}, which has {own} of it; another has {}", cell.most));
        }
        if cell.classes < half - rounding {
            return Some(format!("is class {class}, but classes have only {} of it", cell.classes));
        }
        (self.has_purity && cell.purity != Some(own))
            .then(|| format!("its purity is {:?}; class {class} has {own} of it", cell.purity))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn wrong(shares: [(Fraction, i32); 5], class: Option<ClassCode>) -> Option<String> {
        let map = array![[class]];
        let mut sums = Shares::new((1, 1));
        shares.into_iter().for_each(|(fraction, share)| sums.add(fraction, &array![[share]], &map));
        sums.wrong(&sums.cells[(0, 0)], class)
    }

    fn of(a: i32, b: i32, nodata: i32, outside: i32, purity: i32) -> [(Fraction, i32); 5] {
        let parts =
            [Fraction::Class(5), Fraction::Class(9), Fraction::NoData, Fraction::Outside, Fraction::Purity];
        let mut shares = [a, b, nodata, outside, purity].into_iter();
        parts.map(|part| (part, shares.next().unwrap()))
    }

    #[test]
    fn each_law_is_missed_where_it_is_broken() {
        let none = i32::from(FRACTION_NODATA);
        assert_eq!(wrong(of(6000, 3000, 600, 400, 6000), Some(5)), None);
        assert_eq!(wrong(of(none, none, none, none, none), None), None);
        assert_eq!(wrong(of(3000, 1000, 0, 6000, none), None), None);
        let broken = [
            (of(6000, 3000, 600, none, 6000), Some(5), "3 of 4 fractions"),
            (of(6000, 3000, 600, 401, 6000), Some(5), "add up to 10001"),
            (of(3000, 6000, 600, 400, 3000), Some(5), "another has 6000"),
            (of(6000, 3000, 600, 400, 5999), Some(5), "purity is Some(5999)"),
            (of(6000, 3000, 600, 400, none), Some(5), "purity is None"),
            (of(6000, 3000, 600, 400, none), None, "classes have 9000"),
            (of(3000, 1000, 0, 6000, 3000), None, "but it has no class"),
            (of(3000, 1000, 0, 6000, 3000), Some(5), "only 4000"),
            (of(none, none, none, none, none), Some(5), "has no share"),
        ];
        for (shares, class, words) in broken {
            let told = wrong(shares, class).unwrap_or_default();
            assert!(told.contains(words), "{told}");
        }
    }
}
