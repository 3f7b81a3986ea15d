// Comfort only: without this file the form works as a plain post. Nothing is stored, and nothing is sent before "Predict".
"use strict";

const WAIT_MS = 60000;

function showTotal(details) {
  const total = document.getElementById(details.dataset.items);
  const sets = [...details.querySelectorAll("fieldset")];
  const scores = sets.map((set) => set.querySelector("input:checked")?.value ?? "").filter((score) => score !== "");
  const status = details.querySelector("[data-sum]");
  if (scores.length === 0) {
    status.textContent = "";
  } else if (scores.length < sets.length) {
    status.textContent = `${scores.length} of ${sets.length} items are scored.`;
    if (total.dataset.summed) total.value = "";
  } else {
    total.value = String(scores.reduce((sum, score) => sum + Number(score), 0));
    total.dataset.summed = "yes";
    status.textContent = `Total: ${total.value}`;
    checkRange(total);
  }
}

function checkRange(input) {
  const id = `${input.id}-wrong`;
  const text = input.value.trim();
  const { low, high } = input.dataset;
  const number = /^[+-]?\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  const good = text === "" || (number >= Number(low ?? -Infinity) && number <= Number(high ?? Infinity));
  document.getElementById(id)?.remove();
  input.closest(".field").classList.toggle("bad", !good);
  input.setAttribute("aria-describedby", `${input.id}-hint${good ? "" : ` ${id}`}`);
  if (good) {
    input.removeAttribute("aria-invalid");
    return;
  }
  input.setAttribute("aria-invalid", "true");
  const wrong = document.createElement("p");
  wrong.className = "wrong";
  wrong.id = id;
  const range = low === undefined ? "" : ` from ${Number(low)} to ${Number(high)}`;
  wrong.textContent = `Error: must be a number${range}, with a decimal point.`;
  input.closest(".entry").after(wrong);
}

function tell(form, text, busy) {
  const status = form.querySelector("[data-progress]");
  status.textContent = text;
  if (busy) {
    const bar = document.createElement("progress");
    bar.setAttribute("aria-label", "Working");
    status.append(bar);
  }
  const button = form.querySelector("button[type=submit]");
  button.setAttribute("aria-disabled", String(busy));
}

function fail(form, text) {
  tell(form, "", false);
  document.querySelector("[data-failure]")?.remove();
  const box = document.createElement("section");
  box.className = "alert";
  box.dataset.failure = "";
  box.setAttribute("role", "alert");
  box.setAttribute("aria-label", "No answer");
  const lead = document.createElement("strong");
  lead.textContent = "Nothing was predicted: ";
  const line = document.createElement("p");
  line.append(lead, `${text} What was entered is still in the form.`);
  box.append(line);
  form.querySelector(".actions").before(box);
  box.scrollIntoView({ block: "center" });
}

async function reasonOf(response) {
  try {
    const problem = await response.json();
    return `${problem.detail}.`;
  } catch {
    return `the service answered with status ${response.status}.`;
  }
}

// Somebody who signed in again in another window has another token: the form takes it over, and nothing typed is lost.
async function takeNewToken(form) {
  const response = await fetch("/", { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(WAIT_MS) });
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const token = page.querySelector("[data-predict] input[type=hidden]");
  const old = form.querySelector("input[type=hidden]");
  if (token !== null && old !== null) old.value = token.value;
}

async function predict(form) {
  tell(form, "Predicting and comparing plans …", true);
  let response;
  let text;
  try {
    if (form.dataset.stale) await takeNewToken(form);
    response = await fetch(form.action, {
      method: "POST",
      headers: { Accept: "text/html, application/problem+json" }, // a refusal must not replace what was typed
      body: new URLSearchParams(new FormData(form)),
      signal: AbortSignal.timeout(WAIT_MS),
    });
    if (response.redirected || response.status === 401 || response.status === 403) {
      form.dataset.stale = "yes";
      fail(form, "the session has ended. Sign in again in another window, then press Predict here.");
      return;
    }
    if (!(response.headers.get("content-type") ?? "").startsWith("text/html")) {
      fail(form, await reasonOf(response));
      return;
    }
    text = await response.text();
  } catch {
    fail(form, "the service cannot be reached. Try again in a moment.");
    return;
  }
  const page = new DOMParser().parseFromString(text, "text/html");
  document.title = page.title;
  document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
  document.querySelector("footer").replaceWith(document.adoptNode(page.querySelector("footer")));
  window.scrollTo(0, 0);
  document.querySelector("[data-focus]")?.focus();
}

document.addEventListener("submit", (event) => {
  const form = event.target.closest("[data-predict]");
  if (form === null) return;
  event.preventDefault();
  if (form.querySelector("button[type=submit]").getAttribute("aria-disabled") !== "true") predict(form);
});

document.addEventListener("change", (event) => {
  const details = event.target.closest("[data-items]");
  if (details !== null) showTotal(details);
  else if (event.target.matches("input[inputmode=decimal]")) {
    delete event.target.dataset.summed;
    checkRange(event.target);
  }
});

// A link to a question that is folded away opens it first.
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  const target = link && document.getElementById(decodeURIComponent(link.hash.slice(1)));
  for (let box = target?.closest("details"); box; box = box.parentElement.closest("details")) box.open = true;
  target?.focus();
});

document.querySelector("[data-focus].error-summary")?.focus();
