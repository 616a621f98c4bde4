"""How a failure is said in a log or a column: kind and place in the code.

Its text may hold a patient's value and is left out, but for failures that promise by `told` that theirs does not.
"""

from __future__ import annotations


def described(error: BaseException) -> str:
    """`KeyError run.py:120`: the kind of error, the place it arose, and what it has `told` where it may."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    file = "/".join(trace.tb_frame.f_code.co_filename.split("/")[-2:])
    told = getattr(error, "told", "")
    return f"{type(error).__name__} {file}:{trace.tb_lineno}" + (f" {told}" if told else "")
