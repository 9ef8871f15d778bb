// As the how-to tells: makes `fetch` heed the variables of a proxy.
'use strict';

const u = require('undici');

u.setGlobalDispatcher(new u.EnvHttpProxyAgent());
