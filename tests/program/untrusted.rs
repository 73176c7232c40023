//! Files that mean harm, or are damaged: refused in time, with their names, before anything they ask for is done.

use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Drawing, LAEA, Run, Scratch, cells};
use nalcms::io::tiff::{HeaderFault, TiffSides, judge_bytes};

/// Generous, for machines with other work: a refusal takes milliseconds.
const LIMIT: Duration = Duration::from_secs(30);

/// Numbers of a file in one byte order, classic or BigTIFF.
#[derive(Clone, Copy)]
struct Form {
    big_endian: bool,
    wide: bool,
}

const FORMS: [Form; 4] = [
    Form { big_endian: false, wide: false },
    Form { big_endian: true, wide: false },
    Form { big_endian: false, wide: true },
    Form { big_endian: true, wide: true },
];

impl Form {
    fn number(self, value: u64, width: usize) -> Vec<u8> {
        if self.big_endian {
            value.to_be_bytes()[8 - width..].to_vec()
        } else {
            value.to_le_bytes()[..width].to_vec()
        }
    }

    fn offset(self, value: u64) -> Vec<u8> {
        self.number(value, if self.wide { 8 } else { 4 })
    }

    fn header(self, first: u64) -> Vec<u8> {
        let mut bytes = if self.big_endian { b"MM".to_vec() } else { b"II".to_vec() };
        bytes.extend(self.number(if self.wide { 43 } else { 42 }, 2));
        if self.wide {
            bytes.extend([self.number(8, 2), self.number(0, 2)].concat());
        }
        bytes.extend(self.offset(first));
        bytes
    }

    /// A directory: number, type, count and value or place of each tag; then the place of the next one.
    fn directory(self, tags: &[(u16, u16, u64, u64)], next: u64) -> Vec<u8> {
        let mut bytes = self.number(tags.len() as u64, if self.wide { 8 } else { 2 });
        for &(id, kind, count, value) in tags {
            bytes.extend(
                [self.number(id.into(), 2), self.number(kind.into(), 2), self.offset(count)].concat(),
            );
            // A short value stands at the front of its field.
            let width = [0, 1, 1, 2, 4][usize::from(kind).min(4)] * count as usize;
            let field = if self.wide { 8 } else { 4 };
            let mut value =
                self.number(value, if width <= field && width > 0 && count == 1 { width } else { field });
            value.resize(field, 0);
            bytes.extend(value);
        }
        bytes.extend(self.offset(next));
        bytes
    }

    fn first(self) -> u64 {
        if self.wide { 16 } else { 8 }
    }

    /// A file of one directory.
    fn file(self, tags: &[(u16, u16, u64, u64)]) -> Vec<u8> {
        [self.header(self.first()), self.directory(tags, 0)].concat()
    }
}

/// Tags of a grey image of bytes in one strip.
fn image(cols: u64, rows: u64) -> Vec<(u16, u16, u64, u64)> {
    vec![
        (256, 4, 1, cols),
        (257, 4, 1, rows),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 4, 1, 1),
        (279, 4, 1, 4),
    ]
}

#[test]
fn a_sound_header_is_let_pass_in_every_byte_order() {
    for form in FORMS {
        let judged = judge_bytes(&form.file(&image(5, 7))).unwrap();
        assert_eq!(judged, Ok(TiffSides { rows: 7, cols: 5, is_to_be_cut: false }));
    }
}

#[test]
fn directories_in_a_circle_are_refused_in_every_byte_order() {
    for form in FORMS {
        let mut file = form.file(&image(5, 7));
        let pointer = form.offset(0).len();
        let end = file.len() - pointer;
        file[end..].copy_from_slice(&form.offset(form.first()));
        let Err(HeaderFault::Damaged(words)) = judge_bytes(&file).unwrap() else {
            panic!("a circle is let pass")
        };
        assert!(words.contains("circle"), "{words}");
        // Two that point at each other.
        let both = [
            form.header(form.first()),
            form.directory(&image(5, 7), file.len() as u64),
            form.directory(&image(5, 7), form.first()),
        ];
        assert!(matches!(judge_bytes(&both.concat()).unwrap(), Err(HeaderFault::Damaged(_))));
    }
}

#[test]
fn a_chain_without_end_is_refused() {
    let form = FORMS[0];
    let size = form.directory(&image(5, 7), 0).len() as u64;
    let mut file = form.header(8);
    for number in 1..1000 {
        file.extend(form.directory(&image(5, 7), 8 + number * size));
    }
    let judged = judge_bytes(&file).unwrap();
    assert!(
        matches!(&judged, Err(HeaderFault::TooLarge(words)) if words.contains("directories")),
        "{judged:?}"
    );
}

