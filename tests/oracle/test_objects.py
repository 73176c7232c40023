"""Inputs and outputs in object stores and on web servers, against the same job on disk: the same bytes whatever the network does.

The stores are a server of our own that fails at will (object_server.py) and moto, which nobody here wrote. Without Python
packages for moto its tests say that they skip.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

from object_server import ObjectServer
from support import NALCMS, REPOSITORY, Case

try:
    import boto3
    import moto.server  # noqa: F401
except ImportError:
    boto3 = None

needs_moto = unittest.skipIf(boto3 is None, "SKIPPED: moto[server] and boto3 are not installed")

FIXTURES = REPOSITORY / "fixtures"
DEMO = (REPOSITORY / "configs/jobs/demo.toml").read_text()
SUMS = "SHA256SUMS"


def demo(inputs, output, work=None, files=None):
    """The job of three nations with its inputs and its output elsewhere; patterns become lists where `files` has them."""
    text = DEMO.replace("../../fixtures", inputs).replace("../../out/demo", output)
    for pattern, names in (files or {}).items():
        text = text.replace(f'"{inputs}/{pattern}"', json.dumps([f"{inputs}/{name}" for name in names]))
    return text + (f'work = "{work}"\n' if work else "")


def listed():
    """Every pattern of the job, and what it stands for: web servers list no files."""
    return {
        f"{folder}/{folder}_{year}_*.tif": [f"{folder}/{p.name}" for p in sorted((FIXTURES / folder).glob(f"*_{year}_*.tif"))]
        for folder in ("ca", "us") for year in (2010, 2015, 2020)
    }


def files_below(folder):
    """Relative name and content of all files but those that tell of the machine and the run."""
    folder = Path(folder)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*") if path.is_file() and ".nalcms" not in path.parts and path.name != "run.json"
    }


class Objects(Case):
    """Tests with a server of objects, and the job's result on disk to compare with."""

    @classmethod
    def setUpClass(cls):
        import tempfile
        cls.reference = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.reference.cleanup)
        folder = Path(cls.reference.name)
        (folder / "job.toml").write_text(demo(str(FIXTURES), "out"))
        run = subprocess.run([NALCMS, "run", "job.toml"], cwd=folder, capture_output=True, text=True)
        if run.returncode:
            raise AssertionError(run.stderr)
        cls.expected = files_below(folder / "out")

    def setUp(self):
        super().setUp()
        self.server = ObjectServer()
        self.addCleanup(self.server.close)
        self.serve_fixtures()
        self.environment = self.server.environment()

    def serve_fixtures(self):
        for path in FIXTURES.rglob("*"):
            if path.is_file():
                self.server.objects[f"/maps/{path.relative_to(FIXTURES)}"] = path.read_bytes()

    def nalcms(self, *arguments, code=0):
        run = subprocess.run([NALCMS, *map(str, arguments)], cwd=self.folder, capture_output=True, text=True,
                             env={**os.environ, **self.environment})
        self.assertEqual(run.returncode, code, f"{arguments}\n{run.stdout}\n{run.stderr}")
        return run

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def assert_same_as_on_disk(self, output="out"):
        self.assertEqual(files_below(self.folder / output), self.expected)

    def objects_below(self, prefix):
        """As files_below, of the server's objects."""
        return {
            key[len(prefix):]: content for key, content in self.server.objects.items()
            if key.startswith(prefix) and "/.nalcms/" not in key and not key.endswith("/run.json")
        }


