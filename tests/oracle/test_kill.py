"""Runs that are killed, at any moment and as often as it takes: what is left completes to the same bytes.

The moments are random, spread over all of a run: hashing, tasks, merge, putting in place. Each of them is followed by `run` to
the end, whose checksums are compared with those of a run that nobody disturbed.
"""

import random
import shutil
import signal
import subprocess
import time
import unittest

from support import NALCMS, REPOSITORY, Case

KILLS = 200
SEED = 20


class Kill(Case):
    def setUp(self):
        super().setUp()
        shutil.copytree(REPOSITORY / "fixtures", self.folder / "fixtures")
        jobs = self.folder / "configs" / "jobs"
        jobs.mkdir(parents=True)
        self.text = (REPOSITORY / "configs" / "jobs" / "demo.toml").read_text()
        self.sums = self.folder / "out" / "demo" / "SHA256SUMS"
        (jobs / "demo.toml").write_text(self.text)
        self.command = [NALCMS, "run", "configs/jobs/demo.toml", "--quiet"]

    def whole_run(self):
        """Wall time and checksums of an undisturbed run."""
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        begun = time.monotonic()
        subprocess.run(self.command, cwd=self.folder, check=True, capture_output=True)
        return time.monotonic() - begun, self.sums.read_bytes()

    def test_killed_at_two_hundred_random_moments(self):
        chance = random.Random(SEED)
        _, reference = self.whole_run()
        seconds, again = self.whole_run()
        self.assertEqual(reference, again)
        kills = 0
        while kills < KILLS:
            shutil.rmtree(self.folder / "out", ignore_errors=True)
            # Two kills of one output in a row: the second meets what the first left.
            for is_fresh in (True, False):
                begun = time.monotonic()
                run = subprocess.Popen(self.command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                try:
                    self.assertEqual(run.wait(chance.uniform(0, seconds)), 0)
                    # It was over already: the machine has less to do than when it was timed.
                    if is_fresh:
                        seconds = time.monotonic() - begun
                except subprocess.TimeoutExpired:
                    run.send_signal(signal.SIGKILL)
                    kills += run.wait() == -signal.SIGKILL
            subprocess.run(self.command, cwd=self.folder, check=True, capture_output=True)
            self.assertEqual(self.sums.read_bytes(), reference, f"after kill {kills}")
            left = [path for path in (self.folder / "out").rglob(".nalcms-*")]
            self.assertEqual(left, [], f"after kill {kills}")
        self.nalcms("verify", "out/demo")


if __name__ == "__main__":
    unittest.main()
