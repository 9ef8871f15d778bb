"""Strategies of sync actions: on lists and email groups 1 and 2, globally, and in app service instances."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.property.model import APP_STATUSES, Action, app_action, global_action, group_action, list_action

INSTANCES = ["0123456789abcdef0123456789ABCDEF", "ffffffffffffffffffffffffffffffff"]


def app_actions(service: str) -> st.SearchStrategy[Action]:
    """Actions in an app service."""
    return st.builds(
        lambda instance, execution, status, update_all: app_action(
            service, instance, execution, status, update_all=update_all
        ),
        st.sampled_from(INSTANCES),
        st.sampled_from([0, 5]),
        st.sampled_from(APP_STATUSES[service]),
        st.booleans(),
    )


ACTIONS = st.one_of(
    st.builds(lambda number, remove: list_action(number, remove=remove), st.sampled_from([1, 2]), st.booleans()),
    st.builds(lambda number, yes: group_action(number, subscribed=yes), st.sampled_from([1, 2]), st.booleans()),
    st.builds(lambda yes: global_action(subscribed=yes), st.booleans()),
    *(app_actions(service) for service in APP_STATUSES),
)
