// What a worker at the edge may do for the platform: serve its assets from the edge's cache, and pass everything else on untouched.
// Assets are scripts, style sheets, fonts and pictures. They hold no personal data, and their addresses change with their content,
// so they are stored without cookies, and nothing has to be purged. Written for the fetch handler that Cloudflare, Deno and Fastly's
// JavaScript share; `caches.default` is the edge's cache.

const ASSETS = "/assets/";

export default {
  async fetch(request, env, context) {
    const url = new URL(request.url);
    if (request.method !== "GET" || !url.pathname.startsWith(ASSETS)) {
      return fetch(request);
    }
    const plain = new Request(url.origin + url.pathname, {
      headers: { "Accept-Encoding": request.headers.get("Accept-Encoding") || "" },
    });
    const stored = await caches.default.match(plain);
    if (stored) {
      return stored;
    }
    const answer = await fetch(plain);
    if (answer.status !== 200 || !(answer.headers.get("Cache-Control") || "").includes("immutable")) {
      return answer;
    }
    const copy = new Response(answer.body, answer);
    copy.headers.delete("Set-Cookie");
    context.waitUntil(caches.default.put(plain, copy.clone()));
    return copy;
  },
};
