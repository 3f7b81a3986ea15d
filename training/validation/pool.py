"""One pool of processes for all fits of a validation, whatever they are for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from joblib import Parallel, delayed, parallel_config

if TYPE_CHECKING:
    from training.progress import Progress

__all__ = ["Pool", "Work"]

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Work(Generic[_Result]):
    """Jobs for joblib, and what is made of their results: several works can share one pool.

    Parameters
    ----------
    jobs : sequence
        Made by `joblib.delayed`.
    finish : callable
        Takes the results in the order of the jobs.
    """

    jobs: Sequence[Any]
    finish: Callable[[Sequence[Any]], _Result]


class Pool:
    """Does works side by side and counts steps over several rounds.

    Parameters
    ----------
    progress : callable or None
    """

    def __init__(self, progress: Progress | None = None) -> None:
        self._progress = progress
        self._done = 0

    def do(self, works: Mapping[str, Work[Any]], later: int = 0) -> dict[str, Any]:
        """Do all jobs, in the order of the works, and finish each work.

        Parameters
        ----------
        works : mapping of str to Work
            The longest jobs first: one that starts last keeps a single processor busy at the end.
        later : int
            Jobs of the rounds that will follow.

        Returns
        -------
        dict of str to Any
            What each work made of its results.
        """
        numbered = [(key, number, job) for key, work in works.items() for number, job in enumerate(work.jobs)]
        jobs = [delayed(_call)(key, number, *job) for key, number, job in numbered]
        results: dict[str, list[Any]] = {key: [None] * len(work.jobs) for key, work in works.items()}
        total = self._done + len(jobs) + later
        with parallel_config(backend="loky", inner_max_num_threads=1):
            for key, number, result in Parallel(n_jobs=-1, return_as="generator_unordered")(jobs):
                results[key][number] = result
                self._done += 1
                if self._progress is not None:
                    self._progress(self._done, total)
        return {key: work.finish(results[key]) for key, work in works.items()}


def _call(
    key: str, number: int, function: Callable[..., Any], arguments: Sequence[Any], named: Mapping[str, Any]
) -> tuple[str, int, Any]:
    return key, number, function(*arguments, **named)
