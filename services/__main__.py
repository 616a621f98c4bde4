"""The `carepod` command: the command line on all services, with the partners' stand-ins for the demo."""

from __future__ import annotations

from partners.app import create_app as partners_app
from services import declared
from shared.cli import command_line


def main() -> None:
    """Entry point of `carepod`."""
    command_line(declared, partners_app)()


if __name__ == "__main__":
    main()
