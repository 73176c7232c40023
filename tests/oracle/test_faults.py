"""Disks and folders that refuse: what is said, with which exit code, and that the next run completes.

Full and read-only disks are real ones: small file systems in memory, mounted for this process alone. Only root may mount; without
that the tests say that they were skipped.
"""

import json
import os
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

from support import NALCMS, REPOSITORY, Case


def may_mount():
    probe = ["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"]
    return shutil.which("unshare") and subprocess.run(probe, capture_output=True).returncode == 0


class SmallMemory:
    """A control group whose processes are killed when together they take more than its limit."""

    def __init__(self):
        self.limit_file, above = (
            ("memory.limit_in_bytes", Path("/sys/fs/cgroup/memory")) if Path("/sys/fs/cgroup/memory").is_dir() else ("memory.max", Path("/sys/fs/cgroup"))
        )
        self.group = above / f"nalcms-test-{os.getpid()}"
        self.group.mkdir()
        if not (self.group / self.limit_file).exists():
            self.group.rmdir()
            raise OSError("no control over memory")

    def run(self, mib, arguments, folder):
        (self.group / self.limit_file).write_text(str(mib << 20))
        script = f'echo $$ > {self.group}/cgroup.procs; exec "$@"'
        return subprocess.run(["sh", "-c", script, "sh", NALCMS, *arguments], cwd=folder, capture_output=True, text=True)

    def remove(self):
        self.group.rmdir()


needs_mount = unittest.skipUnless(may_mount(), "only root may mount a small file system")