#[test]
fn what_a_header_claims_and_the_file_does_not_hold_is_refused() {
    for form in FORMS {
        let with = |tag| [image(5, 7), vec![tag]].concat();
        let damaged = [
            form.header(0xffff_ffff),
            form.header(0),
            form.header(form.first()),
            form.file(&with((320, 3, 0xffff_ffff, 8))),
            form.file(&with((34735, 3, 64, 0xffff_fff0))),
            form.file(&with((324, 16, 1 << 30, 8))),
        ];
        for (number, file) in damaged.iter().enumerate() {
            let judged = judge_bytes(file).unwrap();
            assert!(matches!(judged, Err(HeaderFault::Damaged(_))), "{number}: {judged:?}");
        }
        // As many entries as a count can tell.
        let mut many = form.header(form.first());
        many.extend(form.number(0xffff, if form.wide { 8 } else { 2 }));
        many.extend(vec![0; 4 << 20]);
        assert!(matches!(judge_bytes(&many).unwrap(), Err(HeaderFault::TooLarge(_))));
    }
}

#[test]
fn sizes_that_no_reader_should_believe_are_refused() {
    let form = FORMS[0];
    let tiled = |cols, rows, tile_cols, tile_rows| {
        let tags = image(cols, rows);
        form.file(&[&tags[..], &[(322, 4, 1, tile_cols), (323, 4, 1, tile_rows)]].concat())
    };
    let sparse = judge_bytes(&tiled(60_000, 60_000, 256, 256)).unwrap();
    assert_eq!(
        sparse,
        Ok(TiffSides { rows: 60_000, cols: 60_000, is_to_be_cut: false }),
        "large is not absurd"
    );
    for (cols, rows, tile_cols, tile_rows) in [
        (1 << 21, 1, 256, 256),
        (1, 0xffff_ffff, 256, 256),
        (60_000, 60_000, 32_768, 32_768),
        (60_000, 60_000, 0xffff_ffff, 0xffff_ffff),
        (60_000, 60_000, 1, 1),
        (60_000, 60_000, 0, 0),
    ] {
        let judged = judge_bytes(&tiled(cols, rows, tile_cols, tile_rows)).unwrap();
        assert!(
            matches!(judged, Err(HeaderFault::TooLarge(_))),
            "{cols} {rows} {tile_cols} {tile_rows}: {judged:?}"
        );
    }
}

/// An answer in time, with an exit code of refusals or of success, and the file's name where it is refused.
#[track_caller]
#[test]
fn what_readers_understand_differently_is_refused() {
    let damaged = |file: &[u8], word: &str| {
        let judged = judge_bytes(file).unwrap();
        assert!(matches!(&judged, Err(HeaderFault::Damaged(words)) if words.contains(word)), "{judged:?}");
    };
    for form in FORMS {
        // Some readers take the first of two tags, some the last.
        damaged(&form.file(&[image(5, 7), vec![(256, 4, 1, 900_000)]].concat()), "256 twice");
        // Types that hold whole numbers below zero too; those that hold none.
        let typed = |kind| {
            let mut tags = image(5, 7);
            tags[0] = (256, kind, 1, 5);
            judge_bytes(&form.file(&tags)).unwrap()
        };
        assert_eq!(typed(9), Ok(TiffSides { rows: 7, cols: 5, is_to_be_cut: false }));
        assert!(matches!(typed(11), Err(HeaderFault::Damaged(_))));
        let mut negative = image(5, 7);
        negative[0] = (256, 9, 1, 0xffff_ffff);
        assert!(matches!(judge_bytes(&form.file(&negative)).unwrap(), Err(HeaderFault::TooLarge(_))));
    }
}

#[test]
fn directories_below_others_are_judged_like_them() {
    for form in FORMS {
        let long = if form.wide { 13 } else { 4 };
        let file = |below: &[(u16, u16, u64, u64)]| {
            let mut tags = image(5, 7);
            tags.push((330, long, 1, 0));
            let length = form.directory(&tags, 0).len() as u64;
            let place = form.first() + length;
            tags[9].3 = place;
            [form.header(form.first()), form.directory(&tags, 0), form.directory(below, 0)].concat()
        };
        assert_eq!(
            judge_bytes(&file(&image(2, 3))).unwrap(),
            Ok(TiffSides { rows: 7, cols: 5, is_to_be_cut: false })
        );
        let judged = judge_bytes(&file(&image(4_194_304, 4_194_304))).unwrap();
        assert!(
            matches!(&judged, Err(HeaderFault::TooLarge(words)) if words.contains("directory 2")),
            "{judged:?}"
        );
    }
    let form = FORMS[0];
    let many = form.file(&[image(5, 7), vec![(330, 4, 65_000, 8)]].concat());
    let judged = judge_bytes(&[many, vec![0; 300_000]].concat()).unwrap();
    assert!(
        matches!(&judged, Err(HeaderFault::TooLarge(words)) if words.contains("directories")),
        "{judged:?}"
    );
}

