"""Seams between sections and gaps between sources against numpy, over several blocks."""

import unittest
from collections import Counter

from support import Case, needs_rasterio, np, rasterio

ROWS, COLS = 640, 1100

JOB = """
name = "between"
output = "out"
seams = {{ control_cells = {control} }}
gaps = true
[grid]
crs = "EPSG:5070"
origin = [0, {top}]
cell_size_m = 30
shape = [{rows}, {cols}]
extent = "full"
[compute]
task_cells = 512
"""

SOURCE = """
[[source]]
id = "{id}"
section = "{section}"
priority = {priority}
legend = "nalcms"
epochs = {{ 2015 = "{id}.tif" }}
"""


def controls(sections, classes, control, axis):
    """Pairs along the second axis: the seam, and the control pairs on the left and on the right of it."""
    if axis == 0:
        sections, classes = sections.T, classes.T
    width = sections.shape[1]
    seam = (sections[:, :-1] >= 0) & (sections[:, 1:] >= 0) & (sections[:, :-1] != sections[:, 1:])
    seam &= (classes[:, :-1] > 0) & (classes[:, 1:] > 0)
    counts = Counter()
    for row, left in zip(*np.nonzero(seam)):
        one, other = sections[row, left], sections[row, left + 1]
        a, b = sorted((one, other))
        codes = classes[row, left], classes[row, left + 1]
        counts[(a, b, "seam", *(codes if one == a else codes[::-1]))] += 1
        for own, near, far in [(one, left - control, left - control - 1), (other, left + 1 + control, left + 2 + control)]:
            if min(near, far) < 0 or max(near, far) >= width:
                continue
            if sections[row, near] == own == sections[row, far] and classes[row, near] and classes[row, far]:
                line = "control_a" if own == a else "control_b"
                counts[(a, b, line, classes[row, near], classes[row, far])] += 1
    return counts


def floods(undecided):
    """Pieces connected by edges that do not reach the edge: pixels, first and last rows and columns; the largest first."""
    places = list(map(tuple, np.argwhere(undecided).tolist()))
    todo, found = set(places), []
    for start in places:
        if start not in todo:
            continue
        todo.remove(start)
        stack, cells = [start], []
        while stack:
            row, col = stack.pop()
            cells.append((row, col))
            for beside in [(row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)]:
                if beside in todo:
                    todo.remove(beside)
                    stack.append(beside)
        rows, cols = zip(*cells)
        if min(rows) > 0 and min(cols) > 0 and max(rows) + 1 < undecided.shape[0] and max(cols) + 1 < undecided.shape[1]:
            found.append((len(cells), min(cells), min(rows), max(rows), min(cols), max(cols)))
    return sorted(found, key=lambda gap: (-gap[0], gap[1]))


@needs_rasterio
class SeamsAndGaps(Case):
    def test_every_pair_and_every_gap_is_that_of_numpy(self):
        random = np.random.default_rng(11)
        transform = rasterio.transform.from_origin(0, ROWS * 30, 30, 30)
        rows, cols = np.mgrid[:ROWS, :COLS]
        patches = random.integers(1, 20, (3, ROWS // 4 + 1, COLS // 4 + 1)).astype("uint8")
        bounds = [
            cols < 500 + (rows * 7) % 61,
            (cols > 430 + (rows // 9) % 40) & (rows + cols // 3 > 250),
            (rows < 400) & (cols > 300),
        ]
        names = ["west", "east", "north"]
        sections = np.full((ROWS, COLS), -1)
        classes = np.zeros((ROWS, COLS), "uint8")
        job = JOB.format(control=5, top=ROWS * 30, rows=ROWS, cols=COLS)
        for number, (name, inside) in enumerate(zip(names, bounds)):
            plane = np.where(inside, patches[number][rows // 4, cols // 4], 0)
            holes = random.random((ROWS // 3 + 1, COLS // 3 + 1)) < 0.05
            plane = np.where(holes[rows // 3, cols // 3], 0, plane).astype("uint8")
            with rasterio.open(self.folder / f"{name}.tif", "w", driver="GTiff", width=COLS, height=ROWS, count=1,
                               dtype="uint8", crs="EPSG:5070", transform=transform, tiled=True) as raster:
                raster.write(plane, 1)
            free = (sections < 0) & (plane > 0)
            sections[free], classes[free] = number, plane[free]
            job += SOURCE.format(id=name, section=name, priority=9 - number)
        self.job(job)
        expected = controls(sections, classes, 5, 1) + controls(sections, classes, 5, 0)
        found = {
            (names.index(r["section_a"]), names.index(r["section_b"]), r["line"], int(r["code_a"]), int(r["code_b"])): int(r["pairs"])
            for r in self.table("out/tables/seam.csv")
        }
        self.assertEqual(found, dict(expected))
        self.assertEqual({key[:3] for key in found}, {(a, b, line) for a, b in [(0, 1), (0, 2), (1, 2)]
                                                       for line in ["seam", "control_a", "control_b"]})
        gaps = floods(sections < 0)
        self.assertGreater(len(gaps), 100)
        rows = [r for r in self.table("out/tables/gaps.csv") if r["gap"] != "others"]
        places = ["pixels", "first_row", "last_row", "first_col", "last_col"]
        self.assertEqual([[int(r[c]) for c in places] for r in rows], [[g[0], *g[2:]] for g in gaps[:1000]])
        self.assertEqual(sum(int(r["gaps"]) for r in self.table("out/tables/gaps.csv")), len(gaps))
        self.nalcms("verify", "out")


if __name__ == "__main__":
    unittest.main()
