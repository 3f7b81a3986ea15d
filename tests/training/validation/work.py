"""One work of a validation, done alone."""

from typing import TypeVar

from training.validation.pool import Pool, Work

_Result = TypeVar("_Result")


def do_work(work: Work[_Result]) -> _Result:
    result: _Result = Pool().do({"alone": work})["alone"]
    return result
