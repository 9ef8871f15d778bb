"""The page on which a user lets a client act for him or her. It works without script, by keyboard, on any screen."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from staithe.domain.base_url import DEFAULT_PORTS
from staithe.domain.oauth import Client
from staithe.http.calls import Answer, Page

STYLE: Final = """
:root { color-scheme: light dark; --ink: #16222e; --soft: #52616f; --paper: #fff; --ground: #eef2f5; --line: #8796a4;
  --strong: #0b5a86; --on-strong: #fff; --alert: #a31621; --alert-ground: #fdecee; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eef3; --soft: #a9b6c2; --paper: #1a242d; --ground: #10171d;
  --line: #6b7b89; --strong: #7cc4ee; --on-strong: #0b1620; --alert: #ff9aa2; --alert-ground: #3a1c20; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 26rem; background: var(--paper); border-radius: .75rem; padding: 2rem;
  border-top: .3rem solid var(--strong); box-shadow: 0 .5rem 2rem rgb(0 0 0 / .12); overflow-wrap: anywhere; }
h1 { margin: 0 0 .75rem; font-size: 1.35rem; line-height: 1.3; }
p { margin: 0 0 1rem; } .soft { color: var(--soft); font-size: .9rem; }
.alert { background: var(--alert-ground); color: var(--alert); border-radius: .4rem; padding: .6rem .8rem; }
label { display: block; font-weight: 600; margin: 1rem 0 .3rem; }
input { width: 100%; font: inherit; color: inherit; background: transparent; padding: .6rem .7rem;
  border: 1px solid var(--line); border-radius: .4rem; }
.actions { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.5rem 0 1rem; }
button { flex: 1; font: inherit; font-weight: 600; padding: .7rem 1rem; border-radius: .4rem; cursor: pointer;
  border: 1px solid var(--strong); background: transparent; color: var(--strong); }
button.main { background: var(--strong); color: var(--on-strong); }
input:focus-visible, button:focus-visible { outline: .2rem solid var(--strong); outline-offset: .15rem; }
"""

STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
SAFETY: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Nobody can frame a page, nor have it load anything."""


def show_page(
    status: int, title: str, content: str, goes_to: str = "", headers: Mapping[str, str] | None = None
) -> Answer:
    """A whole page that nobody can frame, and that can load nothing.

    Args:
        status: of the answer.
        title: plain text.
        content: HTML.
        goes_to: what a form on it may lead to besides this server: browsers check that for redirects too.
        headers: more of them.
    """
    html = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1>\n{content}\n</main></body></html>\n"
    )
    policy = (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self' {goes_to}".rstrip()
        + "; base-uri 'none'; frame-ancestors 'none'"
    )
    return Answer(status, Page(html), {**SAFETY, "Content-Security-Policy": policy, **(headers or {})})


def show_sentence(sentence: str) -> Answer:
    """Why there is no form, as Eloqua says it: 200, and nothing but a sentence, which has no character of HTML."""
    return Answer(HTTPStatus.OK, Page(sentence), SAFETY)


def show_consent(
    client: Client, redirect_uri: str, hidden: Mapping[str, str], cookie: str, *, user_name: str = "", problem: str = ""
) -> Answer:
    """The form: who asks, for what, and the fields to log in with.

    Args:
        client: who asks.
        redirect_uri: where the answer goes.
        hidden: what the form sends back unseen.
        cookie: the Set-Cookie header.
        user_name: what was typed before.
        problem: what was wrong with it.
    """
    name, company = escape(client.name), escape(client.company.name)
    alert = f'<p class="alert" role="alert" id="problem">{escape(problem)}</p>\n' if problem else ""
    refers = ' aria-invalid="true" aria-describedby="problem"' if problem else ""
    unseen = "".join(f'<input type="hidden" name="{escape(k)}" value="{escape(v)}">\n' for k, v in hidden.items())
    content = (
        f"<p><strong>{name}</strong> asks to act for you in company <strong>{company}</strong>. "
        "It will be able to do everything there that you may do.</p>\n"
        f'{alert}<form method="post" action="?">\n{unseen}'
        f'<label for="username">User name</label>\n<input id="username" name="username" value="{escape(user_name)}" '
        f'autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="300"{refers}>\n'
        '<label for="password">Password</label>\n<input id="password" name="password" type="password" '
        f'autocomplete="current-password"{refers}>\n'
        '<div class="actions"><button class="main" name="decision" value="allow">Allow</button>'
        '<button name="decision" value="deny">Deny</button></div>\n</form>\n'
        f'<p class="soft">The answer goes to {escape(place_of(redirect_uri))}. '
        "To end this later, set a new password, or ask your operator to delete the program.</p>"
    )
    status = HTTPStatus.FORBIDDEN if problem else HTTPStatus.OK
    return show_page(status, f"Allow {client.name}?", content, source_of(redirect_uri), {"Set-Cookie": cookie})


def source_of(redirect_uri: str) -> str:
    """A redirect URI as a Content-Security-Policy names it."""
    parts = urlsplit(redirect_uri)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in DEFAULT_PORTS else f"{parts.scheme}:"


def place_of(redirect_uri: str) -> str:
    """A redirect URI as people are shown it."""
    return urlsplit(redirect_uri).netloc or redirect_uri