#[test]
fn metadata_are_read_once_and_no_more_than_so_much() {
    let form = FORMS[0];
    let text = vec![b'&'; 15 << 20];
    let directory = |next| form.directory(&[image(5, 7), vec![(42112, 2, 15 << 20, 1000)]].concat(), next);
    let second = 8 + directory(0).len() as u64;
    let mut file = [form.header(8), directory(second), directory(0)].concat();
    file.resize(1000, 0);
    file.extend(&text);
    let start = Instant::now();
    let judged = judge_bytes(&file).unwrap();
    assert!(matches!(&judged, Err(HeaderFault::TooLarge(words)) if words.contains("metadata")), "{judged:?}");
    assert!(start.elapsed() < LIMIT);
}

#[test]
fn one_strip_of_plain_cells_is_cut_by_who_reads_it() {
    let scratch = Scratch::new();
    let (cols, rows) = (12_000, 12_000);
    let mut tags = image(cols, rows);
    tags.retain(|tag| ![273, 278, 279].contains(&tag.0));
    let place = 8 + FORMS[0].directory(&tags, 0).len() as u64 + 3 * 12;
    tags.extend([(273, 4, 1, place), (278, 4, 1, rows), (279, 4, 1, cols * rows)]);
    tags.sort_unstable();
    let path = scratch.path("plain.tif");
    std::fs::write(&path, FORMS[0].file(&tags)).unwrap();
    // The cells are a hole: nothing is written.
    std::fs::File::options().write(true).open(&path).unwrap().set_len(place + cols * rows).unwrap();
    scratch.ok(&["info", "plain.tif"]);
    // Of a VRT nobody asks how it is cut.
    scratch.write("plain.vrt", &vrt("plain.tif", 1));
    scratch.nalcms(&["info", "plain.vrt", "--format", "VRT"]).refused(4, &["one strip", "re-tile"]);
}

fn assert_answers(scratch: &Scratch, arguments: &[&str], file: &str) -> Run {
    let start = Instant::now();
    let run = scratch.nalcms(arguments);
    assert!(start.elapsed() < LIMIT, "{arguments:?} takes {:?}", start.elapsed());
    assert!([0, 3, 4].contains(&run.code), "{arguments:?}: exit {}\n{}", run.code, run.stderr);
    assert!(
        run.code == 0 || run.stderr.contains(file),
        "{arguments:?} does not name {file}:\n{}",
        run.stderr
    );
    run
}

#[test]
fn cut_and_altered_files_are_answered_and_named() {
    let scratch = Scratch::new();
    let options = ["TILED=YES", "BLOCKXSIZE=16", "BLOCKYSIZE=16", "COMPRESS=LZW"];
    Drawing { options: &options, ..Drawing::default() }
        .plot(&scratch.path("whole.tif"), 40, 40, |r, c| (r / 7 + c / 9) as u8);
    let whole = std::fs::read(scratch.path("whole.tif")).unwrap();
    let mut files: Vec<Vec<u8>> = (0..whole.len()).step_by(97).map(|len| whole[..len].to_vec()).collect();
    files.extend((0..whole.len()).step_by(41).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        bytes
    }));
    for bytes in files {
        std::fs::write(scratch.path("bad.tif"), &bytes).unwrap();
        assert_answers(&scratch, &["info", "bad.tif", "--counts"], "bad.tif");
    }
}

#[test]
fn a_circle_of_directories_as_a_map_is_refused_and_named() {
    let scratch = Scratch::new();
    let form = FORMS[0];
    let mut file = form.file(&image(2, 2));
    let end = file.len() - 4;
    file[end..].copy_from_slice(&8_u32.to_le_bytes());
    std::fs::write(scratch.path("circle.tif"), file).unwrap();
    let run = assert_answers(&scratch, &["info", "circle.tif"], "circle.tif");
    run.refused(3, &["damaged", "circle.tif", "circle:"]);
}

/// A port that nobody may call, and how often it was.
struct Silence {
    port: u16,
    calls: Arc<AtomicUsize>,
}

impl Silence {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, calls) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let counter = calls.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                if let Ok(mut stream) = stream {
                    let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
                    let _ = stream.read(&mut [0; 512]);
                }
            }
        });
        Self { port, calls }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/map.tif", self.port)
    }

    #[track_caller]
    fn assert_kept(&self, what: &str) {
        // A call that was made has been heard by then.
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(self.calls.load(Ordering::SeqCst), 0, "{what} calls a host");
    }
}

