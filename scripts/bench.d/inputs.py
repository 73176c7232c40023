"""Makes the maps that all programs get, and keeps them."""
import json
import os
import subprocess
import time

import measure

YEARS = (2015, 2020)
SIDES = {16: 4096, 64: 8192, 256: 16384, 1024: 32768}
TILES_ACROSS = 8
OVERLAP = 16
# Conditional rows of the crosswalk take their default, so that no peer needs polygons.
TILE_LEGEND = "nlcd"
# `continental` scatters its nodata so that hardly any block is empty; on the real grid 64 % of the cells lie outside, most
# of them in empty blocks. `island` is that: `interior` within a square of 0.6 of the side, which has 36 % of the cells.
PROFILES = ("continental", "interior", "island")
ISLAND = 0.6
CELL_M = 30


class Inputs:
    """Two years of one world: a whole file each in NALCMS codes, a folder of tiles each in NLCD codes."""

    def __init__(self, folder, nalcms, megapixels, profile, seed):
        self.side = SIDES[megapixels]
        self.cells = self.side * self.side
        self.profile, self.nalcms = profile, nalcms
        # Three more than an eighth: corners of tiles fall on no block of the mosaic, as national tiles' do not.
        self.tile = self.side // TILES_ACROSS + 3
        self.folder = os.path.join(folder, f"{profile}-{megapixels}-{seed}")
        self.whole = [os.path.join(self.folder, "whole", f"nalcms_{year}.tif") for year in YEARS]
        self.tiles = [os.path.join(self.folder, f"tiles_{year}") for year in YEARS]
        self.seed = seed
        self.commands = []

    def make(self, say):
        """Makes what is not there, and says how fast that went."""
        size = f"{self.side}x{self.side}"
        common = ["--profile", "interior" if self.profile == "island" else self.profile, "--seed", str(self.seed),
                  "--size", size]
        if self.profile == "island":
            half = round(self.side * CELL_M * ISLAND / 2)
            common.append(f"--within={-half},{-half},{half},{half}")
        self._make("whole", say, [*common, "--years", *map(str, YEARS)], self.cells * len(YEARS))
        for year in YEARS:
            tiling = ["--tile", str(self.tile), "--overlap", str(OVERLAP), "--legend", TILE_LEGEND, "--years", str(year)]
            self._make(f"tiles_{year}", say, [*common, *tiling], self.cells)

    def _make(self, name, say, arguments, cells):
        folder = os.path.join(self.folder, name)
        command = [self.nalcms, "synth", "-o", folder, *arguments]
        self.commands.append(command)
        if os.path.isdir(folder):
            return
        unfinished = measure.fresh(folder + ".unfinished")
        start = time.monotonic()
        command = [*command[:3], unfinished, *command[4:], "--quiet"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        spent = time.monotonic() - start
        os.rename(unfinished, folder)
        say(f"made {folder}: {spent:.0f} s, {cells / 1e6 / spent:.0f} Mpx/s")

    def facts(self, python, check):
        """What the whole maps hold; looked at once. None where there is no Python with rasterio."""
        path = os.path.join(self.folder, "facts.json")
        if not os.path.exists(path):
            text = measure.said(python, "-B", check, "facts", *self.whole)
            if text is None:
                return None
            with open(path, "w") as file:
                file.write(text)
        with open(path) as file:
            return json.load(file)


def look_up_table(nalcms):
    """NLCD code to class, where no climate zones are given."""
    shown = json.loads(measure.said(nalcms, "crosswalk", "show", f"{TILE_LEGEND}-nalcms", "--json"))
    table = {row["from"]: row["to"] if row["stratum"] is None else row["default"] for row in shown["rows"]}
    return {code: to for code, to in table.items() if to is not None}


def size_of(path):
    """Bytes of a file, or of all files below a folder."""
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(path) for name in names)
