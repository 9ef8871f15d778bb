"""Uses python-eloqua-wrapper: makes, changes, finds, lists and deletes contacts. Prints what it got as JSON."""

from __future__ import annotations

import json
import sys

from python_eloqua_wrapper import Contact, EloquaSession
from requests import HTTPError

session = EloquaSession(*sys.argv[1:])


def made(*fields: str | None) -> Contact:
    """A new contact: id, first name, last name, email address."""
    contact = Contact(session, contact_fields=fields)
    contact.create()
    return contact


def refusal(contact: Contact) -> int:
    try:
        contact.delete()
    except HTTPError as error:
        return error.response.status_code
    return 0


ann = made(None, "Ann", "Lee", "ann@example.com")
bo = made("", "Bo", "Berg", "bo@example.com")
changed = Contact(session, contact_fields=(ann.contact_id, "Anna", "Lie", "ann@example.com"), contact_id=ann.contact_id)
changed.update()
parameters = {"count": 1, "depth": "minimal", "order_by": "id DESC", "page": 1, "search": "*example*"}
listed = bo.retrieve_list_of_contacts(parameters)
bo.delete()
print(
    json.dumps(
        {
            "base": session.url_base,
            "ids": [ann.contact_id, bo.contact_id],
            "listed": listed,
            "found": ann.find_contact_by_email("ANN@example.com"),
            "gone": bo.find_contact_by_email("bo@example.com")["total"],
            "refused": refusal(bo),
        }
    )
)
