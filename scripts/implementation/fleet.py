"""The demo's worker processes, one for each agent, and the commands that it runs as a reader would type them."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The clone's folder: the commands of the demo are those of a reader who stands in it."""
SLATE = str(Path(sys.executable).with_name("slate"))


class Fleet:
    """The worker processes of an example's folder; `kill` ends one the hard way, `end` tells all to stop."""

    def __init__(self, example: Path, logs: Path, environment: dict[str, str]) -> None:
        self.example, self.logs, self.environment = example, logs, environment
        logs.mkdir(parents=True, exist_ok=True)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, agent: str) -> None:
        """Start a worker for this agent; what it prints goes to a file."""
        command = [SLATE, "worker", "run", f"agents.{agent}:worker"]
        with (self.logs / f"{agent}.log").open("ab") as log:  # the process has its own copy
            self.processes[agent] = subprocess.Popen(
                command, cwd=self.example, env=self.environment, stdout=log, stderr=log
            )

    def kill(self, agent: str) -> int:
        """SIGKILL: no goodbye, no hand-over. Returns the pid."""
        process = self.processes[agent]
        process.send_signal(signal.SIGKILL)
        process.wait()
        return process.pid

    def end(self) -> None:
        """SIGTERM to all, SIGKILL to whoever is still there after ten seconds."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def run(*arguments: str, environment: dict[str, str]) -> str:
    """What a `slate` command prints; its failure ends the demo with what it said."""
    done = subprocess.run([SLATE, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"slate {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout
