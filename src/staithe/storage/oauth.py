"""What programs that act for users have in the control store: clients, grants, and the tokens of each grant.

A grant is what one consent or login gave one client. Its tokens (codes, access and refresh tokens) go with it. Of
every secret the SHA-256 alone is stored: they are long and random, so nothing slower is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import BigInteger, Connection, Integer, Row, bindparam, delete, exists, insert, select, update

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
    """A token as it is stored, with its grant, and its user as the user is now.

    With the `salt` of a used refresh token and that token itself its successors are made again.
    """

    grant_id: int
    client_id: int
    redirect_uri: str | None
    challenge: str | None
    expires_at: int
    used_at: int | None
    salt: bytes | None
    user: User
    user_mark: bytes
    password_hash: str


INSERT_CLIENT: Final = insert(OAUTH_CLIENT).returning(OAUTH_CLIENT.c.id)


def add_client(connection: Connection, client: Client, secret_hash: bytes, at: int) -> Client:
    """Insert a client, and give it with its id."""
    values = {
        "company_id": client.company.id,
        "name": client.name,
        "name_key": client.name.lower(),
        "identifier": client.identifier,
        "secret_hash": secret_hash,
        "redirect_uris": msgspec.json.encode(client.redirect_uris).decode(),
        "redirect_prefixes": msgspec.json.encode(client.redirect_prefixes).decode(),
        "created_at": at,
    }
    new_id = connection.execute(INSERT_CLIENT, values).scalar_one()
    return msgspec.structs.replace(client, id=new_id)


SELECT_CLIENTS: Final = select(OAUTH_CLIENT, COMPANY.c.name.label("company_name")).join(
    COMPANY, COMPANY.c.id == OAUTH_CLIENT.c.company_id
)
SELECT_CLIENT: Final = SELECT_CLIENTS.where(OAUTH_CLIENT.c.identifier == bindparam("identifier"))
SELECT_NAMED_CLIENT: Final = SELECT_CLIENTS.where(
    OAUTH_CLIENT.c.company_id == bindparam("company"), OAUTH_CLIENT.c.name_key == bindparam("key")
)
SELECT_ALL_CLIENTS: Final = SELECT_CLIENTS.order_by(OAUTH_CLIENT.c.company_id, OAUTH_CLIENT.c.id)


def to_client(row: Row[Any]) -> Client:
    # A client of an older version has no prefixes.
    stored = (row.redirect_uris, row.redirect_prefixes or "[]")
    uris, prefixes = (msgspec.json.decode(text, type=tuple[str, ...]) for text in stored)
    return Client(row.id, Company(row.company_id, row.company_name), row.name, row.identifier, uris, prefixes)


class Secrets(Struct, frozen=True):
    """The hashes of a client's secrets: of the present one, and of the one before it, which is good until a time."""

    present: bytes
    old: bytes | None = None
    old_ends_at: int | None = None


def find_client(connection: Connection, identifier: str) -> tuple[Client, Secrets] | None:
    """A client by what the wire calls client_id, with the hashes of its secrets."""
    if NUL in identifier:
        return None
    row = connection.execute(SELECT_CLIENT, {"identifier": identifier}).one_or_none()
    if row is None:
        return None
    return to_client(row), Secrets(row.secret_hash, row.old_secret_hash, row.old_secret_ends_at)


def all_clients(connection: Connection) -> list[Client]:
    """Every client, by company and id."""
    return [to_client(row) for row in connection.execute(SELECT_ALL_CLIENTS)]


def find_named_client(connection: Connection, company: Company, name: str) -> Client | None:
    """A client of a company by name, in any case."""
    row = connection.execute(SELECT_NAMED_CLIENT, {"company": company.id, "key": name.lower()}).one_or_none()
    return None if row is None else to_client(row)


GRANT_IS_OF_CLIENT: Final = OAUTH_GRANT.c.client_id == bindparam("client")
DELETE_CLIENT: Final = (
    delete(OAUTH_TOKEN).where(OAUTH_TOKEN.c.grant_id.in_(select(OAUTH_GRANT.c.id).where(GRANT_IS_OF_CLIENT))),
    delete(OAUTH_GRANT).where(GRANT_IS_OF_CLIENT),
    delete(OAUTH_CLIENT).where(OAUTH_CLIENT.c.id == bindparam("client")),
)
HAS_CLIENT: Final = select(OAUTH_CLIENT.c.id).where(
    OAUTH_CLIENT.c.id == bindparam("client"), OAUTH_CLIENT.c.identifier == bindparam("identifier")
)


def delete_client(connection: Connection, client: Client) -> None:
    """Delete a client, and with it everything it was given."""
    for statement in DELETE_CLIENT:
        connection.execute(statement, {"client": client.id})


UPDATE_CLIENT: Final = update(OAUTH_CLIENT).where(OAUTH_CLIENT.c.id == bindparam("client"))
"""Sets the columns that its parameters name."""

KEEP_SECRET: Final = UPDATE_CLIENT.values(
    old_secret_hash=OAUTH_CLIENT.c.secret_hash, old_secret_ends_at=bindparam("ends_at", type_=BigInteger)
)


def change_secret(connection: Connection, client: Client, secret_hash: bytes, old_ends_at: int) -> None:
    """Give a client another secret; the one that it has is good until a time."""
    connection.execute(KEEP_SECRET, {"client": client.id, "ends_at": old_ends_at})
    connection.execute(UPDATE_CLIENT, {"client": client.id, "secret_hash": secret_hash})