class RemoteInputs(Objects):
    def names(self, scheme):
        return f"{self.server.url}/maps" if scheme == "http" else "s3://maps"

    def test_inputs_of_web_servers_and_stores_give_the_bytes_of_local_ones(self):
        for scheme in ("http", "s3"):
            with self.subTest(scheme):
                self.write("job.toml", demo(self.names(scheme), f"out-{scheme}", files=listed()))
                self.server.requests.clear()
                self.nalcms("run", "job.toml")
                self.assert_same_as_on_disk(f"out-{scheme}")
                asked = {path for _, path, _ in self.server.requests}
                named = {key for key in self.server.objects if key.endswith((".tif", ".geojson")) and "/lattice/" not in key}
                self.assertEqual(asked, named, "files that the job names, and no companions")
                inputs = self.run_json(f"out-{scheme}")["inputs"]
                for facts in inputs:
                    self.assertIn("etag", facts["version"])
                    self.assertNotIn("sha256", facts)
                again = json.loads(self.nalcms("run", "job.toml", "--json").stdout)
                self.assertEqual(again["computed"], 0)

    def test_a_map_of_another_version_is_worked_on_again(self):
        self.write("job.toml", demo(self.names("s3"), "out", files=listed()))
        self.nalcms("run", "job.toml")
        key = "/maps/ca/ca_2010_r00_c00.tif"
        self.server.objects[key] = self.server.objects["/maps/ca/ca_2015_r00_c00.tif"]
        again = json.loads(self.nalcms("run", "job.toml", "--json").stdout)
        self.assertGreater(again["computed"], 0)
        self.assertGreater(again["kept"], 0)

    def test_a_server_without_versions_has_its_files_hashed(self):
        server = ObjectServer(tags=False)
        self.addCleanup(server.close)
        server.objects.update(self.server.objects)
        self.write("job.toml", demo(f"{server.url}/maps", "out", files=listed()))
        self.nalcms("run", "job.toml")
        self.assert_same_as_on_disk()
        for facts in self.run_json("out")["inputs"]:
            self.assertRegex(facts["sha256"], "^[0-9a-f]{64}$")
            self.assertNotIn("version", facts)

    def test_passing_failures_are_survived(self):
        for how in (503, "drop", "cut"):
            with self.subTest(how):
                self.server.mend()
                for name in (r"ca_2010_r00_c00\.tif", r"mx_2015\.tif", r"climate\.geojson"):
                    self.server.fail("GET", name, how, 2)
                    self.server.fail("HEAD", name, how, 1)
                self.write("job.toml", demo(self.names("http"), f"out-{how}", files=listed()))
                self.nalcms("run", "job.toml")
                self.assert_same_as_on_disk(f"out-{how}")

    def test_refusals_are_told_apart_and_name_the_file(self):
        for status, words in ((403, "refuses access"), (404, "no such file")):
            for scheme in ("http", "s3"):
                with self.subTest((status, scheme)):
                    self.server.mend()
                    for method in ("GET", "HEAD"):
                        self.server.fail(method, r"mx_2010\.tif", status)
                    self.write("job.toml", demo(self.names(scheme), "refused", files=listed()))
                    run = self.nalcms("run", "job.toml", code=3)
                    self.assertIn(words, run.stderr)
                    self.assertIn("mx_2010.tif", run.stderr)
                    self.assertFalse((self.folder / "refused/SHA256SUMS").exists())

    def test_a_map_that_changes_while_it_is_read_is_not_mixed(self):
        key = "/maps/us/us_2015_r00_c00.tif"
        mine, other = self.server.objects[key], self.server.objects["/maps/us/us_2020_r00_c00.tif"]
        # The server is asked when the file is opened, when it is identified, and around each task.
        for asked, code in ((2, 4), (4, 1)):
            with self.subTest(asked):
                self.server.objects[key] = mine
                heads = [0]

                def change(method, path):
                    heads[0] += method == "HEAD" and path == key
                    if heads[0] == asked:
                        self.server.objects[key] = other

                self.server.watch = change
                self.write("job.toml", demo(self.names("http"), f"out-{asked}", files=listed()))
                run = self.nalcms("run", "job.toml", "--threads", "1", "--retries", "0", code=code)
                self.assertIn("changed", run.stderr)
                self.assertIn("us_2015_r00_c00.tif", run.stderr)
                self.assertFalse((self.folder / f"out-{asked}/SHA256SUMS").exists())
                self.server.watch = None
        self.nalcms("run", "job.toml")
        # As if it had been so from the beginning.
        shutil.copytree(FIXTURES, self.folder / "maps")
        (self.folder / "maps/us/us_2015_r00_c00.tif").write_bytes(other)
        self.write("local.toml", demo("maps", "local"))
        self.nalcms("run", "local.toml")
        self.assertEqual(files_below(self.folder / "out-4"), files_below(self.folder / "local"))

    def test_verbs_of_their_own_take_remote_names(self):
        url = f"{self.server.url}/maps/mx/mx_2010.tif"
        path = FIXTURES / "mx/mx_2010.tif"
        counts = lambda name: json.loads(self.nalcms("info", name, "--counts", "--json").stdout)["rasters"][0]["counts"]
        self.assertEqual(counts(url), counts(path))
        for number, name in enumerate((url, "s3://maps/mx/mx_2010.tif", "/vsis3/maps/mx/mx_2010.tif", f"/vsicurl/{url}", path)):
            self.nalcms("mosaic", name, "-o", f"{number}.tif", "--legend", "raw")
        self.assertEqual(len({(self.folder / f"{number}.tif").read_bytes() for number in range(5)}), 1)

    def test_a_server_that_is_down_is_no_wrong_input(self):
        self.environment["GDAL_HTTP_MAX_RETRY"] = "0"
        self.write("job.toml", demo(self.names("http"), "out", files=listed()))
        for methods, name in ((("GET", "HEAD"), r"mx_2010\.tif"), (("GET",), r"mx_2010\.tif"), (("GET",), r"climate\.geojson")):
            for method in methods:
                self.server.fail(method, name, 503)
            run = self.nalcms("run", "job.toml", code=4)
            self.assertIn(name.replace("\\", ""), run.stderr)
            self.server.mend()
        self.nalcms("run", "job.toml")
        self.assert_same_as_on_disk()

    def test_a_header_takes_few_requests(self):
        self.server.requests.clear()
        self.nalcms("info", f"{self.server.url}/maps/mx/mx_2010.tif")
        self.assertLessEqual(len(self.server.requests), 3)
        self.assertEqual({path for _, path, _ in self.server.requests}, {"/maps/mx/mx_2010.tif"})


