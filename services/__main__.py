"""The `carepod` command: the command line on all services, with the partners' stand-ins for the demo."""

from __future__ import annotations

import gc
from typing import Any


def partners_app(*given: Any, **named: Any) -> Any:
    """The partners' stand-ins, which only the demo loads."""
    from partners.app import create_app

    return create_app(*given, **named)


def main() -> None:
    """Entry point of `carepod`."""
    gc.disable()  # what modules make stays: looking for garbage in it is a tenth of their loading
    from services import declared
    from shared.cli import command_line

    gc.enable()
    command_line(declared, partners_app)()


if __name__ == "__main__":
    main()
