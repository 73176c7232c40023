"""What moves between two crosswalks on a real map, against numpy and rasterio."""

import json
import re
import unittest

from support import REPOSITORY, Case, needs_rasterio, np, rasterio, real

if rasterio is not None:
    import rasterio.features


@needs_rasterio
class CrosswalkDiffAgainstNumpy(Case):
    def test_barren_land_and_pasture_of_northampton_by_zone(self):
        source = real("nlcd/northampton_ma/NLCD_2001_*.tiff")
        text = (REPOSITORY / "configs/crosswalks/nlcd-nalcms.toml").read_text()
        moved = text.replace('id = "nlcd-nalcms"', 'id = "other"', 1)
        # Pasture as grassland, open development as cropland: in place of 15 and 17.
        for code, before, after in [(81, 15, 10), (21, 17, 15)]:
            moved, n = re.subn(rf"(from = {code}\nto = ){before}\n", rf"\g<1>{after}\n", moved)
            self.assertEqual(n, 1)
        (self.folder / "other.toml").write_text(moved)
        with rasterio.open(source) as raster:
            cells, transform, crs = raster.read(1), raster.transform, raster.crs
        # Three zones of the map's own cells, the third covering nothing of what moves on purpose: rows beyond the half.
        rows, cols = np.indices(cells.shape)
        zones = np.where(rows * 2 < cells.shape[0], 1, 2) + np.where(cols > cells.shape[1] // 3, 10, 20)
        profile = {"driver": "GTiff", "height": cells.shape[0], "width": cells.shape[1], "count": 1, "dtype": "uint8"}
        with rasterio.open(self.folder / "zones.tif", "w", crs=crs, transform=transform, **profile) as out:
            out.write(zones.astype("uint8"), 1)
        told = json.loads(
            self.nalcms(
                "crosswalk", "diff", "nlcd-nalcms", "./other.toml", "--against", source, "--missing-stratum", "default",
                "--zones", "zones.tif", "--json",
            ).stdout
        )
        area = abs(transform.a * transform.e) / 1e6
        everywhere = np.ones(cells.shape, dtype=bool)
        wanted = {"all": everywhere, **{str(zone): zones == zone for zone in np.unique(zones)}}
        self.assertEqual({zone["zone"] for zone in told["zones"]}, set(wanted))
        total = 0
        for zone in told["zones"]:
            inside = wanted[zone["zone"]]
            expected = {
                pair: int(((cells == code) & inside).sum()) for code, pair in [(81, (15, 10)), (21, (17, 15))]
            }
            found = {(move["from"], move["to"]): move["pixels"] for move in zone["moves"]}
            self.assertEqual(found, {pair: n for pair, n in expected.items() if n})
            for move in zone["moves"]:
                self.assertAlmostEqual(move["km2"], move["pixels"] * area, places=9)
            total += sum(expected.values())
        self.assertGreater(total, 1000)


if __name__ == "__main__":
    unittest.main()
