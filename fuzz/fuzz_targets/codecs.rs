//! Any bytes as a block of any codec: what is decoded has the length asked for and is what another reader decodes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nalcms::io::tiff::BlockDecoder;
use nalcms_fuzz::split_u16;
use weezl::{BitOrder, LzwStatus};

fn by_weezl(bytes: &[u8], room: usize) -> Option<Vec<u8>> {
    let mut decoder = weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8);
    let mut out = vec![0; room];
    let (mut rest, mut filled) = (bytes, 0);
    while filled < room {
        let step = decoder.decode_bytes(rest, &mut out[filled..]);
        filled += step.consumed_out;
        rest = &rest[step.consumed_in..];
        match step.status {
            Ok(LzwStatus::Ok) => {}
            Ok(LzwStatus::NoProgress | LzwStatus::Done) => break,
            Err(_) => return None,
        }
    }
    out.truncate(filled);
    Some(out)
}

fuzz_target!(|data: &[u8]| {
    let Some((choice, bytes)) = split_u16(data) else { return };
    let (code, expected) = ([1, 5, 5, 8, 50000][choice % 5], choice / 5 * 3);
    let mut out = vec![0xa5; choice % 7];
    let Ok(()) = BlockDecoder::new(code).unwrap().decode(bytes, expected, &mut out) else {
        assert!(out.is_empty(), "a refused block leaves no bytes");
        return;
    };
    assert_eq!(out.len(), expected);
    match code {
        5 => assert_eq!(Some(&out), by_weezl(bytes, expected + 1).as_ref()),
        8 => assert_eq!(Some(&out), miniz_oxide::inflate::decompress_to_vec_zlib(bytes).ok().as_ref()),
        _ => {}
    }
});
