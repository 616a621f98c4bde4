"""The command line: each command a thin face on what the library does; exit codes in `carepod --help`."""

from __future__ import annotations

import typer

from shared.cli import admin, contracts, demo, look, push, repair, serve, simulate, undelivered, validate
from shared.cli.common import Context, Declare, PartnersApp

HELP = """Carepod: a referral in, a booked infusion out.

Exit codes: 0 done; 1 what was checked is not right (invalid, refused, something parked); 2 it could not be tried
(unreadable file, wrong setting); 3 an engine or server does not answer.
"""


def command_line(declare: Declare, partners: PartnersApp) -> typer.Typer:
    """The `carepod` command on these services and partners' stand-ins."""
    app = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None)

    @app.callback()
    def root(context: typer.Context) -> None:
        context.obj = Context(declare, partners)

    app.command("serve")(serve.serve)
    app.command("demo")(demo.demo)
    app.command("push")(push.push)
    app.command("validate")(validate.validate)
    app.command("trace")(look.trace)
    app.command("undelivered")(undelivered.undelivered_)
    app.add_typer(undelivered.parked, name="parked", help="What waits for a person, and `replay ID`.")
    app.command("quarantine")(look.quarantine)
    app.command("digest")(repair.digest)
    app.command("resend")(repair.resend_)
    app.command("backfill")(repair.backfill)
    app.command("restored")(repair.restored)
    app.command("migrate")(admin.migrate)
    app.command("topology")(admin.topology)
    app.command("simulate")(simulate.simulate)
    app.command("version")(admin.version)
    app.add_typer(admin.clients, name="clients", help="Outside programs that may reach the FHIR base.")
    app.add_typer(contracts.contracts, name="contracts", help="The profiles, from one version to the next.")
    return app
