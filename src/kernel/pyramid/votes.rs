//! Who leads in every square of a level while classes are counted one after the other.

/// Leaders of the `M` squares of a level.
pub(super) struct Votes<T, N, const M: usize> {
    /// The class with the largest count, the first of several.
    pub(super) winners: [T; M],
    /// Its count.
    pub(super) most: [N; M],
    /// 1 where another class has as many, else 0; what it says of squares without a count does not matter.
    pub(super) tied: [u8; M],
}

impl<T: Copy, N: Copy + Ord + Default, const M: usize> Votes<T, N, M> {
    pub(super) fn new(nobody: T) -> Self {
        Self { winners: [nobody; M], most: [N::default(); M], tied: [0; M] }
    }

    #[inline(always)]
    pub(super) fn clear(&mut self, nobody: T) {
        self.winners.fill(nobody);
        self.most.fill(N::default());
        self.tied.fill(0);
    }

    /// Adds a class and its counts.
    #[inline(always)]
    pub(super) fn add(&mut self, class: T, counts: &[N; M]) {
        let leaders = self.winners.iter_mut().zip(&mut self.most).zip(&mut self.tied);
        for (((winner, most), tied), &n) in leaders.zip(counts) {
            *tied = if n > *most { 0 } else { *tied | u8::from(n == *most) };
            *winner = if n > *most { class } else { *winner };
            *most = n.max(*most);
        }
    }
}
