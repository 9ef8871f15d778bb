"""Programs that may act for a company's users: registered by the operator, known by an identifier and a secret."""

from __future__ import annotations

import hmac
import secrets
import uuid
from collections.abc import Sequence
from typing import Final

from staithe.domain.companies import Company
from staithe.domain.errors import Conflict, Failure, NotFound, ValidationFailed
from staithe.domain.limits import NAME_CHARACTERS
from staithe.domain.oauth import Client, OAuthFault, OAuthRefused, check_redirect_uri
from staithe.services.stores import Stores
from staithe.services.tokens import SECRET_BYTES, hash_secret
from staithe.storage import oauth

WRONG_CLIENT: Final = "The client is unknown, or its secret is another."


def create_client(
    stores: Stores, company: Company, name: str, redirect_uris: Sequence[str], at: int
) -> tuple[Client, str]:
    """Register a client, and give it with its secret, which cannot be had again.

    Args:
        stores: of the data directory.
        company: whose users it may ask.
        name: what its users are shown.
        redirect_uris: where answers to it may go, to the letter. None are needed by one that only sends passwords.
        at: the time.

    Raises:
        ValidationFailed: the name or a redirect URI cannot be used.
        Conflict: the company has a client with this name.
    """
    if not (name.strip() and name.isprintable() and len(name) <= NAME_CHARACTERS):
        raise ValidationFailed(Failure("name", f"Must have 1 to {NAME_CHARACTERS} printable characters.", name))
    for uri in redirect_uris:
        check_redirect_uri(uri)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    client = Client(0, company, name.strip(), str(uuid.uuid4()), tuple(dict.fromkeys(redirect_uris)))
    with stores.control.write() as connection:
        if oauth.find_named_client(connection, company, client.name) is not None:
            message = f"Company {company.name} has a client {client.name} already."
            raise Conflict(message, "Choose another name, or delete that client first.")
        return oauth.add_client(connection, client, hash_secret(secret), at), secret


def list_clients(stores: Stores) -> list[Client]:
    """Every client, by company."""
    with stores.control.read() as connection:
        return oauth.all_clients(connection)


def delete_client(stores: Stores, company: Company, name: str) -> Client:
    """Delete a client; whatever it was given ends at once.

    Raises:
        NotFound: the company has none with this name.
    """
    with stores.control.write() as connection:
        client = oauth.find_named_client(connection, company, name)
        if client is None:
            raise NotFound(f"Company {company.name} has no client {name}.", "staithe client list shows them.")
        oauth.delete_client(connection, client)
        return client


def find_client(stores: Stores, identifier: str) -> Client | None:
    """A client by what the wire calls client_id."""
    with stores.control.read() as connection:
        found = oauth.find_client(connection, identifier)
    return None if found is None else found[0]


def authenticate_client(stores: Stores, identifier: str, secret: str) -> Client:
    """The client with this secret.

    Raises:
        OAuthRefused: there is none.
    """
    with stores.control.read() as connection:
        found = oauth.find_client(connection, identifier)
    if found is None or not hmac.compare_digest(found[1], hash_secret(secret)):
        raise OAuthRefused(OAuthFault.INVALID_CLIENT, WRONG_CLIENT)
    return found[0]
