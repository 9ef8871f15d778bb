"""The commands as a table, so that `staithe --help` need not import what they do.

A row has what the list of commands shows. Options and the rest of the help stand with the function, which is imported
when its command is run or asked for its own help.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

MARKUP: Final = "rich"
GROUPS: Final[Mapping[str, str]] = {
    "company": "Companies: each has its own store, contacts and users.",
    "user": "Users: who may log in, and what for.",
    "client": "Clients: programs that log in with OAuth and act for users.",
}
"""Name of a group of commands -> its help."""

RUN_EXAMPLES: Final = """
[bold]Examples[/bold]

staithe run -- curl -u 'demo\\admin:demo' https://login.eloqua.com/id

staithe run --login 'acme\\ann:secret' -- pytest tests

staithe run -- sh -c 'staithe seed demo --contacts 1000 && python my_client.py'

staithe run --server http://127.0.0.1:8080 --allow-host api.example.com -- node my_client.js
"""


class CommandRow(NamedTuple):
    """One command.

    `name` may begin with that of its group; `place` is `module:function` below `staithe.cli`; `help` is the first
    paragraph of the function's docstring; `settings` go to Typer.
    """

    name: str
    place: str
    help: str
    settings: Mapping[str, Any] = {}

    def load(self) -> TyperCommand:
        """The command itself."""
        module, _, function = self.place.partition(":")
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=MARKUP)
        # Imported here, as `staithe --help` does not need it.
        from staithe.cli.places import says_what_fails

        run = says_what_fails(getattr(import_module(f"staithe.cli.{module}"), function))
        alone.command(self.name.rpartition(" ")[2], **self.settings)(run)
        command = typer.main.get_command(alone)
        assert isinstance(command, TyperCommand)
        return command


COMMANDS: Final = (
    CommandRow("serve", "serve:serve", "Start the server: HTTP and the sync worker together, until Ctrl-C or SIGTERM."),
    CommandRow(
        "worker",
        "worker:worker",
        "Run syncs, and nothing else, until Ctrl-C or SIGTERM: workers for servers on other machines.",
    ),
    CommandRow("demo", "demo:demo", "See the main job on real data, then go on from there."),
    CommandRow(
        "run",
        "run:run",
        "Run a command whose Eloqua is a Staithe server.",
        {"context_settings": {"allow_interspersed_args": False}, "epilog": RUN_EXAMPLES},
    ),
    CommandRow(
        "seed",
        "seed:seed",
        "Add contacts contact-{id}@example.com to a company, all or none. Works beside a running server.",
    ),
    CommandRow("status", "status:status", "Show what the data directory holds, and whether a server runs on it."),
    CommandRow(
        "doctor",
        "doctor:doctor",
        "Examine a deployment, and say what to change. Works beside running servers, and changes nothing.",
    ),
    CommandRow(
        "backup",
        "backups:backup",
        "Write all of a company to FILE, as it was at one moment. "
        "Works beside a running server, which goes on serving.",
    ),
    CommandRow(
        "restore",
        "backups:restore",
        "Make a company of a backup. Works beside a running server, which serves it as soon as it is whole.",
    ),
    CommandRow(
        "company create",
        "companies:create_company",
        "Make a company with an empty store. Works beside a running server.",
    ),
    CommandRow("company list", "companies:list_companies", "Show the companies, and how many users each has."),
    CommandRow(
        "company rename",
        "companies:rename_company",
        "Give a company another name: its users log in under that from now on. Works beside a running server.",
    ),
    CommandRow(
        "company delete",
        "companies:delete_company",
        "Delete a company with everything that is its own. Works beside a running server.",
    ),
    CommandRow("company limits", "limits:set_limits", "Show what a company may use, and set it."),
    CommandRow(
        "user create",
        "users:create_user",
        "Make a user, or give one that exists another password and role. Works beside a running server.",
    ),
    CommandRow("user list", "users:list_users", "Show who may log in, and what for."),
    CommandRow(
        "user password",
        "users:change_password",
        "Give a user another password. Whatever the old one was good for ends at once.",
    ),
    CommandRow(
        "user disable", "users:disable_user", "Let a user log in no more, and end every token. user enable undoes it."
    ),
    CommandRow("user enable", "users:enable_user", "Let a user who was disabled log in again, with the same password."),
    CommandRow("user delete", "users:delete_user", "Delete a user, and end every token. What the user has made stays."),
    CommandRow(
        "client create",
        "clients:create_client",
        "Register a program, and print its client id and secret. Works beside a running server.",
    ),
    CommandRow(
        "client list",
        "clients:list_clients",
        "Show the registered programs; their secrets are not known to anybody but them.",
    ),
    CommandRow(
        "client rotate",
        "clients:rotate_client",
        "Give a program another secret, and print it. Works beside a running server.",
    ),
    CommandRow("client delete", "clients:delete_client", "Delete a program. Every token it was given ends at once."),
)


class LazyCommand(TyperCommand):
    """Stands for a command in a list of commands, and imports it as soon as it gets its arguments."""

    def __init__(self, row: CommandRow) -> None:
        super().__init__(name=row.name.rpartition(" ")[2], help=row.help, rich_markup_mode=MARKUP)
        self.row = row

    def make_context(self, *arguments: Any, **more: Any) -> Any:
        """Begin to run it: from here on the command itself does all."""
        return self.row.load().make_context(*arguments, **more)


def add_commands(root: TyperGroup) -> None:
    """Give the program its commands."""
    groups = {"": root}
    for row in COMMANDS:
        name = row.name.rpartition(" ")[0]
        if name not in groups:
            groups[name] = TyperGroup(
                name=name, help=GROUPS[name], no_args_is_help=True, rich_markup_mode=MARKUP, commands={}
            )
            root.add_command(groups[name])
        groups[name].add_command(LazyCommand(row))
