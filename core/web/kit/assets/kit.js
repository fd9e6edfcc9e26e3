// What pages do beyond htmx: hide a toast when its time is over, and send the page's token with each request.
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

document.addEventListener("submit", sendOnce, true);
document.addEventListener("htmx:after:swap", () => startToasts(document.body));
startToasts(document.body);
