// Verifies a token with the npm library jose against a JWKS fetched over HTTP: the reader of the keys is not ours.
// Usage: node verify_jwks.mjs JWKS_URL TOKEN AUDIENCE ISSUER
// Prints one line of JSON, {"ok":true,"header":{…},"payload":{…}} or {"ok":false,"code":"ERR_…"}; exit status 0 or 1, 2 for wrong usage.
import { createRemoteJWKSet, jwtVerify } from 'jose';

const [jwksUrl, token, audience, issuer, ...rest] = process.argv.slice(2);
if (!issuer || rest.length > 0) {
  console.error('usage: node verify_jwks.mjs JWKS_URL TOKEN AUDIENCE ISSUER');
  process.exit(2);
}

try {
  const keys = createRemoteJWKSet(new URL(jwksUrl));
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    algorithms: ['EdDSA'],
    audience,
    issuer,
    typ: 'JWT',
    requiredClaims: ['sub', 'iat', 'exp', 'jti', 'scope'],
  });
  console.log(JSON.stringify({ ok: true, header: protectedHeader, payload }));
} catch (fault) {
  console.log(JSON.stringify({ ok: false, code: fault.code ?? fault.name }));
  process.exitCode = 1;
}
