"""Every service of Carepod, in the order of the journey: a new one is added to `declared`."""

from __future__ import annotations

from shared.core import Service
from shared.settings import Site


def declared(site: Site) -> tuple[Service, ...]:
    """The declarations of all services for one practice's configuration."""
    from services.auth import service as auth
    from services.intake import service as intake
    from services.nursing import service as nursing
    from services.scheduling import service as scheduling

    return intake.declared(site), auth.declared(site), scheduling.declared(site), nursing.declared(site)