class Secrets(Objects):
    SECRET = "SIGNATUREOFTHETEST"

    def assert_hidden(self, *texts):
        texts = [*texts, *(p.read_bytes().decode("latin-1") for p in self.folder.rglob("*") if p.is_file() and p.suffix != ".toml")]
        for text in texts:
            for secret in (self.SECRET, "SECRETKEYOFTHETEST", "AKIATESTKEYID"):
                self.assertNotIn(secret, text)

    def signed(self, output):
        names = {pattern: [f"{name}?X-Amz-Signature={self.SECRET}" for name in names] for pattern, names in listed().items()}
        text = demo(f"{self.server.url}/maps", output, files=names)
        for name in ("mx/mx_2010.tif", "mx/mx_2015.tif", "mx/mx_2020.tif", "vectors/climate.geojson", "vectors/zones.geojson"):
            text = text.replace(f'{name}"', f'{name}?sig={self.SECRET}"')
        self.assertEqual(text.count(self.SECRET), 5 + 18)
        return text

    def test_query_strings_are_used_and_shown_nowhere(self):
        self.write("job.toml", self.signed("out"))
        runs = [self.nalcms("plan", "job.toml", "-v"), self.nalcms("plan", "job.toml", "--json"),
                self.nalcms("plan", "job.toml", "-o", "plan.json"), self.nalcms("run", "job.toml", "-v"),
                self.nalcms("run", "job.toml", "--json"), self.nalcms("status", "job.toml", "--json")]
        self.assert_same_as_on_disk()
        self.assert_hidden(*(run.stdout + run.stderr for run in runs))
        self.assertTrue(any(self.SECRET in query for query in self.server.queries))
        self.assertIn("?…", (self.folder / "plan.json").read_text().replace("\\u2026", "…"))
        run = self.nalcms("run", "plan.json", code=3)
        self.assertIn("query string", run.stderr)
        self.assertIn("job file", run.stderr)

    def test_failures_hide_them_too(self):
        failing = {
            403: self.signed("a"),
            "typo": self.signed("b").replace("key  =", "kye  ="),
            "on a line of its own": self.signed("c").replace('priority = 10', f'prioritty = 10 # https://h/x.tif?s={self.SECRET}'),
            "a password": self.signed("d").replace("http://", f"http://me:{self.SECRET}@"),
        }
        for name, text in failing.items():
            with self.subTest(name):
                self.server.mend()
                if name == 403:
                    self.server.fail("GET", "climate", 403)
                    self.server.fail("HEAD", r"mx_2015", 403)
                self.write("job.toml", text)
                for arguments in (("run", "job.toml", "-v"), ("run", "job.toml", "--json"), ("plan", "job.toml", "-v")):
                    run = self.nalcms(*arguments, code=3 if name == 403 else 2)
                    self.assert_hidden(run.stdout, run.stderr)
        url = f"{self.server.url}/maps/none.tif?sig={self.SECRET}"
        for arguments, code in ((("info", url), 3), (("info", url, "--json"), 3), (("info", url, "--bnad", "1"), 2), (("info", url, url + "x"), 2),
                                (("info", url.replace("http", "ftp")), 2)):
            run = self.nalcms(*arguments, code=code)
            self.assert_hidden(run.stdout, run.stderr)

    def test_keys_of_a_store_are_shown_nowhere(self):
        self.write("job.toml", demo("s3://maps", "s3://made/demo", work=str(self.folder / "work"), files=listed()))
        runs = [self.nalcms("run", "job.toml", "-v")]
        self.server.fail("PUT", "", 403)
        self.write("job.toml", demo("s3://maps", "s3://made/other", work=str(self.folder / "work2"), files=listed()))
        runs += [self.nalcms("run", "job.toml", "-v", code=4), self.nalcms("run", "job.toml", "--json", code=4)]
        self.assert_hidden(*(run.stdout + run.stderr for run in runs))
        kept = b"".join(content for key, content in self.server.objects.items() if key.startswith("/made/"))
        self.assert_hidden(kept.decode("latin-1"))