#[test]
fn a_listener_hears_who_calls() {
    let silence = Silence::new();
    drop(std::net::TcpStream::connect(("127.0.0.1", silence.port)).unwrap());
    let start = Instant::now();
    while silence.calls.load(Ordering::SeqCst) == 0 {
        assert!(start.elapsed() < LIMIT, "the listener is deaf");
        std::thread::yield_now();
    }
}

fn small_map(scratch: &Scratch, name: &str) {
    Drawing::default().draw::<u8>(&scratch.path(name), &[&[1, 2], &[3, 4]]);
}

/// The text of a VRT whose one source is `name`.
fn vrt(name: &str, relative: u8) -> String {
    format!(
        "<VRTDataset rasterXSize=\"2\" rasterYSize=\"2\"><SRS>{LAEA}</SRS>\
         <GeoTransform>0, 30, 0, 0, 0, -30</GeoTransform>\
         <VRTRasterBand dataType=\"Byte\" band=\"1\"><SimpleSource><SourceFilename relativeToVRT=\"{relative}\">{name}\
         </SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )
}

#[test]
fn nothing_in_a_raster_or_beside_it_calls_a_host() {
    let (scratch, silence) = (Scratch::new(), Silence::new());
    let url = format!("/vsicurl/{}", silence.url());
    small_map(&scratch, "a.tif");
    let item = format!("<Metadata domain=\"OVERVIEWS\"><MDI key=\"OVERVIEW_FILE\">{url}</MDI></Metadata>");
    let sidecar = scratch.write("a.tif.aux.xml", &format!("<PAMDataset>{item}</PAMDataset>"));
    assert_answers(&scratch, &["info", "a.tif", "--counts"], "a.tif")
        .refused(3, &["OVERVIEW_FILE", "a.tif.aux.xml"]);
    silence.assert_kept("a sidecar");
    std::fs::write(&sidecar, format!("<PAMDataset><SRS>{}</SRS></PAMDataset>", silence.url())).unwrap();
    assert_answers(&scratch, &["info", "a.tif", "--counts"], "a.tif");
    silence.assert_kept("the CRS of a sidecar");
    std::fs::remove_file(sidecar).unwrap();
    for companion in ["a.tif.ovr", "a.tif.msk"] {
        let path = scratch.write(companion, &vrt(&url, 0));
        assert_answers(&scratch, &["info", "a.tif", "--counts"], companion).refused(3, &[companion]);
        silence.assert_kept(companion);
        std::fs::remove_file(path).unwrap();
    }
    scratch.write("disguised.tif", &vrt(&url, 0));
    assert_answers(&scratch, &["info", "disguised.tif"], "disguised.tif").refused(3, &["VRT", "formats"]);
    for named in ["disguised.tif", "a.tif"] {
        assert_answers(&scratch, &["info", named, "--counts", "--format", "VRT", "--format", "GTiff"], named);
        silence.assert_kept("a VRT that is asked for");
    }
    // The tag of a GeoTIFF that holds its metadata.
    let path = scratch.path("tag.tif");
    Drawing::default().draw::<u8>(&path, &[&[1]]);
    set_metadata(&path, &url);
    assert!(String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains("OVERVIEW_FILE"));
    assert_answers(&scratch, &["info", "tag.tif", "--counts"], "tag.tif").refused(3, &["42112", "tag.tif"]);
    silence.assert_kept("a tag");
}

fn set_metadata(path: &std::path::Path, url: &str) {
    use gdal::Metadata;
    let options = gdal::DatasetOptions {
        open_flags: gdal::GdalOpenFlags::GDAL_OF_UPDATE,
        ..gdal::DatasetOptions::default()
    };
    let mut dataset = gdal::Dataset::open_ex(path, options).unwrap();
    dataset.set_metadata_item("OVERVIEW_FILE", url, "OVERVIEWS").unwrap();
    dataset.close().unwrap();
}

#[test]
fn no_polygon_layer_and_no_crs_calls_a_host() {
    let (scratch, silence) = (Scratch::new(), Silence::new());
    small_map(&scratch, "a.tif");
    small_map(&scratch, "b.tif");
    for (number, crs) in [
        format!(r#"{{"type":"link","properties":{{"href":"{}","type":"proj4"}}}}"#, silence.url()),
        format!(r#"{{"type":"url","properties":{{"url":"{}"}}}}"#, silence.url()),
        format!(r#"{{"type":"name","properties":{{"name":"{}"}}}}"#, silence.url()),
    ]
    .iter()
    .enumerate()
    {
        let name = format!("zones{number}.geojson");
        let ring = "[[[0,0],[1,0],[1,1],[0,0]]]";
        scratch.write(
            &name,
            &format!(
                r#"{{"type":"FeatureCollection","crs":{crs},"features":[{{"type":"Feature","properties":{{"k":"a"}},
                "geometry":{{"type":"Polygon","coordinates":{ring}}}}}]}}"#
            ),
        );
        let out = format!("out{number}");
        let arguments = [
            "change",
            "a.tif",
            "b.tif",
            "-o",
            &out,
            "--years",
            "2010",
            "2015",
            "--legend",
            "nalcms",
            "--zones",
            &name,
            "--zone-key",
            "k",
        ];
        let run = assert_answers(&scratch, &arguments, &name);
        if number < 2 {
            run.refused(3, &[&name, &silence.url(), "elsewhere"]);
        }
        silence.assert_kept(&name);
    }
    let job = format!(
        "name = \"x\"\noutput = \"out\"\n[grid]\ncrs = \"{}\"\norigin = [0, 0]\ncell_size_m = 30\nshape = [2, 2]\n\
         [[source]]\nid = \"s\"\nlegend = \"nalcms\"\nepochs = {{ 2010 = \"a.tif\" }}\n",
        silence.url()
    );
    scratch.write("job.toml", &job);
    let run = scratch.nalcms(&["run", "job.toml"]);
    assert!([2, 3].contains(&run.code), "{}", run.stderr);
    assert!(run.stderr.contains("127.0.0.1"), "{}", run.stderr);
    silence.assert_kept("the CRS of a job");
}

