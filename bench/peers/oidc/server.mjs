// oidc-provider as the benchmark's peer: client credentials with its in-memory store.
// With `resource` it signs EdDSA JWTs (the issue row), without it hands out opaque tokens that /token/introspection looks up.
// Prints one line of JSON when it listens. Usage: node server.mjs PORT
import { generateKeyPairSync } from 'node:crypto';

import Provider from 'oidc-provider';

const port = Number(process.argv[2]);
const lifetime = 3600;
const scope = 'clawproxy:call:openai';
const signingKey = { ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }), alg: 'EdDSA', use: 'sig' };

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: 'bench',
      client_secret: 'bench-secret-of-the-peer-only',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'client_secret_post',
      id_token_signed_response_alg: 'EdDSA',
    },
  ],
  jwks: { keys: [signingKey] },
  scopes: [scope],
  ttl: { ClientCredentials: lifetime },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope,
        accessTokenFormat: 'jwt',
        accessTokenTTL: lifetime,
        jwt: { sign: { alg: 'EdDSA' } },
      }),
    },
  },
});

provider.on('server_error', (_ctx, fault) => console.error(fault.message));
provider.listen(port, '127.0.0.1', () => console.log(JSON.stringify({ port })));
