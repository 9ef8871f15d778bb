"""The body of `/id`. Keys stand in the order of a recorded reply."""

from __future__ import annotations

from typing import Any, Final

from staithe.domain.companies import User

NOT_AUTHENTICATED: Final = "Not authenticated."
"""The whole answer to a missing or wrong login, with status 200 [Oracle: determining base URLs; seen by clients]."""

SOAP_SERVICES: Final = {
    "standard": "Service.svc",
    "dataTransfer": "DataTransferService.svc",
    "email": "EmailService.svc",
    "externalAction": "ExternalActionService.svc",
}


def identity_body(user: User, base_url: str) -> dict[str, Any]:
    """Who is logged in, and the addresses of the APIs; `{version}` in them is for the client to fill in.

    A user here has a name alone: it stands for the display name and the first name too, and for the email address if
    it is one. What is not known is an empty text, as clients expect texts.
    """
    root = f"{base_url}/API"
    return {
        "site": {"id": user.company.id, "name": user.company.name},
        "user": {
            "id": user.id,
            "username": user.name,
            "displayName": user.name,
            "firstName": user.name,
            "lastName": "",
            "emailAddress": user.email_address,
        },
        "urls": {
            "base": base_url,
            "apis": {
                "soap": {name: f"{root}/{{version}}/{service}" for name, service in SOAP_SERVICES.items()},
                "rest": {"standard": f"{root}/REST/{{version}}/", "bulk": f"{root}/Bulk/{{version}}/"},
            },
        },
    }
