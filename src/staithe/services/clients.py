"""Programs that may act for a company's users: registered by the operator, known by an identifier and a secret."""

from __future__ import annotations

import hmac
import secrets
import uuid
from collections.abc import Sequence
from typing import Final

from staithe.domain.companies import Company
from staithe.domain.errors import Conflict, Failure, NotFound, ValidationFailed
from staithe.domain.limits import NAME_CHARACTERS, SECOND
from staithe.domain.oauth import Client, OAuthFault, OAuthRefused, check_redirect_uri
from staithe.domain.redirect_prefixes import check_redirect_prefix
from staithe.services.accounts import as_text
from staithe.services.stores import Stores
from staithe.services.tokens import SECRET_BYTES, hash_secret
from staithe.storage import oauth
from staithe.storage.database import Connection

WRONG_CLIENT: Final = "The client is unknown, or its secret is another."


def create_client(
    stores: Stores,
    company: Company,
    name: str,
    redirect_uris: Sequence[str],
    at: int,
    redirect_prefixes: Sequence[str] = (),
) -> tuple[Client, str]:
    """Register a client, and give it with its secret, which cannot be had again.

    Args:
        stores: of the data directory.
        company: whose users it may ask.
        name: what its users are shown.
        redirect_uris: where answers to it may go, to the letter. None are needed by one that only sends passwords.
        at: the time.
        redirect_prefixes: below which answers to it may go as well.

    Raises:
        ValidationFailed: the name, a redirect URI or a prefix cannot be used.
        Conflict: the company has a client with this name.
    """
    if not (name.strip() and name.isprintable() and len(name) <= NAME_CHARACTERS):
        raise ValidationFailed(Failure("name", f"Must have 1 to {NAME_CHARACTERS} printable characters.", name))
    for uri in redirect_uris:
        check_redirect_uri(uri)
    for prefix in redirect_prefixes:
        check_redirect_prefix(prefix)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    uris, prefixes = (tuple(dict.fromkeys(addresses)) for addresses in (redirect_uris, redirect_prefixes))
    client = Client(0, company, name.strip(), str(uuid.uuid4()), uris, prefixes)
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
        client = get_client(connection, company, name)
        oauth.delete_client(connection, client)
        return client


def rotate_secret(stores: Stores, company: Company, name: str, at: int, keep_seconds: float) -> tuple[Client, str]:
    """Give a client another secret, which cannot be had again. What the client was given for users goes on.

    Args:
        stores: of the data directory.
        company: whose client it is.
        name: the client's, in any case.
        at: the time.
        keep_seconds: how long the secret that it has is good still; one that was kept before ends now.

    Raises:
        NotFound: the company has none with this name.
    """
    secret = secrets.token_urlsafe(SECRET_BYTES)
    with stores.control.write() as connection:
        client = get_client(connection, company, name)
        oauth.change_secret(connection, client, hash_secret(secret), at + int(keep_seconds * SECOND))
        return client, secret


def get_client(connection: Connection, company: Company, name: str) -> Client:
    """A client by name.

    Raises:
        NotFound: the company has none with this name.
    """
    client = oauth.find_named_client(connection, company, as_text(name))
    if client is None:
        raise NotFound(f"Company {company.name} has no client {as_text(name)}.", "staithe client list shows them.")
    return client


def find_client(stores: Stores, identifier: str) -> Client | None:
    """A client by what the wire calls client_id."""
    with stores.control.read() as connection:
        found = oauth.find_client(connection, identifier)
    return None if found is None else found[0]


def authenticate_client(stores: Stores, identifier: str, secret: str, now: int) -> Client:
    """The client with this secret, the present one or one that is good still.

    Raises:
        OAuthRefused: there is none.
    """
    with stores.control.read() as connection:
        found = oauth.find_client(connection, identifier)
    if found is None or not is_secret(found[1], hash_secret(secret), now):
        raise OAuthRefused(OAuthFault.INVALID_CLIENT, WRONG_CLIENT)
    return found[0]


def is_secret(known: oauth.Secrets, sent: bytes, now: int) -> bool:
    """Whether the hash that was sent is that of the present secret, or of the old one in its time."""
    is_present = hmac.compare_digest(known.present, sent)
    is_old = known.old is not None and hmac.compare_digest(known.old, sent)
    return is_present or (is_old and known.old_ends_at is not None and now < known.old_ends_at)
