"""Damaged and hostile files as map, zones and mask of every verb: an answer in time, within memory, that names the file.

The files are made here, some 280 of them; where there are real ones (malformed, tiff_zoo) they are taken as well.
"""

import json
import os
import random
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
import zlib
from pathlib import Path

from support import NALCMS, REAL_DATA, Case, needs_gdalwarp, needs_rasterio, np, rasterio

SECONDS = 10
MEMORY_KIB = 512 * 1024
# complete, input refused, limit: never a bug, a panic, a signal
ANSWERS = {0, 3, 4}


# The peak that wait4 tells of a child is never below the size of the program that forked it. This one grows with every array
# that a test makes, so a small one stands between; it answers with exit code, seconds of processor and KiB on a pipe.
BETWEEN = """
import os, sys
answer = int(sys.argv[1])
child = os.fork()
if child == 0:
    os.close(answer)
    os.execv(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
os.write(answer, b"%d %f %d" % (os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, usage.ru_maxrss))
"""


def run(folder, arguments):
    """Exit code, text of stderr, seconds of processor and largest memory of a run, whatever it does.

    Seconds on the clock are another's affair: so many times as long ends it, and a signal is no answer.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        ours, theirs = os.pipe()
        # Isolated and without site-packages: ten megabytes.
        command = [sys.executable, "-I", "-S", "-c", BETWEEN, str(theirs), NALCMS, *map(str, arguments)]
        child = subprocess.Popen(command, cwd=folder, stdout=out, stderr=err, pass_fds=[theirs], start_new_session=True)
        os.close(theirs)
        timer = threading.Timer(12 * SECONDS, os.killpg, [child.pid, signal.SIGKILL])
        timer.start()
        child.wait()
        timer.cancel()
        with os.fdopen(ours) as answer:
            code, seconds, memory = answer.read().split() or (-signal.SIGKILL, 12 * SECONDS, 0)
        err.seek(0)
        return int(code), err.read().decode(errors="replace"), float(seconds), int(memory)


def tiff(tags, tail=b"", big=False, order="<", following=0, at=None):
    """A TIFF of one directory; tags are (id, type, count, value), and `tail` stands after it."""
    wide = "Q" if big else "I"
    first = at if at is not None else (16 if big else 8)
    head = {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "H", 43 if big else 42)
    head += struct.pack(order + "HHQ", 8, 0, first) if big else struct.pack(order + "I", first)
    body = struct.pack(order + ("Q" if big else "H"), len(tags))
    size = 8 if big else 4
    for tag, kind, count, value in sorted(tags):
        code = {1: "B", 3: "H", 4: "I", 16: "Q"}[kind]
        field = struct.pack(order + code, value) if count == 1 and struct.calcsize(code) <= size else struct.pack(order + wide, value)
        body += struct.pack(order + "HH" + wide, tag, kind, count) + field.ljust(size, b"\0")
    return head + body + struct.pack(order + wide, following) + tail


def image(cols, rows, **changes):
    tags = {256: cols, 257: rows, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: rows, 279: 4}
    tags.update({int(k[1:]): v for k, v in changes.items()})
    return [(t, 4, 1, v) for t, v in tags.items() if v is not None]


def bomb(side, code=8):
    """One tile of equal cells: a few kilobytes that decode to side x side bytes."""
    compressor = zlib.compressobj(9)
    row = bytes(side)
    block = b"".join(compressor.compress(row) for _ in range(side)) + compressor.flush()
    tags = image(side, side, t259=code, t273=None, t278=None, t279=None, t322=side, t323=side, t324=0, t325=len(block))
    at = len(tiff(tags))
    tags = [(t, k, n, at if t == 324 else v) for t, k, n, v in tags]
    return tiff(tags, block)


def self_made():
    """(name, bytes) of hostile headers that need no library."""
    for big in (False, True):
        for order in "<>":
            form = f"{'big' if big else 'classic'}_{'le' if order == '<' else 'be'}"
            make = lambda tags, **more: tiff(tags, big=big, order=order, **more)
            first = 16 if big else 8
            yield f"loop_{form}.tif", make(image(4, 4), following=first)
            yield f"far_{form}.tif", make(image(4, 4), at=0xFFFFFFFF)
            yield f"next_far_{form}.tif", make(image(4, 4), following=0xFFFFFFFF)
            yield f"data_far_{form}.tif", make(image(4, 4, t273=0xFFFFFFFF))
            yield f"length_far_{form}.tif", make(image(4, 4, t279=0xFFFFFFFF))
            yield f"sparse_{form}.tif", make(image(9000, 9000, t278=64, t273=0, t279=0))
            yield f"one_strip_{form}.tif", make(image(60000, 60000))
            yield f"huge_{form}.tif", make(image(0xFFFFFFFF, 0xFFFFFFFF))
            yield f"empty_{form}.tif", make(image(0, 0))
            yield f"bits_{form}.tif", make(image(4, 4, t258=0))
            yield f"bits64k_{form}.tif", make(image(4, 4, t258=65535))
            yield f"samples_{form}.tif", make(image(4, 4, t277=65535))
            yield f"palette_{form}.tif", make(image(4, 4) + [(320, 3, 0x7FFFFFFF, 8)])
            yield f"keys_{form}.tif", make(image(4, 4) + [(34735, 3, 4, 0xFFFFFF00)])
    for codec in (5, 7, 8, 32773, 34887, 34925, 50000, 50001, 34712, 65535):
        yield f"codec{codec}.tif", tiff(image(4, 4, t259=codec), tail=b"\x80\xff" * 40)
    chain = [(8 + i * 114) for i in range(2000)]
    body = b"".join(tiff(image(4, 4), following=at + 114)[8:] for at in chain)
    yield "chain.tif", b"II*\0\x08\0\0\0" + body
    for side in (4096, 11585, 16384, 20000):
        yield f"bomb{side}.tif", bomb(side)
    for name, magic in (("ii", b"II*\0"), ("mm", b"MM\0*"), ("hfa", b"EHFA_HEADER_TAG\0"), ("big", b"II+\0\x08\0\0\0"), ("none", b"")):
        for n in (0, 1, 4, 60, 5000):
            yield f"noise_{name}_{n}.tif", magic + random.Random(n).randbytes(n)
    for name, text in (
        ("passwd", '<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="Byte" band="1" subClass="VRTRawRasterBand">'
         '<SourceFilename relativetoVRT="0">/etc/passwd</SourceFilename><ImageOffset>0</ImageOffset><PixelOffset>1</PixelOffset>'
         "<LineOffset>9</LineOffset></VRTRasterBand></VRTDataset>"),
        ("python", '<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand dataType="Byte" band="1" subClass="VRTDerivedRasterBand">'
         "<PixelFunctionLanguage>Python</PixelFunctionLanguage><PixelFunctionType>os.system</PixelFunctionType></VRTRasterBand></VRTDataset>"),
        ("cut", '<VRTDataset rasterXSize="9"'),
        ("deep", "<VRTDataset>" * 50000),
        ("laughs", '<!DOCTYPE a [<!ENTITY b "cccc">]><VRTDataset rasterXSize="9" rasterYSize="9">&b;</VRTDataset>'),
    ):
        yield f"vrt_{name}.tif", text.encode()
        yield f"vrt_{name}.vrt", text.encode()


def sound_cells():
    """Classes of the legends nrcan and nalcms."""
    return np.array([1, 2, 5, 6, 8, 10, 11, 12, 13, 14], "uint8")[np.arange(70 * 90).reshape(70, 90) // 700 % 10]


def by_rasterio(folder):
    """Sound files of several kinds, cut short and altered at many places."""
    cells = sound_cells()
    profile = dict(driver="GTiff", width=90, height=70, count=1, dtype="uint8", crs="EPSG:3978", transform=rasterio.transform.from_origin(0, 0, 30, 30))
    kinds = {
        "plain": {}, "lzw": dict(compress="lzw"), "deflate": dict(compress="deflate", tiled=True, blockxsize=32, blockysize=32),
        "zstd": dict(compress="zstd"), "packbits": dict(compress="packbits"), "bigtiff": dict(BIGTIFF="YES", compress="deflate"),
        "be": dict(ENDIANNESS="BIG", compress="lzw"), "lerc": dict(compress="lerc"), "cog": dict(driver="COG", compress="deflate"),
        "hfa": dict(driver="HFA"), "hfarle": dict(driver="HFA", compressed="YES"), "predictor": dict(compress="lzw", predictor=2),
    }
    for name, options in kinds.items():
        path = folder / ("whole.img" if "hfa" in name else "whole.tif")
        try:
            with rasterio.open(path, "w", **{**profile, **options}) as file:
                file.write(cells, 1)
        except Exception as error:  # a codec that this rasterio lacks
            print(f"  without {name}: {error}")
            continue
        whole = path.read_bytes()
        path.unlink()
        random_place = random.Random(name)
        for n in range(6):
            yield f"cut_{name}_{n}{path.suffix}", whole[: len(whole) * n // 6]
        for n in range(8):
            bytes_ = bytearray(whole)
            # Most of what can go wrong stands at the front; of an Imagine file anywhere.
            reach = len(whole) if n % 2 or "hfa" in name else min(len(whole), 400)
            for _ in range(1 + n % 3):
                bytes_[random_place.randrange(reach)] = random_place.choice([0, 1, 0x7F, 0x80, 0xFF, random_place.randrange(256)])
            yield f"flip_{name}_{n}{path.suffix}", bytes(bytes_)


MASK_JOB = """
name = "x"
output = "out"
[grid]
crs = "EPSG:3978"
origin = [0, 0]
cell_size_m = 30
shape = [70, 90]
[[source]]
id = "s"
legend = "nalcms"
[source.epochs]
2010 = "sound.tif"
2015 = {{ method = "update", base = 2010, files = "sound.tif", mask = "{0}" }}
"""

SOURCE_JOB = """
name = "x"
output = "out"
[grid]
crs = "EPSG:3978"
origin = [0, 0]
cell_size_m = 30
shape = [70, 90]
outside_grid = "drop"
[[source]]
id = "s"
legend = "nalcms"
priority = 2
formats = ["GTiff", "HFA", "VRT"]
[source.epochs]
2010 = "{0}"
"""


def uses(name):
    """Every way in which a file is used, and the job file that goes with it."""
    zones = ["--zones", name] + ([] if Path(name).suffix in (".tif", ".tiff", ".img") else ["--zone-key", "k"])
    yield ["info", name, "--counts"], None
    yield ["info", name, "--format", "VRT", "--format", "GTiff", "--format", "HFA"], None
    yield ["reclass", name, "-o", "out.tif", "--crosswalk", "nrcan-nalcms", "--missing-stratum", "default", "--overwrite"], None
    yield ["change", name, "sound.tif", "--years", "2010", "2015", "--legend", "raw", "--tables-only", "-o", "out", "--overwrite"], None
    yield ["change", "sound.tif", "sound.tif", "--years", "2010", "2015", "--legend", "nalcms", "-o", "out", "--overwrite", *zones], None
    yield ["run", "job.toml", "--retries", "0", "--overwrite"], SOURCE_JOB.format(name)
    yield ["run", "job.toml", "--retries", "0", "--overwrite"], MASK_JOB.format(name)


def judge(folder, name):
    """What is wrong with the answers to one file."""
    faults, worst = [], (0.0, 0)
    for arguments, job in uses(name):
        if job:
            (folder / "job.toml").write_text(job)
        code, words, seconds, memory = run(folder, arguments)
        worst = (max(worst[0], seconds), max(worst[1], memory))
        told = code == 0 or name in words
        # Or its cells cannot be read, which the task that reads them tells: nothing is published.
        failed = code == 1 and arguments[0] != "info" and "INCOMPLETE" in words and "cannot be read" in words
        if not (code in ANSWERS or failed) or seconds > SECONDS or memory > MEMORY_KIB or not told:
            faults.append(f"{' '.join(arguments)} [{name}]: exit {code}, {seconds:.1f} s, {memory // 1024} MiB\n{words[-600:]}")
        subprocess.run(["rm", "-rf", folder / "out", folder / "out.tif", folder / "out.tif.aux.xml"], check=True)
    return faults, worst


@needs_rasterio
class EveryFile(Case):
    def setUp(self):
        super().setUp()
        cells = sound_cells()
        with rasterio.open(self.folder / "sound.tif", "w", driver="GTiff", width=90, height=70, count=1, dtype="uint8",
                           crs="EPSG:3978", transform=rasterio.transform.from_origin(0, 0, 30, 30)) as file:
            file.write(cells, 1)

    def judge_all(self, files):
        faults, seconds, memory, number = [], 0.0, 0, 0
        for name, content in files:
            (self.folder / name).write_bytes(content)
            found, worst = judge(self.folder, name)
            (self.folder / name).unlink()
            faults += found
            seconds, memory, number = max(seconds, worst[0]), max(memory, worst[1]), number + 1
        print(f"\n  {number} files: slowest {seconds:.2f} s, largest {memory // 1024} MiB", end=" ")
        self.assertGreater(number, 0)
        self.assertEqual(faults, [], "\n" + "\n".join(faults))

    def test_hostile_headers(self):
        self.judge_all(self_made())

    def test_cut_and_altered_files(self):
        self.judge_all(by_rasterio(self.folder))

    def test_files_that_broke_other_programs(self):
        files = sorted([*REAL_DATA.glob("malformed/*.tif*"), *REAL_DATA.glob("tiff_zoo/*.tif*")])
        if not files:
            self.skipTest("SKIPPED: no malformed files in NALCMS_REAL_DATA")
        self.judge_all((path.name, path.read_bytes()) for path in files)

    def test_a_large_map_that_is_empty_is_no_refusal(self):
        """60000 x 60000 cells of which the file holds none: looked at in no time, as large maps are."""
        (self.folder / "sparse.tif").write_bytes(tiff(image(60000, 60000, t278=64, t273=0, t279=0)))
        code, words, seconds, memory = run(self.folder, ["info", "sparse.tif"])
        self.assertIn(code, ANSWERS, words)
        self.assertLess(seconds, SECONDS)
        self.assertLess(memory, MEMORY_KIB)

    def test_a_sound_file_is_read(self):
        """The same ways succeed with a sound file, so that the others say something."""
        codes = []
        for arguments, job in uses("sound.tif"):
            if job:
                (self.folder / "job.toml").write_text(job)
            code, words, *_ = run(self.folder, arguments)
            codes.append((arguments, code, words))
            subprocess.run(["rm", "-rf", self.folder / "out", self.folder / "out.tif", self.folder / "out.tif.aux.xml"], check=True)
        self.assertEqual([c for c in codes if c[1] not in (0, 3)], [])
        self.assertGreaterEqual(sum(code == 0 for _, code, _ in codes), 4, codes)


def imagine_of_shared_entries(sound, levels):
    """An Imagine file with `levels` levels of two siblings that share their children: 2 to the power of that many ways."""
    content = bytearray(sound)
    (header,) = struct.unpack("<I", content[16:20])
    (root,) = struct.unpack("<I", content[header + 8:header + 12])
    (last,) = struct.unpack("<I", content[root + 12:root + 16])
    while (following := struct.unpack("<I", content[last:last + 4])[0]):
        last = following
    first = len(content)
    place = lambda level, sibling: first + (2 * level + sibling) * 128
    content[last:last + 4] = struct.pack("<I", place(0, 0))
    for level in range(levels):
        for sibling in range(2):
            below = place(level + 1, 0) if level + 1 < levels else 0
            beside = place(level, 1) if sibling == 0 else 0
            content += struct.pack("<6I", beside, 0, root, below, 0, 0) + b"x".ljust(64, b"\0") + b"Foo".ljust(40, b"\0")
    return bytes(content)


@needs_rasterio
class Bystanders(Case):
    """What a file leads to beside its cells: databases that are programs, metadata, other files."""

    def setUp(self):
        super().setUp()
        self.sound("sound.tif")
        self.zones = ["change", "sound.tif", "sound.tif", "--years", "2010", "2015", "--legend", "nalcms", "--tables-only", "-o", "out",
                      "--overwrite", "--zone-key", "k", "--zones"]

    def sound(self, name, cells=None, **options):
        cells = sound_cells() if cells is None else cells
        profile = dict(driver="GTiff", width=cells.shape[1], height=cells.shape[0], count=1, dtype=cells.dtype, crs="EPSG:3978",
                       transform=rasterio.transform.from_origin(0, 0, 30, 30))
        with rasterio.open(self.folder / name, "w", **{**profile, **options}) as file:
            file.write(cells, 1)
        return (self.folder / name).read_bytes()

    def answered(self, arguments, *codes):
        code, words, seconds, memory = run(self.folder, arguments)
        self.assertIn(code, codes, words)
        self.assertLess(seconds, SECONDS, words)
        self.assertLess(memory, MEMORY_KIB, words)
        return words

    def layer(self, name):
        """A layer of one polygon with the key `k`, as a database."""
        ring = [[0, 0], [2700, 0], [2700, -2100], [0, -2100], [0, 0]]
        crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3978"}}
        feature = {"type": "Feature", "properties": {"k": "a"}, "geometry": {"type": "Polygon", "coordinates": [ring]}}
        (self.folder / "z.geojson").write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": [feature]}))
        subprocess.run(["ogr2ogr", "-f", "GPKG", name, "z.geojson", "-nln", "z", "-lco", "SPATIAL_INDEX=NO"], cwd=self.folder, check=True)
        return self.folder / name

    @needs_gdalwarp
    def test_a_view_of_a_database_reads_no_file(self):
        (self.folder / "secret.txt").write_text("THESECRETLINE\nanother\n")
        self.answered([*self.zones, self.layer("plain.gpkg").name], 0)
        database = sqlite3.connect(self.layer("view.gpkg"))
        for (trigger,) in database.execute("select name from sqlite_master where type = 'trigger'").fetchall():
            database.execute(f'drop trigger "{trigger}"')
        database.execute("alter table z rename to gpkg_zz")
        database.execute("delete from gpkg_ogr_contents")
        database.execute("pragma writable_schema = on")
        for kind, name, sql in (
            ("view", "z", "CREATE VIEW z AS select rowid as fid, (select geom from gpkg_zz) as geom, COL001 as k from gpkg_vt"),
            ("table", "gpkg_vt", f"CREATE VIRTUAL TABLE gpkg_vt USING VirtualText('{self.folder}/secret.txt', 'UTF-8', 0, POINT, DOUBLEQUOTE, ',')"),
        ):
            database.execute("insert into sqlite_master (type, name, tbl_name, rootpage, sql) values (?, ?, ?, 0, ?)", (kind, name, name, sql))
        database.execute("update gpkg_contents set table_name = 'z', identifier = 'z'")
        database.execute("update gpkg_geometry_columns set table_name = 'z'")
        database.commit()
        database.close()
        words = self.answered([*self.zones, "view.gpkg"], 3)
        told = words.encode() + b"".join(path.read_bytes() for path in (self.folder / "out").rglob("*") if path.is_file())
        self.assertNotIn(b"THESECRETLINE", told)

    @needs_gdalwarp
    def test_a_database_that_is_open_elsewhere_is_not_written_to(self):
        path = self.layer("open.gpkg")
        database = sqlite3.connect(path)
        database.execute("pragma journal_mode = wal")
        database.execute("update z set k = 'b'")
        database.commit()
        before = path.read_bytes(), (self.folder / "open.gpkg-wal").read_bytes()
        self.assertGreater(len(before[1]), 0)
        self.assertIn("open in another program", self.answered([*self.zones, "open.gpkg"], 3))
        self.assertEqual((path.read_bytes(), (self.folder / "open.gpkg-wal").read_bytes()), before)
        database.close()
        path.touch()
        self.answered([*self.zones, "open.gpkg"], 0)

    def test_entries_of_an_imagine_file_are_a_tree(self):
        sound = self.sound("sound.img", driver="HFA")
        self.answered(["info", "sound.img", "--counts"], 0)
        (self.folder / "odd.img").write_bytes(imagine_of_shared_entries(sound, 40))
        self.assertIn("two ways", self.answered(["info", "odd.img"], 3))
        (self.folder / "sound.aux").write_bytes(imagine_of_shared_entries(sound, 40))
        self.assertIn("sound.aux", self.answered(["info", "sound.tif"], 3))

    def test_metadata_are_bounded_in_number_and_name_nothing(self):
        sidecar = self.folder / "sound.tif.aux.xml"
        for text, code in (
            ("".join(f'<Metadata domain="d{n}"><MDI key="a">b</MDI></Metadata>' for n in range(50_000)), 4),
            ("<SRS>DICT:evil.txt,1</SRS>", 3),
            ('<SRS>+proj=utm +zone=14 +nadgrids="/tmp/x" +type=crs</SRS>', 3),
            ('<Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE" other.tif="&gt;:::BASE:::sound.rrd&lt;">x</MDI></Metadata>', 3),
            ('<Metadata><MDI key="a">b</MDI></Metadata>', 0),
        ):
            sidecar.write_text(f"<PAMDataset>{text}</PAMDataset>")
            self.answered(["info", "sound.tif"], code)
        sidecar.unlink()
        text = b'<GDALMetadata><Item name="OVERVIEW_FILE" domain="OVERVIEWS">other.tif</Item></GDALMetadata>\0'
        shorts = struct.pack(f"<{len(text)}H", *text)
        tags = [*image(4, 4), (42112, 3, len(text), 0)]
        at = len(tiff(tags))
        tags[-1] = (42112, 3, len(text), at)
        (self.folder / "short.tif").write_bytes(tiff(tags, shorts))
        self.assertIn("42112", self.answered(["info", "short.tif"], 3))

    def test_a_continuous_raster_has_no_change_matrix(self):
        self.sound("many.tif", np.arange(160 * 160).reshape(160, 160).astype("uint16") % 6300)
        change = ["change", "many.tif", "many.tif", "--years", "2010", "2015", "--legend", "raw", "--tables-only", "-o", "out"]
        self.assertIn("continuous raster", self.answered(change, 4))

    def test_a_block_of_single_bits_is_as_large_as_one_of_bytes(self):
        cells = (np.arange(64 * 64).reshape(64, 64) % 2).astype("uint8")
        self.sound("bits.tif", cells, NBITS=1, tiled=True, blockxsize=64, blockysize=64, compress="deflate")
        self.answered(["info", "bits.tif", "--counts"], 0)
        self.sound("large.tif", np.zeros((32768, 32768), "uint8"), NBITS=1, tiled=True, blockxsize=32768, blockysize=32768, compress="deflate")
        self.answered(["info", "large.tif"], 4)
        subprocess.run(["gdalbuildvrt", "-q", "large.vrt", "large.tif"], cwd=self.folder, check=True)
        self.answered(["info", "large.vrt", "--format", "VRT", "--format", "GTiff", "--counts"], 4)


if __name__ == "__main__":
    unittest.main()
