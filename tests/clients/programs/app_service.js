// The life of an app's service instances in requests as public apps of Eloqua's AppCloud send them, with axios 0.18, which
// speaks TLS with the proxy itself. Prints what it got as JSON.
'use strict';

const axios = require('axios-0.18');

const [clientId, clientSecret, refreshToken, redirectUri] = process.argv.slice(2);
const INSTANCE = '7b95fe48-6598-43e8-8fd1-dcb40cf83ef6';
const PLAIN = INSTANCE.replace(/-/g, '');
const EMAIL = { EmailAddress: '{{Contact.Field(C_EmailAddress)}}' };
const RECORD = { ContactID: '{{Contact.Id}}', ...EMAIL };
const definitions = [];
let eloqua;

// Apps refresh their token first, with a body of JSON and their id and secret in the header.
async function logIn() {
  const auth = { username: clientId, password: clientSecret };
  const body = { grant_type: 'refresh_token', refresh_token: refreshToken, scope: 'full', redirect_uri: redirectUri };
  const { data: tokens } = await axios.post('https://login.eloqua.com/auth/oauth2/token', body, { auth });
  const headers = { Authorization: `Bearer ${tokens.access_token}` };
  const { data: id } = await axios.get('https://login.eloqua.com/id', { headers });
  eloqua = axios.create({ baseURL: id.urls.base, headers });
  return tokens;
}

const cloud = (method, path, data, headers = {}) => eloqua.request({ method, url: `/api/cloud/1.0/${path}`, data, headers });

// An answer to a notification: a definition with `setStatus`, its records, and a sync that is asked for until it ends.
async function send(fields, identifierFieldName, destination, status, records, asOne) {
  const syncAction = { destination, action: 'setStatus', status };
  const { data: { uri } } = await eloqua.post('/api/bulk/2.0/contacts/imports', {
    name: `Answer ${status}`,
    updateRule: 'always',
    fields,
    syncActions: asOne ? syncAction : [syncAction],
    identifierFieldName,
  });
  definitions.push(uri);
  const uploaded = await eloqua.post(`/api/bulk/2.0${uri}/data`, records);
  let { data: sync } = await eloqua.post('/api/bulk/2.0/syncs', { syncedInstanceURI: uri });
  while (['pending', 'active'].includes(sync.status)) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    ({ data: sync } = await eloqua.get(`/API/Bulk/2.0/${sync.uri}`));
  }
  return [uploaded.status, sync.status];
}

const contact = (n) => ({ ContactID: String(n), EmailAddress: `contact-${n}@example.com` });

async function main() {
  const tokens = await logIn();
  const configuration = { recordDefinition: RECORD, requiresConfiguration: false };
  const configured = [];
  for (const service of ['actions', 'decisions']) {
    configured.push((await cloud('put', `${service}/instances/${INSTANCE}`, configuration)).status);
    configured.push((await cloud('get', `${service}/instances/${INSTANCE}`)).data.requiresConfiguration);
  }
  configured.push((await cloud('put', `feeders/instances/${INSTANCE}`, { requiresConfiguration: false })).status);
  const content = { recordDefinition: RECORD, height: 256, width: 256, editorImageUrl: 'https://app.example.com/a.png' };
  configured.push((await cloud('put', `contents/instances/${INSTANCE}`, content, { 'Content-Type': 'text/json' })).status);

  const action = `{{ActionInstance(${PLAIN}).Execution[12]}}`;
  const decision = `{{DecisionInstance(${PLAIN}).Execution[13]}}`;
  const sent = {
    complete: await send(EMAIL, 'EmailAddress', action, 'complete', [1, 2].map(contact)),
    errored: await send({ id: '{{Contact.Id}}' }, 'id', action, 'errored', [{ id: 3 }]),
    yes: await send(RECORD, 'EmailAddress', decision, 'yes', [contact(4)], true),
    no: await send(EMAIL, 'EmailAddress', decision, 'no', [{ EmailAddress: 'contact-5@example.com' }], true),
    fed: await send(EMAIL, 'EmailAddress', `{{FeederInstance(${PLAIN})}}`, 'complete', [{ EmailAddress: 'new@example.com' }], true),
  };
  const answered = (await cloud('post', `decisions/instances/${INSTANCE}/contacts/6`, { decision: 'yes' })).status;

  const deleted = await Promise.all(definitions.map(async (uri) => (await eloqua.delete(`/api/bulk/2.0${uri}`)).status));
  const token = new URLSearchParams({ token: tokens.access_token });
  const auth = { username: clientId, password: clientSecret };
  const revoked = await axios.post('https://login.eloqua.com/auth/oauth2/revoke', token, { auth });
  const refused = await eloqua.get('/api/bulk/2.0/syncs').catch(({ response }) => response);
  console.log(JSON.stringify({
    configured, sent, answered, deleted, revoked: revoked.status, refused: refused.status,
  }));
}

main().catch((error) => {
  console.error(error.message, error.config && error.config.url, error.response && error.response.data);
  process.exit(1);
});
