//! Where coordinates cross the edges of cells along lines of a patch.
//!
//! A line runs through far fewer cells of the other raster than it has itself where those are larger. So it is cheaper to
//! solve for the edges it crosses than to place each of its cells ([`super::line::place`], the plain way), the more so for
//! [`LINES`] lines at once. How far a solution may be off is known; a line that comes so near to a doubtful cell that this
//! matters is left to the plain way.

use super::line::{self, LINES, Quadratic, Quadratics, SIDE, STEP, steps};

/// Edges that are solved for; a line that crosses more is left to the plain way.
const MOST: usize = 64;

/// Lines cut into stretches, each in one column, or one row, of cells.
#[derive(Debug, Clone)]
pub struct Stretches {
    /// Column or row of the first stretch of each line.
    pub first: [i32; LINES],
    /// What the next stretch's has more: 1 or -1.
    pub step: [i32; LINES],
    /// Edges that each line crosses.
    edges: [i32; LINES],
    /// Cells of each line before each edge, and before its end.
    ends: [[i32; LINES]; MOST + 1],
}

impl Default for Stretches {
    fn default() -> Self {
        Self { first: [0; LINES], step: [1; LINES], edges: [0; LINES], ends: [[0; LINES]; MOST + 1] }
    }
}

impl Stretches {
    /// Stretches of a line.
    #[inline(always)]
    pub fn count(&self, line: usize) -> usize {
        self.edges[line] as usize + 1
    }

    /// Cells of a line before the end of a stretch. A stretch may have none.
    #[inline(always)]
    pub fn end(&self, line: usize, stretch: usize) -> usize {
        self.ends[stretch][line] as usize
    }

    /// Finds the stretches of lines of so many cells from the place `begin` of a patch on. Returns which of the lines are
    /// clear: none of their cells comes within `bound` of an edge, and they cross no more than are solved for. Stretches of
    /// other lines mean nothing.
    ///
    /// # Shape
    /// The cells lie in the patch and are not none.
    pub fn find(&mut self, of: &Quadratics, begin: usize, cells: usize, bound: f64) -> [bool; LINES] {
        self.find_by(Self::solve, of, begin, cells, bound)
    }

    #[inline(always)]
    fn find_by(
        &mut self,
        solve: impl Fn(&mut Self, &Quadratics, &Line) -> [bool; LINES],
        of: &Quadratics,
        begin: usize,
        cells: usize,
        bound: f64,
    ) -> [bool; LINES] {
        debug_assert!(0 < cells && begin + cells <= SIDE as usize);
        let line = Line {
            begin: begin as f64,
            first: steps(begin as i64),
            length: steps((begin + cells) as i64 - 1) - steps(begin as i64),
            bound,
        };
        let clear = solve(self, of, &line);
        // The last stretch ends with the line.
        for (line, &edges) in self.edges.iter().enumerate() {
            self.ends[edges as usize][line] = cells as i32;
        }
        clear
    }

    fn solve(&mut self, of: &Quadratics, line: &Line) -> [bool; LINES] {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
            #[expect(unsafe_code, reason = "the processor has the instructions")]
            return unsafe { vectors::solve(self, of, line) };
        }
        self.solve_plainly(of, line)
    }

    /// A line p(t) with the bend c runs from p0 at t0 to p1 at t1, L apart, on a chord of the slope s. A guess on the chord
    /// misses an edge by r = |c| L²/4 at most. Moved along the slope by what it misses, it misses by no more than
    /// r |c| L/s + |c| r²/s², as the slope is nowhere farther from s than |c| L.
    fn solve_plainly(&mut self, of: &Quadratics, line: &Line) -> [bool; LINES] {
        std::array::from_fn(|i| self.solve_one(of.one(i), i, line))
    }

    fn solve_one(&mut self, of: Quadratic, i: usize, line: &Line) -> bool {
        let &Line { begin, first: t0, length, bound } = line;
        let (p0, p1) = (of.at(t0), of.at(t0 + length));
        // A falling coordinate is a rising one with the opposite sign.
        let falls = p1 < p0;
        let (up, from, to) = if falls { (of.negated(), -p0, -p1) } else { (of, p0, p1) };
        let (lowest, highest) = (from.floor(), to.floor());
        let edges = highest - lowest;
        let none = edges == 0.0;
        // Rounding may take a cell nearer to an edge than its neighbours, and a solution off it, by no more than this.
        let near = bound + 2.0 * up.rounding();
        let slope = if none { 1.0 } else { (to - from) / length };
        let along = 1.0 / slope;
        let bent = up.bulge() * length;
        let miss = bent * length * 0.25;
        let missed = (miss * bent + up.bulge() * miss * miss * along) * along;
        // Cells beside an edge by which the flattest slope is clear of it.
        let farther = (near + missed) / (slope - bent) * PER_STEP;
        let rises = if none { up.is_monotone() } else { slope > bent };
        let ends_clear = from - lowest > near && (highest + 1.0) - to > near;
        if !(ends_clear && rises && edges <= MOST as f64) {
            self.edges[i] = 0;
            return false;
        }
        self.edges[i] = line::whole(edges);
        let lowest_cell = line::whole(lowest);
        (self.first[i], self.step[i]) = if falls { (-1 - lowest_cell, -1) } else { (lowest_cell, 1) };
        let mut least = f64::INFINITY;
        for (number, ends) in (0..self.edges[i]).zip(&mut self.ends) {
            let edge = lowest + f64::from(number + 1);
            let guess = t0 + (edge - from) * along;
            let place = guess + (edge - up.at(guess)) * along;
            let cell = place * PER_STEP - begin;
            let beyond = line::up(cell);
            let after = beyond - cell;
            least = least.min(after).min(1.0 - after);
            ends[i] = line::whole(beyond);
        }
        none || least > farther
    }
}