#[test]
fn a_vrt_is_read_where_it_is_asked_for_and_nowhere_else() {
    let scratch = Scratch::new();
    small_map(&scratch, "tiles/a.tif");
    scratch.write("map.vrt", &vrt("tiles/a.tif", 1));
    scratch.nalcms(&["info", "map.vrt"]).refused(3, &["map.vrt", "format VRT", "formats ="]);
    scratch.ok(&["info", "map.vrt", "--counts", "--format", "vrt"]);
    scratch.ok(&["mosaic", "map.vrt", "-o", "out.tif", "--legend", "nalcms", "--format", "VRT"]);
    assert_eq!(cells(&scratch.path("out.tif")), [1, 2, 3, 4]);
    scratch.nalcms(&["info", "map.vrt", "--format", "VRTT"]).refused(2, &["VRTT", "did you mean `VRT`?"]);
    scratch.nalcms(&["info", "tiles/a.tif", "--format", "VRT"]).refused(3, &["tiles/a.tif", "GTiff"]);
    // An absolute name is one of a file that lies with the VRT.
    scratch.write("map.vrt", &vrt(scratch.path("tiles/a.tif").to_str().unwrap(), 0));
    scratch.ok(&["info", "map.vrt", "--format", "VRT"]);
}

#[test]
fn a_job_names_formats_by_source_and_by_epoch() {
    let scratch = Scratch::new();
    small_map(&scratch, "tiles/a.tif");
    scratch.write("map.vrt", &vrt("tiles/a.tif", 1));
    let job = |source: &str, epoch: &str| {
        let text = format!(
            "name = \"x\"\noutput = \"out\"\n[grid]\ncrs = \"{}\"\norigin = [0, 0]\ncell_size_m = 30\nshape = [2, 2]\n\
             [[source]]\nid = \"s\"\nlegend = \"nalcms\"\n{source}\n[source.epochs]\n2010 = {{ files = \"map.vrt\" {epoch} }}\n",
            LAEA
        );
        scratch.write("job.toml", &text);
        scratch.nalcms(&["plan", "job.toml"])
    };
    job("", "").refused(3, &["map.vrt", "VRT"]);
    assert_eq!(job("formats = [\"GTiff\", \"VRT\"]", "").code, 0);
    assert_eq!(job("", ", formats = [\"VRT\"]").code, 0);
    job("formats = [\"VRT\"]", ", formats = [\"GTiff\"]").refused(3, &["map.vrt"]);
    job("formats = [\"VTR\"]", "").refused(2, &["VTR", "did you mean `VRT`?"]);
}

