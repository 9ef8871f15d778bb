"""Instances of app services: what apps tell of them, and how a decision's app answers for one contact."""

from __future__ import annotations

from collections.abc import Mapping

from staithe.domain.app_instances import read_configuration, read_decision
from staithe.domain.errors import NotFound
from staithe.domain.id_set import IdSet, SetChange
from staithe.domain.plan import plan_steps, set_names
from staithe.services.caller import Caller
from staithe.services.contacts import get_contact
from staithe.storage import app_instances, sets
from staithe.storage.contact_fields import load_catalogue


def read(caller: Caller, service: str, instance_id: str) -> Mapping[str, object]:
    """What an app has told of an instance.

    Raises:
        NotFound: nothing.
    """
    with caller.database.read() as connection:
        found = app_instances.find_configuration(connection, service, instance_id)
    if found is None:
        raise NotFound(
            f"No app has configured the instance {instance_id} of {service}.",
            "Its app does that by a PUT to this path. Sync actions can name it all the same.",
        )
    return found


def configure(caller: Caller, service: str, instance_id: str, sent: Mapping[str, object]) -> Mapping[str, object]:
    """Keep what an app tells of an instance; what it leaves out stays as it was.

    Raises:
        ValidationFailed: a property is wrong.
    """
    told = read_configuration(sent)
    with caller.database.write() as connection:
        before = app_instances.find_configuration(connection, service, instance_id, hold=True) or {}
        configuration = before | told
        app_instances.save_configuration(connection, service, instance_id, configuration, caller.now, caller.name)
        return configuration


def decide(caller: Caller, instance_id: str, contact_id: int, decision: object) -> str:
    """Give a contact the answer of a decision's app, as a sync action would; gives the answer in lower case.

    Raises:
        ValidationFailed: a decision has no such answer.
        NotFound: there never was such a contact.
        Gone: the contact was deleted.
    """
    action = read_decision(instance_id, decision)
    steps = plan_steps([action])
    what = f"answer of decision instance {instance_id} for contact {contact_id}"
    with caller.database.write() as connection:
        sets.hold(connection, set_names(steps))
        get_contact(connection, load_catalogue(connection), contact_id)
        one, none = IdSet.of([contact_id]), IdSet()
        change_id = sets.record_change(connection, what, caller.now, caller.name)
        for step in steps:
            left = {name: SetChange(none, one) for name in step.removes_from}
            sets.change_sets(connection, change_id, left | {step.adds_to: SetChange(one, none)})
    return str(action.status)
