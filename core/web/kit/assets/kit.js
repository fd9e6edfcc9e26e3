// What pages do beyond htmx: hide a toast when its time is over, send a form one time, say if it was not sent, and follow events.
// @ts-check

/** @param {Element} root */
function startToasts(root) {
  for (const toast of root.querySelectorAll("[data-seconds]")) {
    const seconds = Number(toast.getAttribute("data-seconds"));
    toast.removeAttribute("data-seconds");
    window.setTimeout(() => toast.remove(), seconds * 1000);
  }
}

/** Each form that is sent twice by an impatient thumb is sent one time. @param {SubmitEvent} event */
function sendOnce(event) {
  const form = /** @type {HTMLFormElement} */ (event.target);
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  window.setTimeout(() => delete form.dataset.sent, 5000);
}

/** Say beside a form that it did not reach the server, and let it be sent again at once. @param {Event} event */
function sayNotSent(event) {
  const form = /** @type {Element} */ (event.target).closest("form");
  const text = document.querySelector("template#not-sent");
  if (!(form instanceof HTMLFormElement) || !(text instanceof HTMLTemplateElement)) return;
  delete form.dataset.sent;
  form.querySelector("[data-not-sent]")?.remove();
  form.prepend(text.content.cloneNode(true));
}

/** @type {EventSource | undefined} */
let stream;
let followed = "";
let wasOpen = false;

/** The names of the events for which a part waits. @param {Element} part */
function namesOf(part) {
  return (part.getAttribute("data-events") ?? "").split(" ").filter(Boolean);
}

/** Let the parts ask that wait for an event; all parts if events are missing. @param {string} name */
function happened(name) {
  for (const part of document.querySelectorAll("[data-events]")) {
    if (name === "gap" || namesOf(part).includes(name)) part.dispatchEvent(new Event("happened"));
  }
}

/** Follow the stream of the events for which parts of the page wait. */
function followEvents() {
  const parts = [...document.querySelectorAll("[data-events]")];
  const names = [...new Set(parts.flatMap(namesOf))];
  const path = parts[0]?.getAttribute("data-stream") ?? "/events";
  const address = `${path}?wait=true${names.map((name) => `&event=${encodeURIComponent(name)}`).join("")}`;
  const closed = stream?.readyState === EventSource.CLOSED && parts[0]?.hasAttribute("data-stream");
  if (stream && !closed && names.length && followed === address) return;
  stream?.close();
  stream = undefined;
  followed = address;
  if (!names.length) return;
  const seen = parts[0]?.getAttribute("data-seen");
  stream = new EventSource(seen ? `${address}&seen=${encodeURIComponent(seen)}` : address);
  stream.addEventListener("open", () => {
    if (wasOpen && document.querySelector("[data-stream]")) happened("gap");
    wasOpen = true;
  });
  for (const name of [...names, "gap"]) stream.addEventListener(name, () => happened(name));
}

/** Without an open stream, the parts that have no rhythm of their own ask every ten seconds. */
function askWithoutStream() {
  if (!document.querySelector("[data-stream]") || stream?.readyState === EventSource.OPEN) return;
  followEvents();
  happened("gap");
}

/** A part that renews or completes itself stays as it is when its page does not come: an error, or the sign-in. @param {Event} event */
function keepLivePart(event) {
  const { sourceElement, response } = /** @type {CustomEvent} */ (event).detail.ctx;
  const failed = response.status >= 400 || response.raw.redirected;
  if (failed && sourceElement.matches("[data-events], [data-later]")) event.preventDefault();
}

document.addEventListener("submit", sendOnce, true);
document.addEventListener("htmx:before:response", keepLivePart);
document.addEventListener("htmx:error", sayNotSent);
document.addEventListener("htmx:after:swap", () => {
  startToasts(document.body);
  followEvents();
});
startToasts(document.body);
followEvents();
window.setInterval(askWithoutStream, 10_000);
