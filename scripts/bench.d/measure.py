"""Runs a process tree and says what it took, as GNU time does."""
import os
import shutil
import signal
import subprocess
import threading
import time


class Measure:
    """One run: seconds, processor seconds, MiB, exit status, the end of what it said."""

    def __init__(self, wall, cpu, peak_mib, status, timed_out, said):
        self.wall, self.cpu, self.peak_mib = wall, cpu, peak_mib
        self.status, self.timed_out, self.said = status, timed_out, said

    def trouble(self, limit_s):
        """Why the run does not count, or None."""
        if self.timed_out:
            return f"stopped after {limit_s:.0f} s"
        if self.status != 0:
            lines = [line for line in self.said.splitlines() if line.strip()]
            return f"ended with status {self.status}: {lines[-1].strip()[:200] if lines else 'nothing said'}"
        return None


def run(argv, log, limit_s, **environment):
    """Runs to the end, or to the limit.

    wait4 tells the sums of the tree's processor times and the peak of its largest process. The peak is never below
    this program's own size, some 20 MiB, which the child has until it becomes another program.
    """
    timed_out = threading.Event()
    with open(log, "wb") as file:
        start = time.monotonic()
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True,
                                 env={**os.environ, **environment})

        def stop():
            timed_out.set()
            os.killpg(child.pid, signal.SIGKILL)

        timer = threading.Timer(limit_s, stop)
        timer.start()
        try:
            _, wait_status, usage = os.wait4(child.pid, 0)
        finally:
            timer.cancel()
        wall = time.monotonic() - start
        child.returncode = os.waitstatus_to_exitcode(wait_status)
    with open(log, "rb") as file:
        said = file.read()[-4000:].decode(errors="replace")
    return Measure(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, child.returncode, timed_out.is_set(),
                   said)


def fresh(folder):
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    return folder


def said(*argv, **environment):
    """What a program prints, or None where there is none or it fails."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, env={**os.environ, **environment})
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