class RemoteOutputs(Objects):
    def kill_while_a_put_stalls(self, *options):
        """Runs the job until the store holds up what it was told to, and kills it; then the store mends."""
        killed = subprocess.Popen([NALCMS, "run", "job.toml", *options], cwd=self.folder, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, env={**os.environ, **self.environment})
        self.addCleanup(killed.kill)
        deadline = time.monotonic() + 120
        while not any(method == "PUT" and how == "stall" for method, how in self.server.failed):
            self.assertLess(time.monotonic(), deadline, "nothing was held up")
            self.assertIsNone(killed.poll(), "it ended by itself")
            time.sleep(0.05)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        self.server.mend()

    def job(self, name="job.toml", work="work", output="s3://made/demo"):
        self.write(name, demo("s3://maps", output, work=work, files=listed()))

    def test_the_store_holds_what_the_disk_would(self):
        self.job()
        self.nalcms("run", "job.toml")
        self.assertEqual(self.objects_below("/made/demo/"), self.expected)
        facts = json.loads(self.server.objects["/made/demo/run.json"])
        self.assertEqual(facts["job"]["output"], "s3://made/demo")
        self.assertNotIn(str(self.folder).encode(), self.server.objects["/made/demo/run.json"])
        # SHA256SUMS says that all is there: it goes last.
        puts = [path for method, path, _ in self.server.requests if method == "PUT"]
        self.assertEqual(puts[-1], f"/made/demo/{SUMS}")
        self.assertEqual(puts.count(f"/made/demo/{SUMS}"), 1)

    def test_names_of_google_go_the_same_way(self):
        self.environment |= {"CPL_GS_ENDPOINT": f"{self.server.url}/", "GS_ACCESS_KEY_ID": "GOOGTEST", "GS_SECRET_ACCESS_KEY": "KEYOFTHETEST"}
        self.write("job.toml", demo("gs://maps", "gs://made/demo", work="work", files=listed()))
        self.nalcms("run", "job.toml")
        self.assertEqual(self.objects_below("/made/demo/"), self.expected)

    def test_a_second_run_computes_and_sends_nothing(self):
        self.job()
        self.nalcms("run", "job.toml")
        self.server.requests.clear()
        again = json.loads(self.nalcms("run", "job.toml", "--json").stdout)
        self.assertEqual((again["computed"], again["output"]), (0, "s3://made/demo"))
        puts = [path for method, path, _ in self.server.requests if method == "PUT"]
        self.assertEqual(puts, ["/made/demo/run.json"])

    def test_another_machine_goes_on_after_a_kill(self):
        self.job(work="one")
        self.server.fail("PUT", r"\.part$", "pass", 1)
        self.server.fail("PUT", r"\.part$", "stall")
        self.kill_while_a_put_stalls("--threads", "1")
        self.assertEqual(self.objects_below("/made/demo/"), {})
        self.job(work="two")
        went_on = json.loads(self.nalcms("run", "job.toml", "--json").stdout)
        self.assertGreaterEqual(went_on["kept"], 1)
        self.assertGreaterEqual(went_on["computed"], 1)
        self.assertEqual(self.objects_below("/made/demo/"), self.expected)

    def test_busy_stores_and_lost_answers_are_survived(self):
        for how in (503, "drop", "lose"):
            with self.subTest(how):
                self.server.mend()
                self.server.fail("PUT", r"\.part$|landcover|SHA256SUMS", how, 3)
                self.server.fail("GET", r"/made/.*\.part$", 503, 2)
                self.job(work=f"work-{how}", output=f"s3://made/{how}")
                self.nalcms("run", "job.toml")
                self.assertEqual(self.objects_below(f"/made/{how}/"), self.expected)

    def test_a_store_that_takes_nothing_ends_the_run_and_the_next_one_sends(self):
        for status in (503, 403):
            with self.subTest(status):
                self.server.mend()
                self.environment["GDAL_HTTP_MAX_RETRY"] = "1"
                self.server.fail("PUT", r"\.part$", status)
                self.job(work=f"work-{status}", output=f"s3://made/{status}")
                run = self.nalcms("run", "job.toml", code=4)
                self.assertIn("s3://made/", run.stderr)
                self.assertEqual(self.objects_below(f"/made/{status}/"), {})
                self.server.mend()
                self.server.requests.clear()
                again = json.loads(self.nalcms("run", "job.toml", "--json").stdout)
                self.assertGreaterEqual(again["kept"], 1, "the part that was made is not made again")
                self.assertEqual(self.objects_below(f"/made/{status}/"), self.expected)

    def test_a_place_of_another_job_is_refused(self):
        self.job()
        self.nalcms("run", "job.toml")
        before = dict(self.server.objects)
        self.write("other.toml", demo("s3://maps", "s3://made/demo", work="other", files=listed()).replace('"demo"', '"other"'))
        run = self.nalcms("run", "other.toml", code=2)
        self.assertIn("belongs to another job", run.stderr)
        self.assertEqual(self.server.objects, before)

    def test_files_of_somebody_else_are_left_alone(self):
        theirs = {f"/made/demo/{name}": name.encode() for name in ("mine.tif", "data/x.csv", "landcover/a.tif")}
        theirs[f"/made/demo/{SUMS}"] = b"".join(hashlib.sha256(b).hexdigest().encode() + b"  " + b + b"\n" for b in theirs.values())
        self.server.objects.update(theirs)
        self.job()
        run = self.nalcms("run", "job.toml", code=2)
        self.assertIn("not of this program", run.stderr)
        self.nalcms("run", "job.toml", "--overwrite")
        kept = [key for key in theirs if self.server.objects.get(key) == theirs[key]]
        self.assertEqual(len(kept), 3, "all but the list of checksums")

    def test_objects_that_another_machine_replaced_are_sent_again(self):
        self.job(work="one")
        self.nalcms("run", "job.toml")
        first = {key: content for key, content in self.server.objects.items() if key.startswith("/made/demo/")}
        # Another state of the job, of which parts and products are as large.
        self.write("other.toml", 'tie = "lowest"\n' + (self.folder / "job.toml").read_text().replace('work = "one"', 'work = "two"'))
        self.nalcms("run", "other.toml")
        replaced = [key for key in first if key.endswith(".part") and self.server.objects[key] != first[key]]
        self.assertTrue(replaced)
        again = json.loads(self.nalcms("run", "job.toml", "--json").stdout)
        self.assertEqual(again["computed"], 0)
        self.assertEqual(self.objects_below("/made/demo/"), self.expected)
        self.job("third.toml", work="three")
        third = json.loads(self.nalcms("run", "third.toml", "--json").stdout)
        self.assertEqual(third["computed"], 0, "the parts in the store are those of this state")
        # A product of another merge under the list of this one.
        key = next(key for key in first if key.endswith(".tif"))
        self.server.objects[key] = bytes(reversed(first[key]))
        self.nalcms("run", "job.toml")
        self.assertEqual(self.objects_below("/made/demo/"), self.expected)

    def test_what_a_changed_job_no_longer_makes_goes_away(self):
        self.job()
        self.nalcms("run", "job.toml")
        text = (self.folder / "job.toml").read_text()
        self.write("job.toml", text.replace('pairs = "consecutive"', 'pairs = "first-last"'))
        self.nalcms("run", "job.toml")
        names = set(self.objects_below("/made/demo/"))
        self.assertTrue(any("2010_2020" in name for name in names))
        self.assertFalse(any("2010_2015" in name for name in names))
        listed_there = {line.split("  ")[1] for line in self.server.objects[f"/made/demo/{SUMS}"].decode().splitlines()}
        self.assertEqual(names - {SUMS}, listed_there)

    def test_a_merge_that_is_killed_while_it_sends_orphans_nothing(self):
        self.job()
        self.nalcms("run", "job.toml")
        text = (self.folder / "job.toml").read_text()
        self.write("job.toml", text.replace('pairs = "consecutive"', 'pairs = "first-last"'))
        self.server.fail("PUT", r"landcover|change|tables", "stall")
        self.kill_while_a_put_stalls()
        self.assertFalse(f"/made/demo/{SUMS}" in self.server.objects)
        self.nalcms("run", "job.toml")
        names = set(self.objects_below("/made/demo/"))
        self.assertFalse(any("2010_2015" in name for name in names))
        listed_there = {line.split("  ")[1] for line in self.server.objects[f"/made/demo/{SUMS}"].decode().splitlines()}
        self.assertEqual(names - {SUMS}, listed_there)

    def test_of_two_merges_at_once_neither_leaves_a_mixture(self):
        """One is held up while it sends; another, of the changed job and on another machine, sends all of its own."""
        self.job(work="one")
        reached, go_on = threading.Event(), threading.Event()
        self.addCleanup(go_on.set)

        def hold(method, path):
            if method == "PUT" and "/landcover/" in path and not reached.is_set():
                reached.set()
                go_on.wait(120)

        self.server.watch = hold
        first = subprocess.Popen([NALCMS, "run", "job.toml"], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                 text=True, env={**os.environ, **self.environment})
        self.addCleanup(first.kill)
        self.assertTrue(reached.wait(120), "nothing was sent")
        changed = (self.folder / "job.toml").read_text().replace('pairs = "consecutive"', 'pairs = "first-last"')
        self.write("other.toml", changed.replace('work = "one"', 'work = "two"'))
        self.nalcms("run", "other.toml")
        self.assertTrue(f"/made/demo/{SUMS}" in self.server.objects)
        go_on.set()
        _, words = first.communicate(timeout=120)
        self.assertEqual(first.returncode, 4, words)
        self.assertIn("another process sends outputs", words)
        self.assertFalse(f"/made/demo/{SUMS}" in self.server.objects, "what is there is nobody's whole")
        self.nalcms("run", "other.toml")
        self.write("local.toml", demo(str(FIXTURES), "local").replace('pairs = "consecutive"', 'pairs = "first-last"'))
        self.nalcms("run", "local.toml")
        self.assertEqual(self.objects_below("/made/demo/"), files_below(self.folder / "local"))

    def test_what_a_run_has_just_made_is_not_replaced_by_what_the_store_had(self):
        """`status` is held up while it fetches an old part; beside it a run makes a new one, and is held up while it sends that."""
        self.job(work="one")
        self.nalcms("run", "job.toml")
        changed = (self.folder / "job.toml").read_text().replace('pairs = "consecutive"', 'pairs = "first-last"')
        self.write("other.toml", changed.replace('work = "one"', 'work = "two"'))
        asked, made, answer, take = (threading.Event() for _ in range(4))
        self.addCleanup(answer.set)
        self.addCleanup(take.set)
        parts = []

        def hold(method, path):
            if method == "GET" and path.endswith(".part") and not parts:
                parts.append(path)
                asked.set()
                answer.wait(120)
            elif method == "PUT" and path in parts and not made.is_set():
                made.set()
                take.wait(120)

        def start(verb):
            child = subprocess.Popen([NALCMS, verb, "other.toml"], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                     text=True, env={**os.environ, **self.environment})
            self.addCleanup(child.kill)
            return child

        self.server.watch = hold
        status = start("status")
        self.assertTrue(asked.wait(60), "no part was asked for")
        run = start("run")
        self.assertTrue(made.wait(60), "the part was not made anew")
        for child, go_on in ((status, answer), (run, take)):
            go_on.set()
            _, words = child.communicate(timeout=60)
            self.assertEqual(child.returncode, 0, words)
        self.write("local.toml", demo(str(FIXTURES), "local").replace('pairs = "consecutive"', 'pairs = "first-last"'))
        self.nalcms("run", "local.toml")
        self.assertEqual(self.objects_below("/made/demo/"), files_below(self.folder / "local"))


