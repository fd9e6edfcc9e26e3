// A real OpenID Connect provider on loopback, for tests: node provider.mjs FOLDER CLIENT
// FOLDER has node_modules; CLIENT is the client as JSON. Prints its issuer when it listens; ends with standard input.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, client] = process.argv.slice(2);
const library = createRequire(pathToFileURL(`${folder}/package.json`)).resolve("oidc-provider");
const { default: Provider } = await import(pathToFileURL(library));

const server = createServer();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [JSON.parse(client)],
  // The login is the subject: "tracker@example.org" is verified, "unverified+tracker@example.org" is not.
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      email: id.replace("unverified+", ""),
      email_verified: !id.startsWith("unverified+"),
      name: "Person of the provider",
      groups: ["trackers"],
    }),
  }),
  // As the specification has it, the ID token has the claims of openid, and those of email are at the userinfo endpoint.
  claims: { openid: ["sub", "groups"], email: ["email", "email_verified"], profile: ["name"] },
  cookies: { keys: ["of a test"] },
  features: {
    backchannelLogout: { enabled: true },
    devInteractions: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  // Its guard rejects loopback; the back-channel of a test is on loopback.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
  pkce: { required: () => true },
});
server.on("request", provider.callback());
console.log(issuer);
process.stdin.resume().on("end", () => process.exit(0));
