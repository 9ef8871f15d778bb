"""The table of routes: what answers a method on a path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from staithe.http.calls import Answer
from staithe.http.requests import Request

Endpoint = Callable[[Request], Awaitable[Answer]]


class Route(Struct, frozen=True):
    """A method on a path, such as `/syncs/{id}`; `media_type` is that of bodies that are JSON."""

    method: str
    path: str
    answer: Endpoint
    media_type: str


@dataclass(slots=True)
class Node:
    """A place in the tree of paths: what is there, and where the next segment leads."""

    routes: dict[str, Route] = field(default_factory=dict)
    segments: dict[str, Node] = field(default_factory=dict)
    parameter: str = ""
    """The name of a segment that can be anything; it leads where `{}` leads."""


class Found(Struct, frozen=True):
    """The routes of a path by their method, and what stands in the path where they have a name."""

    routes: Mapping[str, Route]
    parameters: Mapping[str, str]

    def route_for(self, method: str) -> Route | None:
        """The route of a method. HEAD is answered as GET is, but for the body."""
        return self.routes.get("GET" if method == "HEAD" else method)

    def template_for(self, method: str) -> str:
        """The path as the table has it, if it has the method; else empty."""
        route = next(iter(self.routes.values()), None) if method == "OPTIONS" else self.route_for(method)
        return "" if route is None else route.path

    @property
    def allow(self) -> str:
        """The methods that the path has, as the `Allow` header tells them."""
        more = {"OPTIONS", "HEAD"} if "GET" in self.routes else {"OPTIONS"}
        return ", ".join(sorted({*self.routes, *more}))


class RouteTable:
    """All routes, found segment by segment; a segment that is a name of its own comes before one that can be anything.

    Args:
        routes: all of them.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self.root = Node()
        for route in routes:
            node = self.root
            for segment in split(route.path):
                key = segment
                if segment.startswith("{"):
                    key, node.parameter = "{}", segment.strip("{}")
                node = node.segments.setdefault(key, Node())
            node.routes[route.method] = route

    def find(self, path: str) -> Found:
        """What a path in its canonical spelling has; no routes if it is not in the table."""
        node = self.root
        parameters: dict[str, str] = {}
        for segment in split(path):
            following = node.segments.get(segment)
            if following is None:
                if not node.parameter:
                    return Found({}, {})
                parameters[node.parameter] = segment
                following = node.segments["{}"]
            node = following
        return Found(node.routes, parameters)


def split(path: str) -> list[str]:
    return path.strip("/").split("/")
