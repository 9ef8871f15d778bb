"""The Application API's operations on users: to read them. Operators make and change them by commands."""

from __future__ import annotations

from collections.abc import Iterator

from staithe.domain.search_query import Depth, read_depth, read_search_query
from staithe.http.calls import Answer, Call
from staithe.http.rest_operation import RestOperation
from staithe.services import users
from staithe.wire import rest as wire


def search_users(call: Call) -> Answer:
    query = read_search_query(call.parameters, users.SEARCHABLE)
    found, total = users.search(call.caller, query)
    return Answer(200, wire.page_body([wire.user_body(account, query.depth) for account in found], query, total))


def get_user(call: Call) -> Answer:
    depth = read_depth(call.parameters, Depth.COMPLETE)
    return Answer(200, wire.user_body(users.read(call.caller, call.id), depth))


def user_operations(root: str) -> Iterator[RestOperation]:
    """The operations on users."""
    yield RestOperation("GET", f"{root}/system/users", search_users, "User", gives="UserSearch")
    yield RestOperation("GET", f"{root}/system/user/{{id}}", get_user, "User", gives="User")
