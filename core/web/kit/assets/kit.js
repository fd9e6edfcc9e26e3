// What pages do beyond htmx: hide a toast when its time is over, send a form one time, and say if it was not sent.
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

document.addEventListener("submit", sendOnce, true);
document.addEventListener("htmx:error", sayNotSent);
document.addEventListener("htmx:after:swap", () => startToasts(document.body));
startToasts(document.body);
