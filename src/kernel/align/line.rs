//! One coordinate along a line of a patch: a polynomial, and which cells its places lie in.

/// Cells from node to node; nodes stand at multiples of it, counted from the lattice's origin.
pub const STEP: i64 = 64;

/// Side of a patch: three nodes.
pub const SIDE: i64 = 2 * STEP;

/// A polynomial of the second degree: `value(t) = (c t + b) t + a`, t in steps of nodes.
#[derive(Debug, Clone, Copy)]
pub struct Quadratic {
    a: f64,
    b: f64,
    c: f64,
}

impl Quadratic {
    /// Through three values at t = 0, 1 and 2.
    #[inline(always)]
    pub fn through([first, middle, last]: [f64; 3]) -> Self {
        let bend = (first - 2.0 * middle + last) / 2.0;
        Self { a: first, b: middle - first - bend, c: bend }
    }

    #[inline(always)]
    pub fn at(self, t: f64) -> f64 {
        (self.c * t + self.b) * t + self.a
    }

    /// How far it is from the straight line between two of its points on a patch, at most.
    #[inline(always)]
    pub fn bulge(self) -> f64 {
        self.c.abs()
    }

    /// The same with the opposite sign, which rounds alike.
    pub fn negated(self) -> Self {
        Self { a: -self.a, b: -self.b, c: -self.c }
    }

    /// How far [`Self::at`] may be from the polynomial's own value on a patch, by rounding: more than the three roundings
    /// of 2^-53 and what they are multiplied by, also where a number for each cell was taken from it.
    #[inline(always)]
    pub fn rounding(self) -> f64 {
        (self.a.abs() + 2.0 * self.b.abs() + 4.0 * self.c.abs() + SIDE as f64) * SHARE
    }

    /// Whether it rises or falls all along a patch.
    #[inline(always)]
    pub fn is_monotone(self) -> bool {
        self.b * (self.b + 4.0 * self.c) >= 0.0
    }

    /// The whole number below it all along a line, if that is one and no place comes within `bound` of another.
    pub fn constant(self, begin: usize, cells: usize, bound: f64) -> Option<i32> {
        let (first, last) = (self.at(steps(begin as i64)), self.at(steps((begin + cells) as i64 - 1)));
        let whole = first.floor();
        let clear = |at: f64| at - whole > bound && at - whole < 1.0 - bound;
        (self.is_monotone() && clear(first) && clear(last)).then_some(whole as i32)
    }
}

/// Lines that are worked on at once.
pub const LINES: usize = 8;

/// As many polynomials as lines are worked on at once.
#[derive(Debug, Clone)]
pub struct Quadratics {
    pub a: [f64; LINES],
    pub b: [f64; LINES],
    pub c: [f64; LINES],
}

impl Quadratics {
    #[inline(always)]
    pub fn of(each: &[Quadratic; LINES]) -> Self {
        Self { a: each.map(|of| of.a), b: each.map(|of| of.b), c: each.map(|of| of.c) }
    }

    #[inline(always)]
    pub fn one(&self, line: usize) -> Quadratic {
        Quadratic { a: self.a[line], b: self.b[line], c: self.c[line] }
    }

    /// The same, less one for each cell of the patch.
    #[inline(always)]
    pub fn less_one_a_cell(&self) -> Self {
        Self { b: self.b.map(|b| b - STEP as f64), ..self.clone() }
    }
}

/// A place in a patch, in steps of nodes.
#[inline(always)]
pub fn steps(cells: i64) -> f64 {
    cells as f64 / STEP as f64
}

/// The share of its numbers that a polynomial's value is taken to be off by rounding at most.
pub const SHARE: f64 = 1.0 / (1u64 << 48) as f64;

/// Adding it leaves no room for fractions: the sum is rounded to the nearest whole number, which its lowest bits are.
pub const ROUNDING: f64 = 1.5 * (1u64 << 52) as f64;

/// Places along a patch, in steps of nodes.
const PLACES: [f64; SIDE as usize] = {
    let mut places = [0.0; SIDE as usize];
    let mut at = 0;
    while at < places.len() {
        places[at] = at as f64 / STEP as f64;
        at += 1;
    }
    places
};

/// The whole number above, or the number itself where it is one.
#[inline(always)]
pub fn up(at: f64) -> f64 {
    let nearest = (at + ROUNDING) - ROUNDING;
    if nearest < at { nearest + 1.0 } else { nearest }
}

/// A whole number of 32 bits.
#[inline(always)]
pub fn whole(at: f64) -> i32 {
    (at + ROUNDING).to_bits() as i32
}

/// How far a coordinate is from the next edge of a cell.
#[inline(always)]
pub fn to_edge(at: f64) -> f64 {
    (at - ((at + ROUNDING) - ROUNDING)).abs()
}

