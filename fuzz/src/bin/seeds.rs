//! Writes a small first corpus for each target: `seeds FOLDER`. All of it is made here or ships with the crate.

use std::path::{Path, PathBuf};

use nalcms::io::cog::{BlockEncoder, CogSpec, Compression, SampleType, TemplateTags, assemble};
use nalcms::io::part::{PartCells, PartFooter, PartProduct, PartTables};
use nalcms::model::window::Window;
use nalcms_fuzz::Same;

struct Corpus(PathBuf);

impl Corpus {
    fn add(&self, target: &str, name: &str, pieces: &[&[u8]]) {
        let folder = self.0.join(target);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), pieces.concat()).unwrap();
    }
}

/// A directory of short integers, little endian, classic: the whole file but for what `blocks` holds, which stands last.
fn strip_tiff(tags: &[(u16, u32)], block: &[u8]) -> Vec<u8> {
    let mut file = b"II*\0\x08\0\0\0".to_vec();
    let at = 8 + 2 + tags.len() as u32 * 12 + 12 + 4;
    file.extend((tags.len() as u16 + 1).to_le_bytes());
    let mut all: Vec<(u16, u32)> = tags.to_vec();
    all.push((273, at));
    all.sort_unstable();
    for (id, value) in all {
        file.extend(id.to_le_bytes());
        file.extend([4, 0, 1, 0, 0, 0]);
        file.extend(value.to_le_bytes());
    }
    file.extend([0; 4]);
    file.extend(block);
    file
}

fn main() {
    let corpus = Corpus(std::env::args().nth(1).expect("seeds FOLDER").into());
    let cells: Vec<u8> = (0..64 * 64_u32).map(|i| (i / 700 % 5 + i % 64 / 40) as u8).collect();
    for (number, compression) in
        [Compression::None, Compression::Lzw, Compression::Balanced, Compression::Zstd]
            .into_iter()
            .enumerate()
    {
        let name = format!("{compression:?}");
        let mut block = Vec::new();
        BlockEncoder::new(compression).unwrap().encode(SampleType::U8, &cells[..4095], &mut block).unwrap();
        let choice = [0_u16, 1, 3, 4][number] + 5 * 1365;
        corpus.add("codecs", &name, &[&choice.to_le_bytes(), &block]);
        let file = strip_tiff(
            &[
                (256, 64),
                (257, 63),
                (258, 8),
                (259, compression.tiff_code().into()),
                (262, 1),
                (277, 1),
                (278, 64),
                (279, block.len() as u32),
            ],
            &block,
        );
        corpus.add("plain_blocks", &name, &[&[62, 63, 62, 63, 0, 0], &file]);
        corpus.add("tiff_header", &name, &[&file]);
        let mut block = Vec::new();
        BlockEncoder::new(compression)
            .unwrap()
            .encode(SampleType::U8, &vec![3; SampleType::U8.block_bytes()], &mut block)
            .unwrap();
        if compression != Compression::None {
            let spec = CogSpec::new(900, 1300, SampleType::U8, compression, TemplateTags::default());
            let mut file = Vec::new();
            assemble(&mut file, &spec, &mut Same(block)).unwrap();
            corpus.add("cog_check", &name, &[&file]);
            corpus.add("tiff_header", &format!("cog-{name}"), &[&file]);
        }
        corpus.add("cog_assembly", &name, &[&[number as u8 * 7, 0, 9, 3], &cells[..200]]);
    }
    corpus.add("class_map", "runs", &[&[0], &cells[..900]]);
    corpus.add("class_map", "cells", &[&[3], &cells]);
    let footer = PartFooter {
        task_id: "a".into(),
        window: Window::whole(512, 512),
        products: vec![PartProduct {
            blocks: vec![vec![(0, 9)]],
            cells: vec![PartCells { level: 1, rows: 2, cols: 2, cell_bytes: 1, offset: 0 }],
            block_counts: vec![vec![(3, 4)]],
        }],
        tables: PartTables::default(),
        reasons: Default::default(),
        content: String::new(),
    };
    corpus.add("part", "footer", &[&[0], &serde_json::to_vec(&footer).unwrap()]);
    for (choice, kind) in [(0, "legends"), (1, "crosswalks")] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs").join(kind);
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let name = format!("{kind}-{}", entry.file_name().display());
            corpus.add("settings", &name, &[&[choice], &std::fs::read(entry.path()).unwrap()]);
        }
    }
    corpus.add("settings", "rules", &[&[3], include_bytes!("../../../configs/comparability.toml")]);
    corpus.add("wkb", "polygon", &[POLYGON]);
    corpus.add("virtual_raster", "mosaic", &[VRT]);
    corpus.add("sidecar", "aux", &[AUX]);
    corpus.add("imagine", "tree", &[&imagine_tree()]);
}

/// Three entries of an Imagine file: the root, its child and the child's sibling.
fn imagine_tree() -> Vec<u8> {
    let mut file = b"EHFA_HEADER_TAG\0".to_vec();
    // The file's own record, its version and free list, and the root.
    for number in [20_u32, 1, 0, 64] {
        file.extend(number.to_le_bytes());
    }
    file.resize(64, 0);
    for entry in [[0, 0, 0, 80], [96, 0, 64, 0], [0, 80, 64, 0_u32]] {
        file.extend(entry.into_iter().flat_map(u32::to_le_bytes));
    }
    file
}

/// A triangle.
const POLYGON: &[u8] = &[
    1, 3, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 240, 63, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 240, 63, 0, 0, 0, 0, 0, 0, 0, 64,
];

const VRT: &[u8] = br#"<VRTDataset rasterXSize="4" rasterYSize="4">
  <SRS>EPSG:3978</SRS>
  <GeoTransform>0, 30, 0, 0, 0, -30</GeoTransform>
  <VRTRasterBand dataType="Byte" band="1">
    <NoDataValue>0</NoDataValue>
    <SimpleSource>
      <SourceFilename relativeToVRT="1">tiles/a.tif</SourceFilename>
      <SourceBand>1</SourceBand>
      <SourceProperties RasterXSize="4" RasterYSize="4" DataType="Byte" BlockXSize="4" BlockYSize="4" />
      <SrcRect xOff="0" yOff="0" xSize="4" ySize="4" />
      <DstRect xOff="0" yOff="0" xSize="4" ySize="4" />
    </SimpleSource>
  </VRTRasterBand>
</VRTDataset>
"#;

const AUX: &[u8] = br#"<PAMDataset>
  <Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">:::BASE:::a.rrd</MDI></Metadata>
  <PAMRasterBand band="1"><Histograms><HistItem><HistMin>0</HistMin></HistItem></Histograms></PAMRasterBand>
</PAMDataset>
"#;