/// Cells from node to node.
const PER_STEP: f64 = STEP as f64;

/// What lines that are cut at once have in common.
struct Line {
    /// Cells of the patch before the first.
    begin: f64,
    /// The first cell, in steps of nodes.
    first: f64,
    /// From the first to the last cell, in steps of nodes.
    length: f64,
    /// How far a coordinate may be wrong.
    bound: f64,
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use std::arch::x86_64::{
        __m512d, __mmask8, _CMP_EQ_OQ, _CMP_GT_OQ, _CMP_LE_OQ, _CMP_LT_OQ, _MM_FROUND_NO_EXC,
        _MM_FROUND_TO_NEG_INF, _mm256_storeu_si256, _mm512_abs_pd, _mm512_add_pd, _mm512_castpd_si512,
        _mm512_cmp_pd_mask, _mm512_cvtepi64_epi32, _mm512_div_pd, _mm512_loadu_pd, _mm512_mask_add_pd,
        _mm512_mask_blend_pd, _mm512_mask_min_pd, _mm512_mask_reduce_max_pd, _mm512_mask_sub_pd,
        _mm512_min_pd, _mm512_mul_pd, _mm512_roundscale_pd, _mm512_set1_pd, _mm512_setzero_pd, _mm512_sub_pd,
    };

    use super::line::ROUNDING;
    use super::{LINES, Line, MOST, PER_STEP, Quadratics, SIDE, Stretches};

    /// A polynomial for each lane.
    struct Lines {
        a: __m512d,
        b: __m512d,
        c: __m512d,
    }

    impl Lines {
        #[inline]
        #[target_feature(enable = "avx512f,avx512dq")]
        fn at(&self, t: __m512d) -> __m512d {
            let slope = _mm512_add_pd(_mm512_mul_pd(self.c, t), self.b);
            _mm512_add_pd(_mm512_mul_pd(slope, t), self.a)
        }
    }

