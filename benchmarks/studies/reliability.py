"""Reliability campaign: many small attacks on the engine, counted; every fault is told.

    python benchmarks/studies/reliability.py [--parts optima inputs ...] [--count N] [--seconds S]
        [--seed FIRST] [--workers 2] [--log campaign.jsonl] [--write]

Parts: `optima` (tiny random cases: search, free search, one programme and enumeration agree),
`members` and `observations` (decisions for ensembles in one stage and in two, by enumeration),
`schedules` (feasible schedules of the bundled cases against proven bounds), `inputs` (mutated
documents and options), `faults` (faults put in at the boundary of the solver), `kills` (killed at
every write, rename and sync of a file), `bombs` (inputs meant to use up time or memory),
`environment` (closed stdout, no home, other locale, `-W error`, threads and processes ...).

Seeds run from --seed on, COUNT of them in each part (default: the part's own), in blocks. --log
appends one line per block and skips, at the next run, blocks of the same part that it holds for
this version of the sources: a campaign may be stopped and gone on with. --seconds ends each part
after so long. --write keeps environment, seeds, counts and faults of the log in RELIABILITY.md, by
version of the sources.
Exit code 1 if anything was found.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from reference_optima import machine
from reliability_parts.report import page
from reliability_parts.tally import Tally

from abscopt.optimizer.results.result import versions

ROOT = Path(__file__).resolve().parents[2]
PAGE = Path(__file__).with_name("RELIABILITY.md")


@dataclass(frozen=True)
class Part:
    """How many seeds a part has by default, and how many make a block."""

    seeds: int
    block: int


PARTS = {
    "optima": Part(10_500, 25),
    "members": Part(240, 4),
    "observations": Part(240, 2),
    "schedules": Part(1_020, 4),
    "inputs": Part(10_500, 50),
    "faults": Part(400, 20),
    "kills": Part(12, 4),
    "bombs": Part(98, 7),
    "environment": Part(12, 4),
}


def sources() -> str:
    """Digest of all Python and TOML sources: which version a block was run on."""
    found = hashlib.sha256()
    for folder in ("models", "instances", "optimizer", "benchmarks/studies/reliability_parts"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix in (".py", ".toml"):
                found.update(file.read_bytes())
    return found.hexdigest()[:12]


def run_block(part: str, first: int, last: int) -> dict[str, Any]:
    """Examine the seeds of one block in this process."""
    examine = import_module(f"reliability_parts.{part}").examine
    tally, began, used = Tally(), time.perf_counter(), time.process_time()
    for seed in range(first, last):
        try:
            tally.add(examine(seed))
        except Exception as error:
            tally.faults.append(
                f"seed {seed}: the campaign itself: {type(error).__name__}: {error}"
            )
    return {
        "part": part,
        "first": first,
        "last": last,
        "seconds": round(time.perf_counter() - began, 1),
        "processor_seconds": round(time.process_time() - used, 1),
        **tally.to_json(),
    }


def blocks(
    part: str, first: int, count: int, done: set[tuple[str, int, int]]
) -> Iterator[tuple[int, int]]:
    """Blocks of seeds that are not in the log."""
    size = PARTS[part].block
    for low in range(first, first + count, size):
        high = min(low + size, first + count)
        if (part, low, high) not in done:
            yield low, high


def run_part(
    part: str, todo: list[tuple[int, int]], workers: int, seconds: float
) -> Iterator[dict[str, Any]]:
    """Results of all blocks, as they end; a block whose process dies is a fault of its own."""
    ends = time.perf_counter() + seconds
    waiting = list(reversed(todo))
    while waiting and time.perf_counter() < ends:
        running: dict[Future[dict[str, Any]], tuple[int, int]] = {}
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            try:
                while waiting or running:
                    while waiting and len(running) < workers and time.perf_counter() < ends:
                        block = waiting.pop()
                        running[pool.submit(run_block, part, *block)] = block
                    if not running:
                        return
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        result = future.result()
                        del running[future]
                        yield result
            except BrokenProcessPool:
                yield from (crashed(part, block) for block in running.values())


def crashed(part: str, block: tuple[int, int]) -> dict[str, Any]:
    """The line of a block whose process died."""
    fault = f"seeds {block[0]} to {block[1] - 1}: the process died"
    line = {"part": part, "first": block[0], "last": block[1], "counts": {}, "faults": [fault]}
    return line | {"seconds": 0.0, "processor_seconds": 0.0}


def read_log(log: Path | None) -> list[dict[str, Any]]:
    """Lines of the log, of all versions of the sources that it was kept for."""
    if log is None or not log.exists():
        return []
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--count", type=int, metavar="N", help="seeds of each part")
    parser.add_argument("--seconds", type=float, default=1e9, metavar="S", help="of each part")
    parser.add_argument("--seed", type=int, default=0, metavar="FIRST")
    parser.add_argument("--workers", type=int, choices=(1, 2, 4), default=2)
    parser.add_argument("--log", type=Path, metavar="FILE")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    version = sources()
    print(json.dumps({"machine": machine(), "versions": versions(), "sources": version}))
    lines = [line for line in read_log(options.log) if line["sources"] == version]
    for part in options.parts:
        done = {(line["part"], line["first"], line["last"]) for line in lines}
        count = PARTS[part].seeds if options.count is None else options.count
        todo = list(blocks(part, options.seed, count, done))
        for line in run_part(part, todo, options.workers, options.seconds):
            line |= {"sources": version, "ended": f"{datetime.now(UTC):%Y-%m-%d %H:%M}"}
            lines.append(line)
            if options.log is not None:
                with options.log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
            for fault in line["faults"]:
                print(f"{part}: {fault}", flush=True)
        _say(part, [line for line in lines if line["part"] == part])
    if options.write:
        logged = read_log(options.log) or lines
        PAGE.write_text(page(logged, machine(), versions()), encoding="utf-8")
    return int(any(line["faults"] for line in lines))


def _say(part: str, lines: list[dict[str, Any]]) -> None:
    """Counts of a part so far, and its seeds."""
    counts: Counter[str] = Counter()
    for line in lines:
        counts.update(line["counts"])
    faults = sum(len(line["faults"]) for line in lines)
    seeds = sum(line["last"] - line["first"] for line in lines)
    used = sum(line["processor_seconds"] for line in lines)
    print(f"{part}: {seeds} seeds, {used:.0f} s of processor time, {faults} faults", flush=True)
    print(f"  {json.dumps(dict(sorted(counts.items())))}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
