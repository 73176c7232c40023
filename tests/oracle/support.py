"""What every comparison with another program needs: the binary, a scratch folder, real maps where there are any.

A test that lacks its other program or its map says so and skips; it never passes unseen.
"""

import csv
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
NALCMS = os.environ.get("NALCMS_BIN", str(REPOSITORY / "target/release/nalcms"))
REAL_DATA = Path(os.environ.get("NALCMS_REAL_DATA", REPOSITORY.parent / "shared/data"))

try:
    import numpy as np
    import rasterio
except ImportError:  # the decorators below say so
    np = rasterio = None

needs_rasterio = unittest.skipIf(rasterio is None, "SKIPPED: rasterio is not installed")
needs_gdalwarp = unittest.skipIf(shutil.which("gdalwarp") is None, "SKIPPED: gdalwarp is not installed")


def real(path):
    """A real map, or a visible skip."""
    found = sorted(REAL_DATA.glob(path))
    if not found:
        raise unittest.SkipTest(f"SKIPPED: no real map {path} in NALCMS_REAL_DATA")
    return found[0]


class Case(unittest.TestCase):
    """A test in a scratch folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def nalcms(self, *arguments, code=0):
        run = subprocess.run([NALCMS, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(run.returncode, code, f"{arguments}\n{run.stdout}\n{run.stderr}")
        return run

    def job(self, text):
        (self.folder / "job.toml").write_text(text)
        return self.nalcms("run", "job.toml")

    def cells(self, name, level=None):
        options = {} if level is None else {"overview_level": level}
        with rasterio.open(self.folder / name, **options) as raster:
            return raster.read(1)

    def table(self, name):
        with open(self.folder / name, newline="") as file:
            return list(csv.DictReader(file))

    def run_json(self, output):
        return json.loads((self.folder / output / "run.json").read_text())

    def matrix(self, name, **where):
        """(from, to) to pixels, of rows of a long change matrix."""
        rows = [r for r in self.table(name) if all(r[k] == str(v) for k, v in where.items())]
        return {(int(r["from_code"]), int(r["to_code"])): int(r["pixels"]) for r in rows if int(r["pixels"])}


def crosstab(a, b, valid):
    """Joint counts of two arrays where valid, as a dict."""
    pairs, counts = np.unique(np.stack([a[valid], b[valid]]), axis=1, return_counts=True)
    return {(int(f), int(t)): int(n) for (f, t), n in zip(pairs.T, counts)}