#[test]
fn a_vrt_shows_no_file_that_does_not_lie_with_it() {
    let (scratch, elsewhere) = (Scratch::new(), Scratch::new());
    small_map(&elsewhere, "secret.tif");
    let secret = elsewhere.path("secret.tif").to_str().unwrap().to_string();
    small_map(&scratch, "maps/tile.tif");
    small_map(&scratch, "above.tif");
    std::os::unix::fs::symlink(&secret, scratch.path("maps/link.tif")).unwrap();
    scratch.write("maps/inner.vrt", &vrt("tile.tif", 1));
    scratch.write("maps/inner.tif", &vrt("tile.tif", 1));
    scratch.write("maps/text.tif", "the secret\n");
    for (name, relative) in [
        (secret.as_str(), 0),
        ("../above.tif", 1),
        ("link.tif", 1),
        ("inner.vrt", 1),
        ("inner.tif", 1),
        ("text.tif", 1),
        ("/etc/passwd", 0),
        ("/dev/zero", 0),
        ("gone.tif", 1),
        ("/vsizip/a.zip/a.tif", 0),
        ("/vsisubfile/0_9,/etc/passwd", 0),
        ("GTIFF_DIR:1:tile.tif", 1),
    ] {
        scratch.write("maps/map.vrt", &vrt(name, relative));
        let run = assert_answers(
            &scratch,
            &["info", "maps/map.vrt", "--counts", "--format", "VRT", "--format", "GTiff"],
            "",
        );
        assert_eq!(run.code, 3, "{name}: {}{}", run.stdout, run.stderr);
        assert!(run.stdout.is_empty(), "{name}: {}", run.stdout);
    }
    scratch.write("maps/map.vrt", &vrt("tile.tif", 1));
    scratch.ok(&["info", "maps/map.vrt", "--counts", "--format", "VRT"]);
}

#[test]
fn a_linked_vrt_is_judged_from_where_it_lies() {
    let (scratch, elsewhere) = (Scratch::new(), Scratch::new());
    small_map(&elsewhere, "secret.tif");
    small_map(&scratch, "top/s/x.tif");
    small_map(&scratch, "real/tile.tif");
    scratch.write("real/map.vrt", &vrt("tile.tif", 1));
    scratch.write("top/t/inner.vrt", &vrt("s/x.tif", 1));
    std::fs::create_dir_all(scratch.path("top/t/s")).unwrap();
    let link = |target: &std::path::Path, name: &str| {
        std::os::unix::fs::symlink(target, scratch.path(name)).unwrap()
    };
    link(&elsewhere.path("secret.tif"), "top/t/s/x.tif");
    link(std::path::Path::new("t/inner.vrt"), "top/map.vrt");
    link(std::path::Path::new("real/map.vrt"), "sound.vrt");
    for name in ["top/t/inner.vrt", "top/map.vrt"] {
        let run = scratch.nalcms(&["info", name, "--counts", "--format", "VRT"]);
        assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{name}");
    }
    scratch.ok(&["info", "sound.vrt", "--counts", "--format", "VRT"]);
}

#[test]
fn a_declaration_hides_no_second_vrt() {
    let scratch = Scratch::new();
    small_map(&scratch, "tile.tif");
    let sound = vrt("tile.tif", 1);
    let raw = sound
        .replace("band=\"1\"", "band=\"1\" subClass=\"VRTRawRasterBand\"")
        .replace("tile.tif", "/etc/passwd");
    scratch.write("map.vrt", &format!("<?xml />{raw} ?>{sound}"));
    scratch.nalcms(&["info", "map.vrt", "--counts", "--format", "VRT"]).refused(3, &["declaration"]);
    scratch.write("map.vrt", &format!("<?xml version=\"1.0\"?>\n{sound}"));
    scratch.ok(&["info", "map.vrt", "--counts", "--format", "VRT"]);
}

