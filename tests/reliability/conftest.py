"""The parts of the campaign are modules of `benchmarks/studies`, which these tests run in short."""

from benchmark_scripts import on_path

on_path()
