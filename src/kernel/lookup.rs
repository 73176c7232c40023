//! Byte lookups: what each code of a byte map becomes, by a table of all 256 codes.

use super::ClassValue;

/// Writes `table[code]` for each code of `raw`.
///
/// # Shape
/// `raw` and `out` are equally long; what one has beyond the other is left alone.
/// # Cost
/// One pass. Processors that look up 64 bytes at once do so, others one by one.
pub fn map_bytes(raw: &[u8], table: &[u8; 256], out: &mut [u8]) {
    #[cfg(target_arch = "x86_64")]
    if vectors::map_bytes(raw, table, out) {
        return;
    }
    one_by_one(raw, table, out);
}

/// [`map_bytes`] to classes of any kind.
///
/// # Shape
/// As [`map_bytes`].
pub fn look_up<T: ClassValue>(raw: &[u8], table: &[T; 256], out: &mut [T]) {
    let bytes = T::bytes(table).and_then(|table| table.first_chunk());
    match (bytes, T::bytes_mut(out)) {
        (Some(table), Some(out)) => map_bytes(raw, table, out),
        _ => {
            for (out, &code) in out.iter_mut().zip(raw) {
                *out = table[usize::from(code)];
            }
        }
    }
}

fn one_by_one(raw: &[u8], table: &[u8; 256], out: &mut [u8]) {
    for (out, &code) in out.iter_mut().zip(raw) {
        *out = table[usize::from(code)];
    }
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use std::arch::x86_64::{
        __m512i, _mm512_loadu_si512, _mm512_mask_blend_epi8, _mm512_movepi8_mask, _mm512_permutex2var_epi8,
        _mm512_storeu_si512,
    };

    /// Whether the processor can do it; then it is done.
    pub(super) fn map_bytes(raw: &[u8], table: &[u8; 256], out: &mut [u8]) -> bool {
        let able = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vbmi");
        if able {
            #[expect(unsafe_code, reason = "the processor has the instructions")]
            unsafe {
                map_lines(raw, table, out);
            }
        }
        able
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn map_lines(raw: &[u8], table: &[u8; 256], out: &mut [u8]) {
        let (quarters, _) = table.as_chunks::<64>();
        let [a, b, c, d] = [0, 1, 2, 3].map(|quarter| load(&quarters[quarter]));
        let n = raw.len().min(out.len());
        let (lines, rest) = raw[..n].as_chunks::<64>();
        let (out_lines, out_rest) = out[..n].as_chunks_mut::<64>();
        for (out, line) in out_lines.iter_mut().zip(lines) {
            let codes = load(line);
            // Each lookup takes the lowest seven bits; the highest says in which half of the table.
            let lower = _mm512_permutex2var_epi8(a, codes, b);
            let upper = _mm512_permutex2var_epi8(c, codes, d);
            store(out, _mm512_mask_blend_epi8(_mm512_movepi8_mask(codes), lower, upper));
        }
        super::one_by_one(rest, table, out_rest);
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load(bytes: &[u8; 64]) -> __m512i {
        #[expect(unsafe_code, reason = "64 bytes are read from 64 bytes, wherever they lie")]
        unsafe {
            _mm512_loadu_si512(bytes.as_ptr().cast())
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn store(bytes: &mut [u8; 64], vector: __m512i) {
        #[expect(unsafe_code, reason = "64 bytes are written to 64 bytes, wherever they lie")]
        unsafe {
            _mm512_storeu_si512(bytes.as_mut_ptr().cast(), vector);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_code_finds_its_entry() {
        let table: [u8; 256] = std::array::from_fn(|code| (code as u8).wrapping_mul(91).wrapping_add(5));
        let raw: Vec<u8> = (0..=255).collect();
        let mut out = vec![0; 256];
        map_bytes(&raw, &table, &mut out);
        assert_eq!(out, table);
    }

    proptest! {
        #[test]
        fn every_way_agrees_with_one_cell_at_a_time(
            raw in proptest::collection::vec(any::<u8>(), 0..700),
            table in proptest::collection::vec(any::<u8>(), 256),
            at in 0usize..70,
        ) {
            let table: [u8; 256] = table.try_into().unwrap();
            let raw = &raw[at.min(raw.len())..];
            let expected: Vec<u8> = raw.iter().map(|&code| table[usize::from(code)]).collect();
            let mut out = vec![0; raw.len()];
            map_bytes(raw, &table, &mut out);
            prop_assert_eq!(&out, &expected);
            out.fill(0);
            one_by_one(raw, &table, &mut out);
            prop_assert_eq!(&out, &expected);
        }
    }
}