#[test]
fn companions_are_what_their_names_say_however_they_are_spelt() {
    let scratch = Scratch::new();
    small_map(&scratch, "a.tif");
    small_map(&scratch, "small.tif");
    let overviews = |name: &str| {
        format!(
            "<PAMDataset><Metadata domain=\"OVERVIEWS\"><MDI key=\"OVERVIEW_FILE\">{name}</MDI></Metadata></PAMDataset>"
        )
    };
    // A text beside the raster, its own companion that is a VRT, and names in numbers that readers take differently.
    scratch.write("ov.txt", &vrt("tile.tif", 1));
    for name in [":::BASE:::ov.txt", ":::BASE:::../a.rrd"] {
        let path = scratch.write("a.tif.aux.xml", &overviews(name));
        scratch.nalcms(&["info", "a.tif"]).refused(3, &["a.tif.aux.xml"]);
        std::fs::remove_file(path).unwrap();
    }
    for odd in ["&#x000000000004F;", "&#x10000004F;", "&#000000000079;"] {
        let path = scratch.write(
            "a.tif.aux.xml",
            &overviews("ov.txt").replacen('O', odd, 1).replace("OVERVIEW_", &format!("{odd}VERVIEW_")),
        );
        scratch.nalcms(&["info", "a.tif"]).refused(3, &["a.tif.aux.xml"]);
        std::fs::remove_file(path).unwrap();
    }
    let path = scratch.write("a.rrd", &vrt("tile.tif", 1));
    scratch.nalcms(&["info", "a.tif"]).refused(3, &["a.rrd"]);
    std::fs::remove_file(path).unwrap();
    // Three levels deep.
    for name in ["a.tif.ovr", "a.tif.ovr.ovr", "a.tif.ovr.ovr.ovr"] {
        std::fs::copy(scratch.path("small.tif"), scratch.path(name)).unwrap();
    }
    scratch.nalcms(&["info", "a.tif"]).refused(3, &["a.tif.ovr.ovr.ovr"]);
    std::fs::remove_file(scratch.path("a.tif.ovr.ovr.ovr")).unwrap();
    scratch.ok(&["info", "a.tif"]);
    // Texts as large as no program writes.
    std::fs::File::create(scratch.path("a.IMD")).unwrap().set_len(17 << 20).unwrap();
    scratch.nalcms(&["info", "a.tif"]).refused(4, &["a.IMD"]);
}

#[test]
fn a_map_of_a_drawing_board_is_one_without_a_crs() {
    let scratch = Scratch::new();
    small_map(&scratch, "a.tif");
    let options =
        gdal::DatasetOptions { open_flags: gdal::GdalOpenFlags::GDAL_OF_UPDATE, ..Default::default() };
    let mut dataset = gdal::Dataset::open_ex(scratch.path("a.tif"), options).unwrap();
    let board = gdal::spatial_ref::SpatialRef::from_wkt("LOCAL_CS[\"Unnamed\",UNIT[\"metre\",1]]").unwrap();
    dataset.set_spatial_ref(&board).unwrap();
    dataset.close().unwrap();
    let run = scratch.ok(&["info", "a.tif", "--json"]);
    assert!(!run.stderr.contains("OSRGetSemiMajor"));
}

#[test]
fn names_that_gdal_takes_for_something_else_are_refused() {
    let scratch = Scratch::new();
    small_map(&scratch, "a.tif");
    small_map(&scratch, "GTIFF_DIR:1:a.tif");
    for name in ["GTIFF_DIR:1:a.tif", "MEM:::DATAPOINTER=0,PIXELS=1,LINES=1"] {
        scratch.nalcms(&["info", name]).refused(3, &["name", name]);
    }
    scratch
        .nalcms(&["info", "/vsizip/a.zip/a.tif"])
        .refused(2, &["/vsizip/a.zip/a.tif", "no name that is read"]);
    scratch.ok(&["info", "./GTIFF_DIR:1:a.tif"]);
}

#[test]
fn a_pipe_is_no_map_and_no_layer() {
    let scratch = Scratch::new();
    small_map(&scratch, "a.tif");
    for name in ["pipe.tif", "pipe.geojson", "a.tif.aux.xml"] {
        let made = std::process::Command::new("mkfifo").arg(scratch.path(name)).status().unwrap();
        assert!(made.success());
    }
    assert_answers(&scratch, &["info", "pipe.tif"], "pipe.tif").refused(3, &["a pipe"]);
    assert_answers(&scratch, &["info", "a.tif"], "a.tif.aux.xml").refused(3, &["a pipe"]);
    std::fs::remove_file(scratch.path("a.tif.aux.xml")).unwrap();
    for name in ["a.aux", "a.tif.aux", "a.IMD", "a.tfw", "a_rpc.txt"] {
        let made = std::process::Command::new("mkfifo").arg(scratch.path(name)).status().unwrap();
        assert!(made.success());
        assert_answers(&scratch, &["info", "a.tif"], name).refused(3, &["a pipe", name]);
        std::fs::remove_file(scratch.path(name)).unwrap();
    }
    let zones = ["--zones", "pipe.geojson", "--zone-key", "k"];
    let arguments = [
        &["change", "a.tif", "a.tif", "-o", "out", "--years", "2010", "2015", "--legend", "nalcms"][..],
        &zones,
    ]
    .concat();
    assert_answers(&scratch, &arguments, "pipe.geojson").refused(3, &["a pipe"]);
    std::fs::create_dir(scratch.path("layer")).unwrap();
    std::fs::rename(scratch.path("pipe.geojson"), scratch.path("layer/pipe.shp")).unwrap();
    let arguments: Vec<&str> =
        arguments.into_iter().map(|word| if word == "pipe.geojson" { "layer" } else { word }).collect();
    assert_answers(&scratch, &arguments, "layer/pipe.shp").refused(3, &["a pipe"]);
}

