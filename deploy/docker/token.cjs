/**
 * Prints a token signed with JWT_SECRET, for the first steps of an installation that has no identity service yet:
 *   node /opt/reins/token.cjs [--org default] [--user admin] [--roles organization.owner] [--seconds 3600]
 * Whoever may run this has JWT_SECRET anyway.
 */
const { Buffer } = require('node:buffer');
const { createHmac } = require('node:crypto');
const { parseArgs } = require('node:util');

const { values } = parseArgs({
  options: {
    org: { type: 'string', default: 'default' },
    user: { type: 'string', default: 'admin' },
    roles: { type: 'string', default: 'organization.owner' },
    seconds: { type: 'string', default: '3600' },
  },
});
const seconds = Number(values.seconds);
const secret = process.env.JWT_SECRET;
if (!secret) throw new Error('JWT_SECRET is not set: there is nothing to sign with');
if (!Number.isInteger(seconds) || seconds < 1) throw new Error('--seconds must be a whole number of seconds');

const encode = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const iat = Math.floor(Date.now() / 1000);
const claims = { sub: values.user, orgId: values.org, roles: values.roles.split(','), iat, exp: iat + seconds };
const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
process.stdout.write(`${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}\n`);
