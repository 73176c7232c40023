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
    pub fn through([first, middle, last]: [f64; 3]) -> Self {
        let bend = (first - 2.0 * middle + last) / 2.0;
        Self { a: first, b: middle - first - bend, c: bend }
    }

    #[inline(always)]
    pub fn at(self, t: f64) -> f64 {
        (self.c * t + self.b) * t + self.a
    }

    /// How far it is from the straight line between two of its points on a patch, at most.
    pub fn bulge(self) -> f64 {
        self.c.abs()
    }

    /// Whether it rises or falls all along a patch.
    fn is_monotone(self) -> bool {
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

/// A place in a patch, in steps of nodes.
pub fn steps(cells: i64) -> f64 {
    cells as f64 / STEP as f64
}

/// Adding it leaves no room for fractions: the sum is rounded to the nearest whole number, which its lowest bits are.
const ROUNDING: f64 = 1.5 * (1u64 << 52) as f64;

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

/// How far a coordinate is from the next edge of a cell.
#[inline(always)]
pub fn to_edge(at: f64) -> f64 {
    (at - ((at + ROUNDING) - ROUNDING)).abs()
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