/// The pipe would be waited for.
#[test]
fn a_crs_that_names_a_file_is_refused_wherever_it_stands() {
    let scratch = Scratch::new();
    small_map(&scratch, "a.tif");
    let pipe = scratch.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let crs = format!(
        "PROJCS[\"x\",GEOGCS[\"x\",DATUM[\"x\",SPHEROID[\"x\",6378137,0]],PRIMEM[\"x\",0],UNIT[\"degree\",0.0174532925199433]],\
         PROJECTION[\"Sinusoidal\"],UNIT[\"metre\",1],EXTENSION[\"PROJ4\",\"+init={}:1\"]]",
        pipe.display()
    );
    for text in ["a.prj", "a.PRJ"] {
        let path = scratch.write(text, &crs);
        assert_answers(&scratch, &["info", "a.tif"], text).refused(3, &[text, "names files"]);
        std::fs::remove_file(path).unwrap();
    }
    // The citation of a GeoTIFF: key 1026 of a directory of keys, its words in the tag for texts.
    let form = FORMS[0];
    let words = format!("ESRI PE String = {crs}|\0");
    let mut tags = image(4, 1);
    tags.push((34735, 3, 8, 1000));
    tags.push((34737, 2, words.len() as u64, 1100));
    let mut file = form.file(&tags);
    file.resize(1000, 0);
    for number in [1, 1, 0, 1, 1026, 34737, words.len() as u16 - 1, 0_u16] {
        file.extend(number.to_le_bytes());
    }
    file.resize(1100, 0);
    file.extend(words.as_bytes());
    std::fs::write(scratch.path("citation.tif"), file).unwrap();
    assert_answers(&scratch, &["info", "citation.tif"], "citation.tif").refused(3, &["34737", "names files"]);
}

#[test]
fn polygons_beyond_the_earth_are_refused_before_they_fill_the_memory() {
    let scratch = Scratch::new();
    small_map(&scratch, "a.tif");
    let far = "[[[0,0],[1e14,0],[1e14,1e14],[0,0]]]";
    scratch.write(
        "far.geojson",
        &format!(
            r#"{{"type":"FeatureCollection","crs":{{"type":"name","properties":{{"name":"EPSG:3978"}}}},
            "features":[{{"type":"Feature","properties":{{"k":"a"}},"geometry":{{"type":"Polygon","coordinates":{far}}}}}]}}"#
        ),
    );
    let arguments = [
        "change",
        "a.tif",
        "a.tif",
        "-o",
        "out",
        "--years",
        "2010",
        "2015",
        "--legend",
        "nalcms",
        "--zones",
        "far.geojson",
        "--zone-key",
        "k",
    ];
    let run = assert_answers(&scratch, &arguments, "far.geojson");
    assert!([3, 4].contains(&run.code), "{}", run.stderr);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]

    /// Every reader of this file's inputs answers to any bytes: a panic, an overflow or an endless loop would end the test.
    #[test]
    fn altered_bytes_have_an_answer(
        choice in 0_usize..7,
        flips in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), proptest::prelude::any::<u8>()), 0..6),
        cut in proptest::prelude::any::<proptest::sample::Index>(),
    ) {
        let triangle = [&[1, 3, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0][..], &[0; 48]].concat();
        let both = [&[1, 6, 0, 0, 0, 2, 0, 0, 0][..], &triangle, &triangle].concat();
        let mut bytes = match choice {
            0..4 => FORMS[choice].file(&image(5, 7)),
            4 => vrt("a&amp;b.tif", 1).into_bytes(),
            5 => b"<PAMDataset><MDI key=\"OVERVIEW_FILE\">:::BASE:::a&#46;rrd</MDI></PAMDataset>".to_vec(),
            _ => both,
        };
        for (place, byte) in flips {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len() * 2) + 1);
        if let Ok(sides) = judge_bytes(&bytes).unwrap() {
            proptest::prop_assert!(sides.rows <= 1 << 20 && sides.cols <= 1 << 20);
        }
        if let Ok(members) = nalcms::io::virtual_raster::members(&bytes) {
            proptest::prop_assert!(members.iter().all(|member| !member.name.is_empty()));
        }
        let foreign = nalcms::io::sidecar::foreign_overviews(&bytes, &["map.rrd".to_string()]).is_some();
        proptest::prop_assert!(!foreign || nalcms::io::sidecar::names_overviews(&bytes));
        let bounds = nalcms::io::gdal::wkb::envelope(&bytes).is_ok();
        proptest::prop_assert_eq!(bounds, nalcms::io::gdal::wkb::edges(&bytes).is_ok());
    }
}
