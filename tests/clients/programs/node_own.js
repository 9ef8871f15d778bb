// Node.js by itself: `https` and `fetch`, which need a preloaded package to heed a proxy below 22.21.
'use strict';

const https = require('https');

const URL_OF_HEALTH = 'https://secure.p01.eloqua.com/healthz';

if (process.argv[2] === 'fetch') {
  fetch(URL_OF_HEALTH).then(async (answer) => console.log(JSON.stringify(await answer.json())));
} else {
  https.get(URL_OF_HEALTH, (answer) => answer.on('data', (data) => console.log(String(data))));
}
