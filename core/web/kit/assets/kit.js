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

/** Tell the parts of the page that wait for an event that it happened. They ask again by themselves, too. */
function followEvents() {
  const wanted = [...document.querySelectorAll("[data-events]")].map((part) => part.getAttribute("data-events") ?? "");
  const address = `/events?wait=true${[...new Set(wanted)].map((name) => `&event=${encodeURIComponent(name)}`).join("")}`;
  if (stream && wanted.length && stream.url.endsWith(address)) return;
  stream?.close();
  stream = undefined;
  if (!wanted.length) return;
  stream = new EventSource(address);
  for (const name of new Set(wanted)) {
    stream.addEventListener(name, () => {
      for (const part of document.querySelectorAll(`[data-events="${name}"]`)) part.dispatchEvent(new Event("happened"));
    });
  }
}

document.addEventListener("submit", sendOnce, true);
document.addEventListener("htmx:error", sayNotSent);
document.addEventListener("htmx:after:swap", () => {
  startToasts(document.body);
  followEvents();
});
startToasts(document.body);
followEvents();
