// Uses the npm package `eloqua` as its README does: list, import, sync, export. Prints what it got as JSON.
'use strict';

const Eloqua = require('eloqua').default;

const [siteName, userName, password] = process.argv.slice(2);
const client = new Eloqua({ siteName, userName, password });
const FIELDS = { id: '{{Contact.Id}}', email: '{{Contact.Field(C_EmailAddress)}}', city: '{{Contact.Field(C_City)}}' };

// The package waits ten seconds between two looks at a sync.
async function ended(syncUri) {
  for (;;) {
    const sync = await client.bulk.checkSync(syncUri);
    if (!['pending', 'active'].includes(sync.status)) return sync;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

// The package has no call for imports; this is the one by which it makes all of its own.
const bulk = (method, path, data) => client._request({ method, url: `/api/bulk/2.0${path}`, data });

async function main() {
  const { id: listId } = await client.contacts.lists.create({ name: 'Readers' });
  const definition = await bulk('POST', '/contacts/imports', {
    name: 'Import of readers',
    fields: { email: FIELDS.email, city: FIELDS.city },
    identifierFieldName: 'email',
    syncActions: [{ action: 'add', destination: `{{ContactList[${listId}]}}` }],
  });
  const records = [];
  for (let n = 1; n <= 1200; n += 1) records.push({ email: `reader-${n}@example.com`, city: n % 2 ? 'Bergen' : 'Århus' });
  await bulk('POST', `${definition.uri}/data`, records);
  const imported = await ended((await client.bulk.createSync(definition.uri)).uri);

  await client.contacts.update(4, { id: '4', emailAddress: 'reader-1@example.com', city: 'Tromsø' });

  const filter = `EXISTS('{{ContactList[${listId}]}}')`;
  const definedExport = await client.bulk.createExport('contacts', 'Readers', FIELDS, filter);
  const exported = await ended((await client.bulk.createSync(definedExport.uri)).uri);
  const firstPage = await client.bulk.getSyncData(exported.uri, 1000, 0);
  const secondPage = await client.bulk.getSyncData(exported.uri, 1000, 1000);

  const stream = await client.bulk.getExportStream('contacts', 'Readers, as a stream', FIELDS, filter);
  const streamed = [];
  await new Promise((resolve, reject) => {
    stream.on('data', (record) => streamed.push(record));
    stream.on('end', resolve);
    stream.on('error', reject);
  });

  const refused = await client.bulk.createExport('contacts', 'Wrong', { x: '{{Contact.Field(C_Nothing)}}' }).catch((e) => e);
  console.log(JSON.stringify({
    baseUrl: client.baseUrl,
    list: await client.contacts.lists.get(listId),
    imported: imported.status,
    exported: exported.status,
    pages: [firstPage, secondPage].map(({ totalResults, count, hasMore }) => ({ totalResults, count, hasMore })),
    records: [...firstPage.items, ...secondPage.items],
    streamed,
    refused: { status: refused.status, failures: refused.data.failures },
  }));
}

main().catch((error) => {
  console.error(error, error.data);
  process.exit(1);
});
