"""The drain of this checkout beside that of an earlier commit: what was built in between costs so much.

Each run has a server of its own. The two take turns and change who is first, since the machine is shared; each pair
gives a ratio, and their median counts.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.implementation.bench.workloads import Figure

ROOT = Path(__file__).parents[3]
PAIRS = 5


def against(commit: str, *, quick: bool) -> Figure:
    """The median of five ratios of this checkout's drain to that of `commit`, which is unpacked into a folder."""
    with tempfile.TemporaryDirectory(prefix="slate-before-") as folder:
        before = Path(folder)
        packed = subprocess.run(["git", "-C", ROOT, "archive", commit], check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", before], input=packed, check=True)
        pairs: list[tuple[float, float]] = []
        for number in range(1 if quick else PAIRS):
            rates = {
                checkout: _drain(checkout, quick=quick)
                for checkout in ((before, ROOT) if number % 2 == 0 else (ROOT, before))
            }
            pairs.append((rates[ROOT], rates[before]))
            print(f"pair {number + 1}: {rates[ROOT]:,.0f} here, {rates[before]:,.0f} before", flush=True)
    ratio = statistics.median(here / earlier for here, earlier in pairs)
    note = f"median of {len(pairs)} pairs against {commit}; wanted: under 10 %"
    return Figure(value=100 * (1 - ratio), unit="% of the drain before", note=note)


def _drain(checkout: Path, *, quick: bool) -> float:
    """Artifacts a second; the program and all that it starts use the code of that checkout."""
    environment = {**os.environ, "PYTHONPATH": f"{checkout}{os.pathsep}{checkout / 'app'}"}
    command = [sys.executable, "-P", str(Path(__file__).with_name("one_drain.py")), *(["--quick"] if quick else [])]
    done = subprocess.run(command, env=environment, cwd=checkout, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.splitlines()[-1])
