"""Blocks as Python's zlib and GDAL decode them: the streams are DEFLATE as everyone reads it."""

import struct
import unittest
import zlib

from support import Case, needs_rasterio, np, real

BLOCK = 512


def native_tiles(path):
    """The compressed tiles of the largest level, from a reader of classic TIFF written down here (TIFF 6.0, section 2)."""
    data = path.read_bytes()
    assert data[:4] == b"II*\0", "classic and little endian"
    directory = struct.unpack_from("<I", data, 4)[0]
    tags = {}
    for entry in range(struct.unpack_from("<H", data, directory)[0]):
        at = directory + 2 + 12 * entry
        tag, kind, count = struct.unpack_from("<HHI", data, at)
        form = {3: "H", 4: "I"}.get(kind)
        if form:
            size = struct.calcsize(form) * count
            place = at + 8 if size <= 4 else struct.unpack_from("<I", data, at + 8)[0]
            tags[tag] = struct.unpack_from(f"<{count}{form}", data, place)
    assert tags[259] == (8,), "Adobe DEFLATE"
    return [data[start : start + length] for start, length in zip(tags[324], tags[325])]


@needs_rasterio
class Blocks(Case):
    def check(self, name, dtype):
        """Every tile by zlib, put together, is the raster that GDAL reads."""
        cells = self.cells(name)
        rows, cols = (-(-side // BLOCK) for side in cells.shape)
        tiles = [zlib.decompress(tile) for tile in native_tiles(self.folder / name)]
        self.assertEqual(len(tiles), rows * cols)
        tiles = np.frombuffer(b"".join(tiles), dtype).reshape(rows, cols, BLOCK, BLOCK)
        whole = tiles.swapaxes(1, 2).reshape(rows * BLOCK, cols * BLOCK)
        self.assertTrue((whole[: cells.shape[0], : cells.shape[1]] == cells).all())
        return cells

    def synth(self, profile):
        options = ["--size", "1100x1300", "--years", 2010, 2015, "--profile", profile]
        self.nalcms("synth", "-o", profile, *options)
        return [f"{profile}/nalcms_{year}.tif" for year in (2010, 2015)]

    def test_synthetic_maps_come_back_with_every_deflate(self):
        maps = self.synth("interior")
        for compression in ("fast", "balanced", "small"):
            out = f"{compression}.tif"
            self.nalcms("mosaic", maps[0], "--legend", "nalcms", "--compression", compression, "-o", out)
            self.assertTrue((self.check(out, np.uint8) == self.cells(maps[0])).all(), compression)

    def test_change_rasters_of_16_bits_come_back(self):
        maps = self.synth("interior")
        for compression in ("fast", "balanced"):
            options = ["--years", 2010, 2015, "--legend", "nalcms", "--compression", compression]
            self.nalcms("change", *maps, *options, "-o", compression)
            [raster] = (self.folder / compression / "change").glob("*.tif")
            self.check(raster.relative_to(self.folder), np.uint16)

    def test_a_real_map_comes_back(self):
        source = real("nlcd/frederick*/*.tif")
        self.nalcms("mosaic", source, "--legend", "nlcd", "-o", "real.tif")
        self.assertTrue((self.check("real.tif", np.uint8) == self.cells(source)).all())


if __name__ == "__main__":
    unittest.main()
