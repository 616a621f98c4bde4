"""The refusals of the token endpoint, as OAuth names them (RFC 6749 section 5.2)."""

from __future__ import annotations


class OAuthError(Exception):
    """A refused token request: `error` and `status` as sent; the text is for the developer and quotes nothing sent."""

    error = "invalid_request"
    status = 400


class InvalidClient(OAuthError):
    """Who asks is not proven; any failure of an assertion is this one (SMART Backend Services)."""

    error = "invalid_client"
    status = 401


class InvalidScope(OAuthError):
    """The scopes asked for cannot be read, or none of them is the client's."""

    error = "invalid_scope"


class UnsupportedGrant(OAuthError):
    """Another grant than client_credentials."""

    error = "unsupported_grant_type"


class TooLong(OAuthError):
    """The form is larger than any honest request."""

    status = 413