def has_client(connection: Connection, client: Client) -> bool:
    """Whether a client is still there."""
    found = connection.execute(HAS_CLIENT, {"client": client.id, "identifier": client.identifier})
    return found.one_or_none() is not None


INSERT_GRANT: Final = insert(OAUTH_GRANT).returning(OAUTH_GRANT.c.id)
DELETE_GRANT: Final = (
    delete(OAUTH_TOKEN).where(OAUTH_TOKEN.c.grant_id == bindparam("grant")),
    delete(OAUTH_GRANT).where(OAUTH_GRANT.c.id == bindparam("grant")),
)
INSERT_TOKEN: Final = insert(OAUTH_TOKEN)


def add_grant(connection: Connection, grant: NewGrant, at: int) -> int:
    """Insert a grant, and give its id."""
    return connection.execute(INSERT_GRANT, {**msgspec.structs.asdict(grant), "created_at": at}).scalar_one()


def delete_grant(connection: Connection, grant_id: int) -> None:
    """Delete a grant and all its tokens."""
    for statement in DELETE_GRANT:
        connection.execute(statement, {"grant": grant_id})


IS_OF_USER: Final = OAUTH_GRANT.c.user_id == bindparam("user")
END_GRANTS: Final = (
    delete(OAUTH_TOKEN).where(OAUTH_TOKEN.c.grant_id.in_(select(OAUTH_GRANT.c.id).where(IS_OF_USER))),
    delete(OAUTH_GRANT).where(IS_OF_USER),
)
CLIENTS_OF_COMPANY: Final = select(OAUTH_CLIENT.c.id).where(OAUTH_CLIENT.c.company_id == bindparam("company"))


def end_grants(connection: Connection, user: User) -> None:
    """Delete all that was given to clients for a user."""
    for statement in END_GRANTS:
        connection.execute(statement, {"user": user.id})


def delete_clients(connection: Connection, company: Company) -> None:
    """Delete the clients of a company, and with them everything they were given."""
    for client in connection.execute(CLIENTS_OF_COMPANY, {"company": company.id}).scalars().all():
        for statement in DELETE_CLIENT:
            connection.execute(statement, {"client": client})


def add_token(connection: Connection, token_hash: bytes, kind: TokenKind, grant_id: int, expires_at: int) -> None:
    """Insert a token of a grant."""
    values = {"token_hash": token_hash, "kind": kind.value, "grant_id": grant_id, "expires_at": expires_at}
    connection.execute(INSERT_TOKEN, values)


SELECT_TOKEN: Final = (
    select(
        OAUTH_TOKEN.c.expires_at,
        OAUTH_TOKEN.c.used_at,
        OAUTH_TOKEN.c.salt,
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
UPDATE_TOKEN: Final = update(OAUTH_TOKEN).where(OAUTH_TOKEN.c.token_hash == bindparam("of_hash"))
"""Sets the columns that its parameters name."""

FORGET_SALTS: Final = (
    update(OAUTH_TOKEN)
    .where(
        OAUTH_TOKEN.c.grant_id == bindparam("of_grant"),
        OAUTH_TOKEN.c.salt.is_not(None),
        OAUTH_TOKEN.c.used_at < bindparam("used_before"),
    )
    .values(salt=None)
)


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
        used_at=row.used_at,
        salt=row.salt,
        user=User(row.user_id, Company(row.company_id, row.company_name), row.name, Role(row.role)),
        user_mark=row.user_mark,
        password_hash=row.password_hash,
    )


def use_token(connection: Connection, token_hash: bytes, at: int, known_until: int, salt: bytes | None) -> None:
    """Mark a token as used; it is kept, so that a second use is seen, until a given time."""
    values = {"of_hash": token_hash, "used_at": at, "expires_at": known_until, "salt": salt}
    connection.execute(UPDATE_TOKEN, values)


def forget_salts(connection: Connection, grant_id: int, used_before: int) -> None:
    """Forget the salts of a grant's tokens that were used before a time."""
    connection.execute(FORGET_SALTS, {"of_grant": grant_id, "used_before": used_before})


SELECT_EXPIRED: Final = (
    select(OAUTH_TOKEN.c.token_hash)
    .where(OAUTH_TOKEN.c.expires_at <= bindparam("at"))
    .limit(bindparam("most", type_=Integer))
)
IS_NAMED: Final = OAUTH_TOKEN.c.token_hash.in_(bindparam("hashes", expanding=True))
SELECT_GRANTS: Final = select(OAUTH_TOKEN.c.grant_id).where(IS_NAMED).distinct()
DELETE_TOKENS: Final = delete(OAUTH_TOKEN).where(IS_NAMED)
DELETE_EMPTY_GRANTS: Final = delete(OAUTH_GRANT).where(
    OAUTH_GRANT.c.id.in_(bindparam("grants", expanding=True)),
    ~exists().where(OAUTH_TOKEN.c.grant_id == OAUTH_GRANT.c.id),
)


def expired_tokens(connection: Connection, at: int, most: int) -> Sequence[bytes]:
    """The hashes of tokens whose time is over, not more than `most` of them."""
    return connection.execute(SELECT_EXPIRED, {"at": at, "most": most}).scalars().all()


def delete_tokens(connection: Connection, token_hashes: Sequence[bytes]) -> None:
    """Delete tokens, and the grants that have none left."""
    grant_ids = connection.execute(SELECT_GRANTS, {"hashes": token_hashes}).scalars().all()
    connection.execute(DELETE_TOKENS, {"hashes": token_hashes})
    connection.execute(DELETE_EMPTY_GRANTS, {"grants": grant_ids})
