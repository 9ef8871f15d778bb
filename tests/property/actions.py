"""Strategies of sync actions: on lists and email groups 1 and 2, globally, and in app service instances."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.property.model import SERVICES, STATUSES, Action, app_action, global_action, group_action, list_action

INSTANCES = ["0123456789abcdef0123456789ABCDEF", "ffffffffffffffffffffffffffffffff"]


def app_actions(service: str, instances: list[str], executions: list[int]) -> st.SearchStrategy[Action]:
    """Actions in an app service."""
    return st.builds(
        lambda instance, execution, status, update_all: app_action(
            service, instance, execution, status, update_all=update_all
        ),
        st.sampled_from(instances),
        st.sampled_from(executions),
        st.sampled_from(STATUSES),
        st.booleans(),
    )


def asset_actions(numbers: list[int]) -> list[st.SearchStrategy[Action]]:
    """Actions on these lists and groups, and the global ones."""
    return [
        st.builds(lambda number, remove: list_action(number, remove=remove), st.sampled_from(numbers), st.booleans()),
        st.builds(lambda number, yes: group_action(number, subscribed=yes), st.sampled_from(numbers), st.booleans()),
        st.builds(lambda yes: global_action(subscribed=yes), st.booleans()),
    ]


ACTIONS = st.one_of(*asset_actions([1, 2]), *(app_actions(service, INSTANCES, [0, 5]) for service in SERVICES))
FEW_ACTIONS = st.one_of(*asset_actions([1]), app_actions("ActionInstance", INSTANCES[:1], [5]))
"""On so few sets that a sequence of syncs fills and empties them again and again."""
