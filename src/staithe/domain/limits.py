"""Every limit, with its unit and its source.

Sources in brackets name the Eloqua page; "ours" marks a limit that Eloqua does not publish.
"""

from __future__ import annotations

from typing import Final

MICROSECOND: Final = 1
SECOND: Final = 1_000_000 * MICROSECOND
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR

UPLOAD_BYTES: Final = 32 * 1024 * 1024
"""One upload request, after gunzip [bulk-limits: 32 MB; the unit is inferred]."""

UPLOADS_PER_SYNC: Final = 500
"""Uploads that may wait for one sync of one definition [bulk-limits, 24D notice]."""

MOST_SYNC_ACTIONS: Final = 10
"""Sync actions in a definition [Bulk API contract]."""

SYNC_ACTION_FIELDS: Final = 1
"""Fields in a sync action definition: the identifier field and no other [Bulk API contract]."""

IMPORT_FIELDS: Final = 100
"""Fields in an import definition, at most [bulk-limits]."""

EXPORT_FIELDS: Final = 250
"""Fields in an export definition, at most [bulk-limits]."""

TEXT_CHARACTERS: Final = 100
"""Characters of a text in a contact field [contact fields]."""

LARGE_TEXT_CHARACTERS: Final = 32_000
"""Characters of a text in a contact field that is a large text [contact fields]."""

NAME_CHARACTERS: Final = 100
"""Characters of a definition's name [import characteristics]."""

FIELD_NAME_CHARACTERS: Final = 100
"""Characters of `identifierFieldName`, so of a field's name [Bulk API contract]."""

PAGE_ITEMS: Final = 1000
"""Items on a page of definitions, syncs, logs, rejects or lists: the default and the most [Bulk API contract]."""

STAGING_KB_PER_CONTACT: Final = 50
"""The staging quota Eloqua grants for each contracted contact [bulk-FAQs]."""

CONTRACTED_CONTACTS: Final = 10_000_000
"""Contacts that the default staging quota is reckoned for [bulk-FAQs: the page's own example]."""

STAGING_QUOTA_KB: Final = CONTRACTED_CONTACTS * STAGING_KB_PER_CONTACT
"""What a company may have staged unless the operator says otherwise, in kB [bulk-FAQs: 500 GB in its example]."""

HEADER_BYTES: Final = 32 * 1024
"""The headers of one request; more is 431 [ours: twice what others take, for cookies of a shared domain]."""

URL_BYTES: Final = 32 * 1024
"""The URL of one request; more is 414 [ours: twice what a `search` of the Application API may have]."""

GZIP_MEMBERS: Final = 100_000
"""Gzip members in one body [ours: an empty one has 20 bytes, and takes a microsecond]."""

MOST_CONNECTIONS: Final = 1000
"""Connections that one HTTP process has open at once, unless the operator says otherwise [ours]."""

MOST_UPLOADS: Final = 32
"""Uploads that one HTTP process receives at once, unless the operator says otherwise [ours]."""

SYNCS_PER_HOUR: Final = 0
"""Syncs that a company may start in an hour, 0 for no limit [bulk-limits: 2,000 to 4,000, logged but not refused]."""

SYNC_CREATION_LIFE: Final = 2 * HOUR
"""How long the creation of a sync is counted: an hour, and one more as clocks of servers differ [ours]."""

HIGHEST_COMPANY_LIMIT: Final = 10**12
"""The highest number that a limit of a company can be [ours]."""

STAGED_DATA_LIFE: Final = 7 * DAY
"""Staged data that is not synced [P7D, the import default; for sync actions inferred]."""

LEAST_DATA_LIFE: Final = HOUR
"""The least `dataRetentionDuration`, and the least `autoDeleteDuration` [Bulk API contract]."""

MOST_DATA_LIFE: Final = 14 * DAY
"""The most of `dataRetentionDuration` [Bulk API contract]."""

DATA_PAGE_RECORDS: Final = 50_000
"""Records on a page of an export's data, at most [Bulk API contract]."""

UNUSED_DEFINITION_LIFE: Final = 365 * DAY
"""Definitions created and last synced longer ago than this are removed [26B notice]."""

SYNC_LIFE: Final = 365 * DAY
"""Syncs, with their logs and rejects, after their creation [product notice 20D]."""

CONTACT_ID: Final = 2**32 - 1
"""The highest contact id: sets hold 32-bit ids [ours]."""

CHUNK_IDS: Final = 1 << 16
"""Ids in one chunk of a set: one Roaring container, at most 8 KiB [ours]."""

CUSTOM_FIELDS: Final = 1000
"""Contact fields that a company can make [ours: SQLite tables have at most 2,000 columns]."""

FIRST_CUSTOM_FIELD_ID: Final = 100_313
"""Ids of contact fields that companies make start here [observed in one of 2021: new fields had such ids]."""

FILTER_CHARACTERS: Final = 1000
"""Characters of an export's filter [Filtering page]."""

FILTER_EXISTS: Final = 1
"""EXISTS, and likewise STATUS, in one filter, at most [Eloqua expression language page]."""

FILTER_CRITERIA: Final = 200
"""Criteria in one contact filter [ours: SQLite nests expressions at most 1,000 deep]."""

STATEMENT_CHARACTERS: Final = 4000
"""Characters of the statement that joins criteria [ours]."""

CRITERIA_CHARACTERS: Final = 1_000_000
"""Characters of a contact filter once each id in its statement is replaced by its criterion [ours]."""

SEGMENT_ELEMENTS: Final = 100
"""Lists and filters in one segment [ours]."""

UNMAPPED_NAMES_LOGGED: Final = 100
"""Unmapped field names that one sync logs, one ELQ-00111 line each [ours]."""

IDEMPOTENCY_KEY_CHARACTERS: Final = 255
"""Characters of an `Idempotency-Key` header [ours]."""

SEARCH_BYTES: Final = 16_000
"""Bytes, in UTF-8, of `search` and of `q` [ours: SQLite refuses patterns over 50,000, and folding can treble them]."""

SEARCH_TERMS: Final = 500
"""Terms in one `search` [ours: SQLite nests expressions at most 1,000 deep]."""

ASSET_NAME_CHARACTERS: Final = 100
"""Characters of a contact list's or an email group's name [as a definition's name; inferred]."""

UNKNOWN_IDS_NAMED: Final = 100
"""Unknown contact ids that one error names [ours]."""

ACCESS_TOKEN_LIFE: Final = 8 * HOUR
"""An OAuth access token [authenticate-using-oauth; the default of a public client]."""

REFRESH_TOKEN_LIFE: Final = 365 * DAY
"""An OAuth refresh token, which is used once [authenticate-using-oauth, unverified]."""

AUTHORIZATION_CODE_LIFE: Final = 60 * SECOND
"""An OAuth authorization code, which is used once [authenticate-using-oauth, unverified]."""

REFRESH_AGAIN: Final = 60 * SECOND
"""How long a used refresh token gets its answer again, after its first use [ours]."""

REDIRECT_URI_CHARACTERS: Final = 2000
"""Characters of a redirect URI [ours]."""