class Faults(Case):
    def setUp(self):
        super().setUp()
        shutil.copytree(REPOSITORY / "fixtures", self.folder / "fixtures")
        text = (REPOSITORY / "configs" / "jobs" / "demo.toml").read_text().replace("../../fixtures", "fixtures")
        self.disk = self.folder / "disk"
        self.disk.mkdir()
        for name in ("reference", "disk/out"):
            job = text.replace('"../../out/demo"', f'"{name}"')
            (self.folder / f"{name.split('/')[0]}.toml").write_text(job)

    def reference(self):
        self.nalcms("run", "reference.toml", "--quiet")
        return (self.folder / "reference" / "SHA256SUMS").read_bytes()

    def within(self, script):
        """Runs a script in a mount namespace of its own; the answer of the whole."""
        environment = dict(os.environ, NALCMS=NALCMS)
        command = ["unshare", "--mount", "bash", "-eu", "-c", script]
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True)

    @needs_mount
    def test_a_full_disk_leaves_no_half_file_and_completes_when_there_is_room(self):
        reference = self.reference()
        for room in (24, 200, 900, 1400, 2200):
            answer = self.within(f"""
                mount -t tmpfs -o size={room}k none disk
                "$NALCMS" run disk.toml --quiet && exit 99 || code=$?
                find disk -name '.nalcms-*' -o -name '*.tmp' | sed 's/^/LEFT /'
                [ -e disk/out/SHA256SUMS ] && echo PUBLISHED
                mount -o remount,size=64m disk
                "$NALCMS" run disk.toml --quiet
                cat disk/out/SHA256SUMS > sums
                exit "$code"
            """)
            self.assertEqual(answer.returncode, 4, f"{room} KiB: {answer.stdout}{answer.stderr}")
            self.assertIn("No space left on device", answer.stderr)
            self.assertIn("make room and run again", answer.stderr)
            self.assertNotIn("LEFT", answer.stdout)
            self.assertNotIn("PUBLISHED", answer.stdout)
            self.assertEqual((self.folder / "sums").read_bytes(), reference, f"{room} KiB")

    @needs_mount
    def test_a_read_only_disk_is_refused_and_keeps_what_it_holds(self):
        reference = self.reference()
        answer = self.within("""
            mount -t tmpfs none disk
            "$NALCMS" run disk.toml --quiet --shard 0/2
            mount -o remount,ro disk
            "$NALCMS" run disk.toml --quiet && exit 99 || code=$?
            "$NALCMS" status disk.toml
            mount -o remount,rw disk
            "$NALCMS" run disk.toml
            cat disk/out/SHA256SUMS > sums
            exit "$code"
        """)
        self.assertEqual(answer.returncode, 4, answer.stdout + answer.stderr)
        self.assertIn("Read-only file system", answer.stderr)
        self.assertIn("choose an output folder that you may write to", answer.stderr)
        self.assertIn("2 not done yet", answer.stdout)
        self.assertIn("2 of 4 tasks computed, 2 kept", answer.stdout)
        self.assertEqual((self.folder / "sums").read_bytes(), reference)

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "only root may become another user")
    def test_a_folder_of_somebody_else_is_refused(self):
        self.folder.chmod(0o755)
        command = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", NALCMS, "run", "disk.toml"]
        program = self.folder / "nalcms"
        shutil.copy(NALCMS, program)
        command[command.index(NALCMS)] = str(program)
        answer = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        self.assertEqual(answer.returncode, 4, answer.stderr)
        self.assertIn("Permission denied", answer.stderr)
        self.assertIn("choose an output folder that you may write to", answer.stderr)
        self.assertEqual(list(self.disk.iterdir()), [])
        # An input that may not be read.
        self.disk.chmod(0o777)
        (self.folder / "fixtures" / "mx" / "mx_2015.tif").chmod(0o600)
        answer = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        self.assertIn(answer.returncode, (3, 4), answer.stderr)
        self.assertIn("mx_2015.tif", answer.stderr)

    def test_a_run_that_is_killed_for_its_memory_leaves_the_names_of_its_tasks_and_completes_with_more(self):
        try:
            small = SmallMemory()
        except OSError as error:
            self.skipTest(f"SKIPPED: no control group can be made ({error})")
        self.addCleanup(small.remove)
        reference = self.reference()
        output = self.disk / "out"
        begun = set()
        # How much the program takes differs from machine to machine: less and less, until it dies at work.
        for mib in range(96, 8, -12):
            shutil.rmtree(output, ignore_errors=True)
            # It sees the limit and would keep to it, or refuse; here it is told to take more than it has.
            answer = small.run(mib, ["run", "disk.toml", "--quiet", "--memory-mib", "1024"], self.folder)
            self.assertIn(answer.returncode, (0, -signal.SIGKILL), answer.stderr)
            journals = [path.read_text() for path in output.glob(".nalcms/attempts/*.jsonl")]
            events = [json.loads(line) for line in "".join(journals).splitlines()]
            ended = {event["task"] for event in events if event["event"] == "task"}
            begun = {event["task"] for event in events if event["event"] == "begin"} - ended
            if begun:
                break
        self.assertEqual(answer.returncode, -signal.SIGKILL, "no limit killed it at work")
        self.assertLessEqual(begun, set(range(4)))
        self.assertFalse((output / "SHA256SUMS").exists())
        self.nalcms("run", "disk.toml", "--quiet")
        self.assertEqual((output / "SHA256SUMS").read_bytes(), reference)

    def test_signals_of_schedulers_end_a_run_at_once_and_resumably(self):
        reference = self.reference()
        stopped = 0
        for number in (signal.SIGTERM, signal.SIGUSR1) * 3:
            run = subprocess.Popen([NALCMS, "run", "disk.toml", "--threads", "1", "--quiet"], cwd=self.folder)
            time.sleep(0.15)
            run.send_signal(number)
            begun = time.monotonic()
            code = run.wait(20)
            self.assertLess(time.monotonic() - begun, 20)
            self.assertIn(code, (0, 75, -number))
            stopped += code == 75
        self.assertGreater(stopped, 0)
        self.nalcms("run", "disk.toml", "--quiet")
        self.assertEqual((self.disk / "out" / "SHA256SUMS").read_bytes(), reference)


if __name__ == "__main__":
    unittest.main()
