"""What programs that act for users have in the control store: clients, grants, and the tokens of each grant.

A grant is what one consent or login gave one client. Its tokens (codes, access and refresh tokens) go with it. Of
every secret the SHA-256 alone is stored: they are long and random, so nothing slower is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, bindparam, delete, exists, insert, select, update

from staithe.domain.companies import Company, Role, User
from staithe.domain.identifiers import NUL
from staithe.domain.oauth import Client, TokenKind
from staithe.storage.tables import COMPANY, OAUTH_CLIENT, OAUTH_GRANT, OAUTH_TOKEN, USER


class NewGrant(Struct, frozen=True):
    """A grant to insert: to whom, for whom, and what an exchange of its code must bring."""

    client_id: int
    user_id: int
    user_mark: bytes
    redirect_uri: str | None = None
    challenge: str | None = None


class Held(Struct, frozen=True):
    """A token as it is stored, with its grant, and its user as the user is now."""

    grant_id: int
    client_id: int
    redirect_uri: str | None
    challenge: str | None
    expires_at: int
    is_used: bool
    user: User
    user_mark: bytes
    password_hash: str


def add_client(connection: Connection, client: Client, secret_hash: bytes, at: int) -> Client:
    """Insert a client, and give it with its id."""
    statement = insert(OAUTH_CLIENT).values(
        company_id=client.company.id,
        name=client.name,
        name_key=client.name.lower(),
        identifier=client.identifier,
        secret_hash=secret_hash,
        redirect_uris=msgspec.json.encode(client.redirect_uris).decode(),
        created_at=at,
    )
    new_id = connection.execute(statement.returning(OAUTH_CLIENT.c.id)).scalar_one()
    return msgspec.structs.replace(client, id=new_id)


SELECT_CLIENTS: Final = select(OAUTH_CLIENT, COMPANY.c.name.label("company_name")).join(
    COMPANY, COMPANY.c.id == OAUTH_CLIENT.c.company_id
)


def to_client(row: Row[Any]) -> Client:
    uris = msgspec.json.decode(row.redirect_uris, type=tuple[str, ...])
    return Client(row.id, Company(row.company_id, row.company_name), row.name, row.identifier, uris)


def find_client(connection: Connection, identifier: str) -> tuple[Client, bytes] | None:
    """A client by what the wire calls client_id, with the hash of its secret."""
    if NUL in identifier:
        return None
    row = connection.execute(SELECT_CLIENTS.where(OAUTH_CLIENT.c.identifier == identifier)).one_or_none()
    return None if row is None else (to_client(row), row.secret_hash)


def all_clients(connection: Connection) -> list[Client]:
    """Every client, by company and id."""
    rows = connection.execute(SELECT_CLIENTS.order_by(OAUTH_CLIENT.c.company_id, OAUTH_CLIENT.c.id))
    return [to_client(row) for row in rows]


def find_named_client(connection: Connection, company: Company, name: str) -> Client | None:
    """A client of a company by name, in any case."""
    query = SELECT_CLIENTS.where(OAUTH_CLIENT.c.company_id == company.id, OAUTH_CLIENT.c.name_key == name.lower())
    row = connection.execute(query).one_or_none()
    return None if row is None else to_client(row)


def delete_client(connection: Connection, client: Client) -> None:
    """Delete a client, and with it everything it was given."""
    of_client = select(OAUTH_GRANT.c.id).where(OAUTH_GRANT.c.client_id == client.id)
    connection.execute(delete(OAUTH_TOKEN).where(OAUTH_TOKEN.c.grant_id.in_(of_client)))
    connection.execute(delete(OAUTH_GRANT).where(OAUTH_GRANT.c.client_id == client.id))
    connection.execute(delete(OAUTH_CLIENT).where(OAUTH_CLIENT.c.id == client.id))


def has_client(connection: Connection, client: Client) -> bool:
    """Whether a client is still there."""
    query = select(OAUTH_CLIENT.c.id).where(
        OAUTH_CLIENT.c.id == client.id, OAUTH_CLIENT.c.identifier == client.identifier
    )
    return connection.execute(query).one_or_none() is not None


def add_grant(connection: Connection, grant: NewGrant, at: int) -> int:
    """Insert a grant, and give its id."""
    statement = insert(OAUTH_GRANT).values(**msgspec.structs.asdict(grant), created_at=at)
    return connection.execute(statement.returning(OAUTH_GRANT.c.id)).scalar_one()


def delete_grant(connection: Connection, grant_id: int) -> None:
    """Delete a grant and all its tokens."""
    connection.execute(delete(OAUTH_TOKEN).where(OAUTH_TOKEN.c.grant_id == grant_id))
    connection.execute(delete(OAUTH_GRANT).where(OAUTH_GRANT.c.id == grant_id))


def add_token(connection: Connection, token_hash: bytes, kind: TokenKind, grant_id: int, expires_at: int) -> None:
    """Insert a token of a grant."""
    values = {"token_hash": token_hash, "kind": kind.value, "grant_id": grant_id, "expires_at": expires_at}
    connection.execute(insert(OAUTH_TOKEN).values(**values))


SELECT_TOKEN: Final = (
    select(
        OAUTH_TOKEN.c.expires_at,
        OAUTH_TOKEN.c.used_at,
        OAUTH_TOKEN.c.grant_id,
        OAUTH_GRANT.c.client_id,
        OAUTH_GRANT.c.user_id,
        OAUTH_GRANT.c.user_mark,
        OAUTH_GRANT.c.redirect_uri,
        OAUTH_GRANT.c.challenge,
        USER.c.company_id,
        USER.c.name,
        USER.c.role,
        USER.c.password_hash,
        COMPANY.c.name.label("company_name"),
    )
    .join(OAUTH_GRANT, OAUTH_GRANT.c.id == OAUTH_TOKEN.c.grant_id)
    .join(OAUTH_CLIENT, OAUTH_CLIENT.c.id == OAUTH_GRANT.c.client_id)
    .join(USER, USER.c.id == OAUTH_GRANT.c.user_id)
    .join(COMPANY, COMPANY.c.id == USER.c.company_id)
    .where(OAUTH_TOKEN.c.token_hash == bindparam("token_hash"), OAUTH_TOKEN.c.kind == bindparam("kind"))
)
"""Made once: to make it anew takes longer than to run it."""


def find_token(connection: Connection, token_hash: bytes, kind: TokenKind) -> Held | None:
    """A token whose grant, client and user are all there. Every request with a Bearer token reads this, by keys."""
    row = connection.execute(SELECT_TOKEN, {"token_hash": token_hash, "kind": kind.value}).one_or_none()
    if row is None:
        return None
    return Held(
        grant_id=row.grant_id,
        client_id=row.client_id,
        redirect_uri=row.redirect_uri,
        challenge=row.challenge,
        expires_at=row.expires_at,
        is_used=row.used_at is not None,
        user=User(row.user_id, Company(row.company_id, row.company_name), row.name, Role(row.role)),
        user_mark=row.user_mark,
        password_hash=row.password_hash,
    )


def use_token(connection: Connection, token_hash: bytes, at: int, known_until: int) -> None:
    """Mark a token as used; it is kept, so that a second use is seen, until a given time."""
    statement = update(OAUTH_TOKEN).where(OAUTH_TOKEN.c.token_hash == token_hash)
    connection.execute(statement.values(used_at=at, expires_at=known_until))


def expired_tokens(connection: Connection, at: int, most: int) -> Sequence[bytes]:
    """The hashes of tokens whose time is over, not more than `most` of them."""
    query = select(OAUTH_TOKEN.c.token_hash).where(OAUTH_TOKEN.c.expires_at <= at).limit(most)
    return connection.execute(query).scalars().all()


def delete_tokens(connection: Connection, token_hashes: Sequence[bytes]) -> None:
    """Delete tokens, and the grants that have none left."""
    of_tokens = select(OAUTH_TOKEN.c.grant_id).where(OAUTH_TOKEN.c.token_hash.in_(token_hashes)).distinct()
    grant_ids = connection.execute(of_tokens).scalars().all()
    connection.execute(delete(OAUTH_TOKEN).where(OAUTH_TOKEN.c.token_hash.in_(token_hashes)))
    has_token = exists().where(OAUTH_TOKEN.c.grant_id == OAUTH_GRANT.c.id)
    connection.execute(delete(OAUTH_GRANT).where(OAUTH_GRANT.c.id.in_(grant_ids), ~has_token))
