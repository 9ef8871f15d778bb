"""Contact lists, email groups, segments and filters: what they are, and what a request changes of a list or a group."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from staithe.domain.limits import ASSET_NAME_CHARACTERS
from staithe.domain.properties import PropertyReader


class Asset(Struct, frozen=True, kw_only=True):
    """A contact list, an email group, a segment or a filter.

    `properties` is the JSON of what it was sent with beside name and description. Segments and filters are found anew
    whenever they are used; `size` is how many contacts they had when they were last counted, at `executed_at`.
    """

    id: int
    name: str
    description: str | None
    data_lookup_id: str
    properties: str = "{}"
    size: int = 0
    executed_at: int = 0
    created_at: int
    created_by: str
    updated_at: int
    updated_by: str


class GroupProperties(Struct, frozen=True, omit_defaults=True):
    """What an email group was sent with beside its name and description, as it is stored."""

    display_name: str = ""
    is_visible_in_outlook_plugin: bool = False
    is_visible_in_public_subscription_list: bool = True


class AssetChanges(Struct, frozen=True):
    """What a request makes of a list or a group. None leaves as it is; an empty description is no description."""

    name: str | None
    description: str | None
    additions: list[int]
    deletions: list[int]
    display_name: str | None
    is_visible_in_outlook_plugin: bool | None
    is_visible_in_public_subscription_list: bool | None

    def columns(self) -> dict[str, object]:
        """The changed columns that lists and groups share."""
        columns: dict[str, object] = {} if self.name is None else {"name": self.name}
        return columns if self.description is None else columns | {"description": self.description or None}

    def group_properties(self, before: GroupProperties) -> GroupProperties:
        """An email group's properties after the change."""
        shown, outlook = self.display_name, self.is_visible_in_outlook_plugin
        public = self.is_visible_in_public_subscription_list
        return GroupProperties(
            before.display_name if shown is None else shown,
            before.is_visible_in_outlook_plugin if outlook is None else outlook,
            before.is_visible_in_public_subscription_list if public is None else public,
        )


def read_asset_changes(properties: Mapping[str, object], *, is_new: bool) -> AssetChanges:
    """Read a list or a group as a request has it, properties in canonical spelling; unknown ones are ignored.

    Args:
        properties: of the request.
        is_new: whether it must have a name.

    Raises:
        ValidationFailed: a property is wrong.
    """
    reader = PropertyReader(properties)
    changes = AssetChanges(
        name=reader.name("name", is_required=is_new, most_characters=ASSET_NAME_CHARACTERS),
        description=reader.text("description"),
        additions=reader.ids("membershipAdditions"),
        deletions=reader.ids("membershipDeletions"),
        display_name=reader.text("displayName"),
        is_visible_in_outlook_plugin=reader.boolean("isVisibleInOutlookPlugin"),
        is_visible_in_public_subscription_list=reader.boolean("isVisibleInPublicSubscriptionList"),
    )
    reader.finish()
    return changes
