//! Codes instead of values: a byte per cell, whatever type the classes have.

use std::collections::BTreeMap;

use ndarray::{ArrayView2, ArrayViewMut1, Axis};

use crate::kernel::ClassValue;
use crate::model::window::BLOCK;

/// Cells that are compared at once while a run lasts.
const STRIDE: usize = 16;

/// Gives the values of a block codes of one byte; bytes are their own codes.
pub(super) struct Coder<T> {
    values: Vec<T>,
    order: [u8; 256],
    known: BTreeMap<T, u8>,
    /// The value last met of each residue, and its code.
    recent: [Option<(T, u8)>; 256],
    plane: Vec<u8>,
    /// Whether codes are numbers given here; else they are the values.
    numbered: bool,
}

impl<T> Default for Coder<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            order: std::array::from_fn(|code| code as u8),
            known: BTreeMap::new(),
            recent: [const { None }; 256],
            plane: Vec::new(),
            numbered: true,
        }
    }
}

/// A block in codes.
pub(super) struct Coded<'a, T> {
    rows: [&'a [u8]; BLOCK],
    height: usize,
    /// The code of nodata.
    pub(super) nodata: u8,
    /// Where each code stands in the order of the values.
    pub(super) order: &'a [u8; 256],
    values: &'a [T; 256],
    numbered: bool,
}

impl<'a, T: ClassValue> Coded<'a, T> {
    /// The codes, row by row.
    pub(super) fn rows(&self) -> &[&'a [u8]] {
        &self.rows[..self.height]
    }

    /// The value of a code.
    pub(super) fn value(&self, code: u8) -> T {
        self.values[usize::from(code)]
    }

    /// Writes the values of a row of codes.
    pub(super) fn decode(&self, codes: &[u8], line: &mut ArrayViewMut1<T>) {
        let Some(cells) = line.as_slice_mut() else {
            line.iter_mut().zip(codes).for_each(|(cell, &code)| *cell = self.value(code));
            return;
        };
        if let Some(bytes) = T::bytes_mut(cells).filter(|_| !self.numbered) {
            bytes.copy_from_slice(codes);
            return;
        }
        let (strides, rest) = cells.as_chunks_mut::<STRIDE>();
        let (codes, codes_rest) = codes.as_chunks::<STRIDE>();
        for (cells, codes) in strides.iter_mut().zip(codes) {
            if *codes == [codes[0]; STRIDE] {
                *cells = [self.value(codes[0]); STRIDE];
            } else {
                *cells = codes.map(|code| self.value(code));
            }
        }
        rest.iter_mut().zip(codes_rest).for_each(|(cell, &code)| *cell = self.value(code));
    }
}

impl<T: ClassValue> Coder<T> {
    /// The codes of a block of at most 512 x 512 cells; `None` if it has more than 255 classes.
    pub(super) fn code<'a>(&'a mut self, block: ArrayView2<'a, T>, nodata: T) -> Option<Coded<'a, T>> {
        let (height, width) = block.dim();
        let mut rows: [&[u8]; BLOCK] = [&[]; BLOCK];
        let mut are_bytes = true;
        for (row, slot) in rows.iter_mut().take(height).enumerate() {
            let bytes = block.index_axis_move(Axis(0), row).to_slice().and_then(T::bytes);
            are_bytes &= bytes.is_some();
            *slot = bytes.unwrap_or_default();
        }
        if are_bytes {
            if self.values.len() < 256 || self.numbered {
                self.values.clear();
                self.values.extend((0..256).map(|code| T::from_code(code).unwrap_or(nodata)));
                self.order = std::array::from_fn(|code| code as u8);
                self.numbered = false;
            }
        } else {
            self.numbered = true;
            self.number(block, nodata)?;
            for (slot, codes) in rows.iter_mut().zip(self.plane.chunks_exact(width)) {
                *slot = codes;
            }
        }
        let nodata = if are_bytes { nodata.code() as u8 } else { 0 };
        Some(Coded {
            rows,
            height,
            nodata,
            order: &self.order,
            values: self.values.first_chunk()?,
            numbered: !are_bytes,
        })
    }

    /// Fills the plane of codes; nodata is code 0, the others are numbered as they are met.
    fn number(&mut self, block: ArrayView2<T>, nodata: T) -> Option<()> {
        self.values.clear();
        self.values.push(nodata);
        self.known = BTreeMap::from([(nodata, 0)]);
        self.recent = [None; 256];
        let (height, width) = block.dim();
        let mut plane = std::mem::take(&mut self.plane);
        plane.resize(height * width, 0);
        let mut run = (nodata, 0);
        let mut copied = Vec::new();
        for (line, codes) in block.outer_iter().zip(plane.chunks_exact_mut(width)) {
            let cells = line.to_slice().unwrap_or_else(|| {
                copied.clear();
                copied.extend(line.iter().copied());
                &copied
            });
            let (strides, rest) = cells.as_chunks::<STRIDE>();
            let (codes, codes_rest) = codes.as_chunks_mut::<STRIDE>();
            for (cells, codes) in strides.iter().zip(codes) {
                if cells.iter().fold(true, |alike, &cell| alike & (cell == run.0)) {
                    *codes = [run.1; STRIDE];
                } else {
                    self.number_cells(cells, &mut run, codes)?;
                }
            }
            self.number_cells(rest, &mut run, codes_rest)?;
        }
        self.plane = plane;
        for (place, code) in self.known.values().enumerate() {
            self.order[usize::from(*code)] = place as u8;
        }
        self.values.resize(256, nodata);
        Some(())
    }

    fn number_cells(&mut self, cells: &[T], run: &mut (T, u8), codes: &mut [u8]) -> Option<()> {
        for (&value, code) in cells.iter().zip(codes) {
            if value != run.0 {
                *run = (value, self.code_of(value)?);
            }
            *code = run.1;
        }
        Some(())
    }

    /// The code of a value, a new one at first sight; `None` when all are given away.
    fn code_of(&mut self, value: T) -> Option<u8> {
        // Change codes differ in their hundreds and ones; spread both.
        let slot = &mut self.recent[((value.code() as u32).wrapping_mul(0x9E37_79B1) >> 24) as usize];
        match *slot {
            Some((of, code)) if of == value => Some(code),
            _ => {
                let code = match self.known.get(&value) {
                    Some(&code) => code,
                    None => {
                        let code = u8::try_from(self.values.len()).ok()?;
                        self.values.push(value);
                        self.known.insert(value, code);
                        code
                    }
                };
                *slot = Some((value, code));
                Some(code)
            }
        }
    }
}