/// Tells which of the coordinates from the place `begin` of the patch on come within `bound` of a cell's edge: a bit for each,
/// in the order of the cells.
///
/// # Shape
/// The cells lie in the patch.
pub fn near_edges(of: Quadratic, begin: usize, cells: usize, bound: f64) -> [u64; SIDE as usize / 64] {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
        #[expect(unsafe_code, reason = "the processor has the instructions")]
        return unsafe { near_edges_avx512(of, begin, cells, bound) };
    }
    near_edges_with(of, begin, cells, bound)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq")]
fn near_edges_avx512(of: Quadratic, begin: usize, cells: usize, bound: f64) -> [u64; SIDE as usize / 64] {
    near_edges_with(of, begin, cells, bound)
}

/// Inlined as [`place_with`] is.
#[inline(always)]
fn near_edges_with(of: Quadratic, begin: usize, cells: usize, bound: f64) -> [u64; SIDE as usize / 64] {
    const AT_ONCE: usize = 8;
    let mut bits = [0; SIDE as usize / 64];
    for (number, places) in PLACES[begin..begin + cells].chunks(AT_ONCE).enumerate() {
        // Beyond the last place there is only it once more; its bits are left out below.
        let places: [f64; AT_ONCE] = match places.first_chunk() {
            Some(places) => *places,
            None => std::array::from_fn(|i| places[i.min(places.len() - 1)]),
        };
        let near = places.map(|place| u64::from(to_edge(of.at(place)) <= bound));
        let byte = (0..).zip(near).fold(0, |byte, (i, near): (u32, u64)| byte | near << i);
        bits[number / 8] |= byte << (number % 8 * AT_ONCE);
    }
    for (word, bits) in bits.iter_mut().enumerate() {
        let valid = cells.saturating_sub(64 * word);
        if valid < 64 {
            *bits &= (1 << valid) - 1;
        }
    }
    bits
}

/// Writes the cell that holds each coordinate from the place `begin` of the patch on, and tells how near any comes
/// to a cell's edge.
///
/// # Shape
/// The cells lie in the patch.
pub fn place(of: Quadratic, begin: usize, cells: &mut [i32]) -> f64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
        #[expect(unsafe_code, reason = "the processor has the instructions")]
        return unsafe { place_avx512(of, begin, cells) };
    } else if is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "the processor has the instructions")]
        return unsafe { place_avx2(of, begin, cells) };
    }
    place_with(of, begin, cells)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq")]
fn place_avx512(of: Quadratic, begin: usize, cells: &mut [i32]) -> f64 {
    place_with(of, begin, cells)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn place_avx2(of: Quadratic, begin: usize, cells: &mut [i32]) -> f64 {
    place_with(of, begin, cells)
}

/// Inlined, so that it is compiled for the instructions of the caller; no instruction rounds differently.
#[inline(always)]
fn place_with(of: Quadratic, begin: usize, cells: &mut [i32]) -> f64 {
    const AT_ONCE: usize = 8;
    let (eights, rest) = cells.as_chunks_mut::<AT_ONCE>();
    let (place_eights, place_rest) =
        PLACES[begin..][..eights.len() * AT_ONCE + rest.len()].as_chunks::<AT_ONCE>();
    let mut least = [f64::INFINITY; AT_ONCE];
    for (cells, places) in eights.iter_mut().zip(place_eights) {
        for i in 0..AT_ONCE {
            let near;
            (cells[i], near) = cell(of.at(places[i]));
            least[i] = if near < least[i] { near } else { least[i] };
        }
    }
    for (out, &place) in rest.iter_mut().zip(place_rest) {
        let near;
        (*out, near) = cell(of.at(place));
        least[0] = least[0].min(near);
    }
    least.into_iter().fold(f64::INFINITY, f64::min)
}

/// The cell that holds a coordinate, and how far it is from the next edge of a cell.
#[inline(always)]
fn cell(at: f64) -> (i32, f64) {
    let shifted = at + ROUNDING;
    let beyond = at - (shifted - ROUNDING);
    (shifted.to_bits() as i32 - i32::from(beyond < 0.0), beyond.abs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_way_finds_the_same_places_near_edges(
            a in -20.0f64..20.0,
            b in -30.0f64..30.0,
            c in -1.0f64..1.0,
            begin in 0usize..128,
            cells in 1usize..=128,
            bound in 0.0f64..0.5,
        ) {
            let of = Quadratic { a, b, c };
            let cells = cells.min(128 - begin);
            let mut expected = [0; 2];
            for cell in 0..cells {
                let near = to_edge(of.at(steps((begin + cell) as i64))) <= bound;
                expected[cell / 64] |= u64::from(near) << (cell % 64);
            }
            prop_assert_eq!(near_edges(of, begin, cells, bound), expected);
            prop_assert_eq!(near_edges_with(of, begin, cells, bound), expected);
        }
    }
}