    /// What [`Stretches::solve_one`] does, line by line of it, for all lines.
    #[target_feature(enable = "avx512f,avx512dq")]
    pub(super) fn solve(stretches: &mut Stretches, of: &Quadratics, line: &Line) -> [bool; LINES] {
        let number = |n: f64| _mm512_set1_pd(n);
        let one = number(1.0);
        let (t0, length) = (number(line.first), number(line.length));
        let of = Lines { a: load(&of.a), b: load(&of.b), c: load(&of.c) };
        let (p0, p1) = (of.at(t0), of.at(_mm512_add_pd(t0, length)));
        let falls = _mm512_cmp_pd_mask::<_CMP_LT_OQ>(p1, p0);
        let rising = |n: __m512d| _mm512_mask_sub_pd(n, falls, number(-0.0), n);
        let up = Lines { a: rising(of.a), b: rising(of.b), c: rising(of.c) };
        let (from, to) = (rising(p0), rising(p1));
        let (lowest, highest) = (floor(from), floor(to));
        let edges = _mm512_sub_pd(highest, lowest);
        let none = _mm512_cmp_pd_mask::<_CMP_EQ_OQ>(edges, _mm512_setzero_pd());
        let bulge = _mm512_abs_pd(up.c);
        let sizes = _mm512_add_pd(_mm512_abs_pd(up.a), _mm512_mul_pd(number(2.0), _mm512_abs_pd(up.b)));
        let sizes = _mm512_add_pd(sizes, _mm512_mul_pd(number(4.0), bulge));
        let rounding = _mm512_mul_pd(_mm512_add_pd(sizes, number(SIDE as f64)), number(super::line::SHARE));
        let near = _mm512_add_pd(number(line.bound), _mm512_mul_pd(number(2.0), rounding));
        let slope = _mm512_mask_blend_pd(none, _mm512_div_pd(_mm512_sub_pd(to, from), length), one);
        let along = _mm512_div_pd(one, slope);
        let bent = _mm512_mul_pd(bulge, length);
        let miss = _mm512_mul_pd(_mm512_mul_pd(bent, length), number(0.25));
        let twice = _mm512_mul_pd(_mm512_mul_pd(_mm512_mul_pd(bulge, miss), miss), along);
        let missed = _mm512_mul_pd(_mm512_add_pd(_mm512_mul_pd(miss, bent), twice), along);
        let flattest = _mm512_sub_pd(slope, bent);
        let farther = _mm512_mul_pd(_mm512_div_pd(_mm512_add_pd(near, missed), flattest), number(PER_STEP));
        let more = |a: __m512d, b: __m512d| _mm512_cmp_pd_mask::<_CMP_GT_OQ>(a, b);
        let at_most = |a: __m512d, b: __m512d| _mm512_cmp_pd_mask::<_CMP_LE_OQ>(a, b);
        let turn = _mm512_mul_pd(up.b, _mm512_add_pd(up.b, _mm512_mul_pd(number(4.0), up.c)));
        let monotone = at_most(_mm512_setzero_pd(), turn);
        let rises = (none & monotone) | (!none & more(slope, bent));
        let ends_clear = more(_mm512_sub_pd(from, lowest), near)
            & more(_mm512_sub_pd(_mm512_add_pd(highest, one), to), near);
        let clear = ends_clear & rises & at_most(edges, number(MOST as f64));
        let edges = _mm512_mask_blend_pd(clear, _mm512_setzero_pd(), edges);
        let lowest_cell = _mm512_mask_blend_pd(clear, _mm512_setzero_pd(), lowest);
        store(&mut stretches.edges, edges);
        let mut lowest_cells = [0; LINES];
        store(&mut lowest_cells, lowest_cell);
        for (i, lowest) in lowest_cells.into_iter().enumerate() {
            let is_falling = falls >> i & 1 != 0;
            stretches.step[i] = if is_falling { -1 } else { 1 };
            stretches.first[i] = if is_falling { -1 - lowest } else { lowest };
        }
        let most = _mm512_mask_reduce_max_pd(clear, edges).max(0.0) as usize;
        let (begin, mut least, mut edge) = (number(line.begin), number(f64::INFINITY), lowest);
        for ends in &mut stretches.ends[..most] {
            edge = _mm512_add_pd(edge, one);
            let guess = _mm512_add_pd(t0, _mm512_mul_pd(_mm512_sub_pd(edge, from), along));
            let place = _mm512_add_pd(guess, _mm512_mul_pd(_mm512_sub_pd(edge, up.at(guess)), along));
            let cell = _mm512_sub_pd(_mm512_mul_pd(place, number(PER_STEP)), begin);
            let nearest = _mm512_sub_pd(_mm512_add_pd(cell, number(ROUNDING)), number(ROUNDING));
            let below = _mm512_cmp_pd_mask::<_CMP_LT_OQ>(nearest, cell);
            let beyond = _mm512_mask_add_pd(nearest, below, nearest, one);
            let after = _mm512_sub_pd(beyond, cell);
            let near = _mm512_min_pd(after, _mm512_sub_pd(one, after));
            least = _mm512_mask_min_pd(least, at_most(edge, highest), near, least);
            store(ends, beyond);
        }
        let clear: __mmask8 = clear & (none | more(least, farther));
        std::array::from_fn(|i| clear >> i & 1 != 0)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn floor(of: __m512d) -> __m512d {
        _mm512_roundscale_pd::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(of)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load(numbers: &[f64; LINES]) -> __m512d {
        #[expect(unsafe_code, reason = "64 bytes are read from 64 bytes, wherever they lie")]
        unsafe {
            _mm512_loadu_pd(numbers.as_ptr())
        }
    }

    /// Stores whole numbers of 32 bits.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn store(out: &mut [i32; LINES], wholes: __m512d) {
        let bits = _mm512_castpd_si512(_mm512_add_pd(wholes, _mm512_set1_pd(ROUNDING)));
        #[expect(unsafe_code, reason = "32 bytes are written to 32 bytes, wherever they lie")]
        unsafe {
            _mm256_storeu_si256(out.as_mut_ptr().cast(), _mm512_cvtepi64_epi32(bits));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The stretches as placing each cell finds them; `None` where one comes within the bound of an edge.
    fn plainly(of: Quadratic, begin: usize, cells: usize, bound: f64) -> Option<Vec<(i32, usize)>> {
        let mut places = vec![0; cells];
        let least = line::place(of, begin, &mut places);
        let runs = places.chunk_by(|a, b| a == b).map(|run| (run[0], run.len()));
        (least > bound).then(|| runs.collect())
    }

    type Found = Option<Vec<(i32, usize)>>;

    impl Stretches {
        fn find_plainly(&mut self, of: &Quadratics, begin: usize, cells: usize, bound: f64) -> [bool; LINES] {
            self.find_by(Self::solve_plainly, of, begin, cells, bound)
        }
    }

    fn solved(of: &[Quadratic; LINES], begin: usize, cells: usize, bound: f64) -> [[Found; LINES]; 2] {
        type Way = fn(&mut Stretches, &Quadratics, usize, usize, f64) -> [bool; LINES];
        let ways: [Way; 2] = [Stretches::find, Stretches::find_plainly];
        ways.map(|find| {
            let mut stretches = Stretches::default();
            let clear = find(&mut stretches, &Quadratics::of(of), begin, cells, bound);
            std::array::from_fn(|line| {
                clear[line].then(|| {
                    let mut begin = 0;
                    let runs = (0..stretches.count(line)).map(|stretch| {
                        let end = stretches.end(line, stretch);
                        let run =
                            (stretches.first[line] + stretch as i32 * stretches.step[line], end - begin);
                        begin = end;
                        run
                    });
                    runs.filter(|(_, cells)| *cells > 0).collect()
                })
            })
        })
    }

    #[test]
    fn straight_lines_are_cut_at_their_edges() {
        // From 3.05 on by an eighth of a cell each: 8 cells to an edge.
        let of = Quadratic::through([3.05, 11.05, 19.05]);
        let down = Quadratic::through([-3.05, -11.05, -19.05]);
        let level = Quadratic::through([0.5; 3]);
        let lines = [of, down, level, of, of, of, of, of];
        for found in solved(&lines, 0, 128, 0.01) {
            assert_eq!(found[0], Some((3..19).map(|n| (n, 8)).collect()));
            assert_eq!(found[1], Some((0..16).map(|n| (-4 - n, 8)).collect()));
            assert_eq!(found[2], Some(vec![(0, 128)]));
        }
        for found in solved(&lines, 13, 13, 0.01) {
            assert_eq!(found[0], Some(vec![(4, 3), (5, 8), (6, 2)]));
            assert_eq!(found[1], Some(vec![(-5, 3), (-6, 8), (-7, 2)]));
        }
    }

    #[test]
    fn what_is_doubtful_bends_back_or_crosses_too_much_is_left() {
        let left = [[3.0001, 11.0001, 19.0001], [3.3, 5.3, 3.3], [0.3, 64.3, 128.3], [f64::NAN, 1.0, 2.0]];
        let fine =
            [[0.503, 1.503, 2.503], [0.5, 0.5, 0.5], [7.3, 0.3, -6.7], [1e6 + 0.3, 1e6 + 9.3, 1e6 + 18.3]];
        let lines = [left, fine].concat().into_iter().map(Quadratic::through).collect::<Vec<_>>();
        for found in solved(&lines.try_into().unwrap(), 0, 128, 1e-3) {
            assert_eq!(
                found.map(|line| line.is_some()),
                [false, false, false, false, true, true, true, true]
            );
        }
    }

    proptest! {
        /// A clear line is cut as placing each of its cells cuts it, and hardly a line is left that is.
        #[test]
        fn stretches_are_where_the_cells_are(
            lines in proptest::array::uniform8((
                prop_oneof![-20.0f64..20.0, -1e6f64..1e6, -9e8f64..9e8],
                prop_oneof![3 => -30.0f64..30.0, 1 => -1.0f64..1.0, 1 => Just(0.0)],
                prop_oneof![3 => -1e-3f64..1e-3, 1 => -1.0f64..1.0, 1 => Just(0.0)],
            )),
            begin in 0usize..128,
            cells in 1usize..=128,
            bound in prop_oneof![Just(3e-5), 1e-6f64..0.1],
        ) {
            let of = lines.map(|(a, b, c)| Quadratic::through([a, a + b + c, a + 2.0 * b + 4.0 * c]));
            let cells = cells.min(128 - begin);
            let [fast, plain] = solved(&of, begin, cells, bound);
            prop_assert_eq!(&fast, &plain);
            for ((fast, of), (_, b, c)) in fast.into_iter().zip(of).zip(lines) {
                match fast {
                    Some(found) => prop_assert_eq!(Some(found), plainly(of, begin, cells, bound)),
                    None if c.abs() < 1e-3 && c.abs() * 100.0 < b.abs() => {
                        prop_assert_eq!(plainly(of, begin, cells, 1.1 * bound + 1e-4), None);
                    }
                    None => {}
                }
            }
        }
    }
}