@needs_moto
class Moto(Objects):
    """An array of shards that share nothing but a store: each has a work folder of its own, as a machine has."""

    def setUp(self):
        super().setUp()
        import socket
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.environment["AWS_S3_ENDPOINT"] = f"127.0.0.1:{port}"
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        self.s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}", **keys)
        for attempt in range(100):
            try:
                self.s3.create_bucket(Bucket="maps")
                break
            except Exception:
                if attempt == 99:
                    raise
                time.sleep(0.2)
        self.s3.create_bucket(Bucket="made")
        for path in FIXTURES.rglob("*.*"):
            self.s3.upload_file(str(path), "maps", str(path.relative_to(FIXTURES)))

    def objects(self, prefix):
        listing = self.s3.list_objects_v2(Bucket="made", Prefix=prefix)["Contents"]
        keys = [entry["Key"] for entry in listing if "/.nalcms/" not in entry["Key"] and not entry["Key"].endswith("run.json")]
        return {key[len(prefix):]: self.s3.get_object(Bucket="made", Key=key)["Body"].read() for key in keys}

    def test_patterns_are_listed(self):
        self.write("job.toml", demo("s3://maps", "out"))
        self.nalcms("run", "job.toml")
        self.assert_same_as_on_disk()
        self.write("job.toml", demo("s3://maps", "out").replace("ca_2010_*", "ca_1999_*"))
        self.assertIn("match nothing", self.nalcms("run", "job.toml", code=3).stderr)

    def test_shards_on_machines_of_their_own(self):
        self.write("job.toml", demo("s3://maps", "s3://made/demo"))
        self.nalcms("plan", "job.toml", "-o", "plan.json", "--shards", "3")
        for shard in (2, 0):
            self.nalcms("run", "plan.json", "--shard", shard, "--work", f"machine-{shard}")
        gap = self.nalcms("merge", "plan.json", "--work", "machine-m", code=3)
        self.assertIn("not done", gap.stderr)
        todo = self.nalcms("status", "plan.json", "--array", "--work", "machine-s")
        self.assertEqual(todo.stdout.strip(), "1")
        self.nalcms("run", "plan.json", "--shard", "1", "--work", "machine-1")
        self.nalcms("merge", "plan.json", "--work", "machine-m")
        self.assertEqual(self.objects("demo/"), self.expected)

    def test_large_files_go_in_pieces(self):
        self.environment["VSIS3_CHUNK_SIZE"] = "5"
        text = demo("s3://maps", "s3://made/pieces", work="work")
        self.write("job.toml", text.replace("task_cells = 512", 'task_cells = 1024\ncompression = "none"'))
        self.nalcms("run", "job.toml")
        sizes = [e["Size"] for e in self.s3.list_objects_v2(Bucket="made", Prefix="pieces/.nalcms/parts")["Contents"]]
        self.assertGreater(max(sizes), 5 << 20, "no part was sent in pieces")


if __name__ == "__main__":
    unittest.main()
