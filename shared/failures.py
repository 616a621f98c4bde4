"""How a failure is said in a log or a column: kind and place in the code, never its text, which may hold a value."""

from __future__ import annotations


def described(error: BaseException) -> str:
    """`KeyError run.py:120`: the kind of error and the place it arose."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    file = "/".join(trace.tb_frame.f_code.co_filename.split("/")[-2:])
    return f"{type(error).__name__} {file}:{trace.tb_lineno}"
