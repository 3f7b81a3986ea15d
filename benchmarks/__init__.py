"""Benchmarks: every figure is measured beside its rival, in one run, on one machine."""
