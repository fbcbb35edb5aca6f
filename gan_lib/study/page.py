"""The page that voters see: one file, no request to another host."""

from __future__ import annotations

import html

_TITLE, _STUDY, _SLOTS = "{{title}}", "{{study}}", "{{slots}}"


def page(title: str, study: str, slots: int) -> str:
    """The HTML of a study.

    Args:
        title: shown above; any text.
        study: its fingerprint, under which a browser remembers the voter's number.
        slots: candidates of a question.
    """
    text = _HTML.replace(_TITLE, html.escape(title)).replace(_STUDY, study)
    return text.replace(_SLOTS, str(slots))


_HTML = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{{title}}</title>
<style>
* { box-sizing: border-box; margin: 0; }
html { height: 100%; font: 16px/1.3 system-ui, sans-serif; color: #222; }
body { height: 100vh; height: 100dvh; display: flex; flex-direction: column;
  gap: .5rem; padding: .5rem .75rem; background: #fff; }
header, footer { display: flex; gap: .75rem; align-items: center; flex-wrap: wrap; }
h1 { font-size: 1rem; }
progress { flex: 1; min-width: 6rem; height: .6rem; accent-color: #0072B2; }
#question { font-size: 1.15rem; font-weight: 600; text-align: center; }
main { flex: 1; min-height: 0; display: grid; gap: .75rem;
  grid-template: minmax(0, 3fr) minmax(0, 7fr) / 1fr; }
figure { min-height: 0; display: flex; flex-direction: column; align-items: center; }
figcaption { font-size: .85rem; color: #555; }
#choices { min-height: 0; display: grid; gap: .5rem; grid-auto-rows: minmax(0, 1fr);
  grid-template-columns: repeat(2, minmax(0, 1fr)); }
button { font: inherit; color: inherit; background: #f3f3f3; border: 3px solid #ddd;
  border-radius: .5rem; padding: .25rem .75rem; cursor: pointer; }
button:disabled { cursor: default; opacity: .6; }
#choices button { min-height: 0; padding: .25rem; position: relative; }
#choices button:hover:enabled { border-color: #56B4E9; }
#choices button[aria-pressed=true] { border-color: #0072B2; background: #dceffa;
  opacity: 1; }
#choices span { position: absolute; left: .4rem; top: .4rem; background: #222;
  color: #fff; border-radius: 50%; width: 1.6rem; line-height: 1.6rem; }
img { flex: 1; min-height: 0; width: 100%; height: 100%; object-fit: contain;
  -webkit-user-drag: none; }
#status { flex: 1; min-height: 1.3em; }
#status.bad { color: #a33a00; font-weight: 600; }
#privacy { font-size: .8rem; color: #555; width: 100%; }
#end { margin: auto; text-align: center; display: grid; gap: 1rem; }
[hidden] { display: none !important; }
@media (min-aspect-ratio: 1/1) {
  main { grid-template: minmax(0, 1fr) / minmax(0, 1fr) minmax(0, 2fr); }
  #choices[data-slots="3"], #choices[data-slots="5"], #choices[data-slots="6"] {
    grid-template-columns: repeat(3, minmax(0, 1fr)); }
}
@media (min-aspect-ratio: 1/1) and (max-height: 500px) {  /* a phone on its side */
  main { grid-template-columns: minmax(0, 1fr) minmax(0, 3fr); }
  main #choices { grid-template-columns: repeat({{slots}}, minmax(0, 1fr)); }
  #choices[data-slots="5"], #choices[data-slots="6"] {
    grid-template-columns: repeat(3, minmax(0, 1fr)) !important; }
}
</style>
<body data-study="{{study}}" data-slots="{{slots}}">
<header><h1>{{title}}</h1><progress id="bar" value="0" max="1"></progress>
<span id="place"></span></header>
<p id="question"></p>
<main id="asking" hidden>
  <figure><figcaption>The original</figcaption>
    <img id="source" alt="The original picture"></figure>
  <div id="choices" data-slots="{{slots}}"></div>
</main>
<section id="end" hidden><h2>Thank you. All your answers are saved.</h2>
  <button id="next-voter">Someone else votes on this device</button></section>
<footer><button id="back" disabled>Back</button>
<span id="status" role="status">Loading...</span>
<p id="privacy">Click a picture or press its number. Your answers are kept under a
random number; no name, no address of your device and no time is stored.</p></footer>
<noscript>This page needs JavaScript.</noscript>
<script>
"use strict";
const study = document.body.dataset.study, slots = Number(document.body.dataset.slots);
const $ = (id) => document.getElementById(id);
const memory = "voter-" + study, HELD_MS = 350, RETRY_MS = 1500, PATIENCE_MS = 10000;
let voter, items = [], place = 0, ready = false, turn = 0;

function newNumber() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}
function remembered() {  // a browser may forbid storage: then for this visit only
  try { return localStorage.getItem(memory); } catch { return null; }
}
function remember(number) {
  voter = number;
  try { localStorage.setItem(memory, number); } catch { }
}
function say(words, bad = false) {
  $("status").textContent = words;
  $("status").classList.toggle("bad", bad);
}
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function ask(path, body) {  // until it is answered
  for (;;) {
    try {
      const stop = new AbortController();
      const timer = setTimeout(() => stop.abort(), PATIENCE_MS);
      const options = { signal: stop.signal, cache: "no-store" };
      if (body) Object.assign(options, { method: "POST", body: JSON.stringify(body),
        headers: { "Content-Type": "application/json" } });
      const reply = await fetch(path, options).finally(() => clearTimeout(timer));
      if (reply.status === 409) {
        say("This study was changed. Reload the page.", true);
        return new Promise(() => { });
      }
      if (reply.ok) return await reply.json();
    } catch { }
    say((body ? "Not saved yet." : "No connection.") + " Trying again...", true);
    await pause(RETRY_MS);
  }
}
const address = (at, slot) => `picture/${study}/${voter}/${at}/${slot}.png`;

function load(image, at, slot) {
  return new Promise((done) => {
    let tries = 0;
    image.onload = () => done();
    image.onerror = async () => {
      say("A picture is missing. Trying again...", true);
      await pause(RETRY_MS);
      image.src = address(at, slot) + "?" + ++tries;
    };
    image.src = address(at, slot);
  });
}
const count = () => items.filter((item) => item.answered).length;
function firstOpen(from) {  // or the number of items
  let at = from;
  while (at < items.length && items[at].answered) at++;
  return at;
}

async function show(at) {
  const mine = ++turn;
  place = at;
  ready = false;
  const done = at >= items.length;
  $("bar").max = items.length;
  $("bar").value = count();
  $("place").textContent = done ? `${items.length} of ${items.length}`
    : `Question ${at + 1} of ${items.length}`;
  $("asking").hidden = done;
  $("end").hidden = !done;
  $("question").textContent = done ? "" : items[at].words;
  $("back").disabled = at === 0;
  if (done) return;
  const buttons = [...$("choices").children];
  for (const button of buttons) {
    button.disabled = true;
    button.setAttribute("aria-pressed", "false");
  }
  await Promise.all([load($("source"), at, "source"),
    pause(HELD_MS),  // the second click of a double click is no vote
    ...buttons.map((button, slot) => load(button.firstChild, at, slot))]);
  if (mine !== turn) return;
  if ($("status").classList.contains("bad")) say("");
  for (const button of buttons) button.disabled = false;
  ready = true;
  if (at + 1 < items.length)  // fetched ahead
    for (const slot of ["source", ...buttons.keys()])
      new Image().src = address(at + 1, slot);
}
async function choose(slot) {
  if (!ready || slot >= slots) return;
  ready = false;
  const at = place, mine = ++turn;
  $("back").disabled = true;
  [...$("choices").children].forEach((button, number) => {
    button.disabled = true;
    button.setAttribute("aria-pressed", String(number === slot));
  });
  say("Saving...");
  await ask("vote", { study, voter, place: at, slot });
  items[at].answered = true;
  say(`Saved: ${count()} of ${items.length}.`);
  if (mine !== turn) return;
  show(firstOpen(at + 1) < items.length ? firstOpen(at + 1) : firstOpen(0));
}
async function start() {
  const state = await ask(`state?study=${study}&voter=${voter}`);
  items = state.items;
  say(count() ? `Welcome back: ${count()} of ${items.length} are saved.` : "");
  show(firstOpen(0));
}
for (let slot = 0; slot < slots; slot++) {
  const button = document.createElement("button");
  button.append(new Image(), Object.assign(document.createElement("span"),
    { textContent: slot + 1 }));
  button.firstChild.alt = `Candidate ${slot + 1}`;
  button.onclick = () => choose(slot);
  $("choices").append(button);
}
$("back").onclick = () => show(place - 1);
$("next-voter").onclick = () => { remember(newNumber()); start(); };
addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  if (/^[1-9]$/.test(event.key)) choose(Number(event.key) - 1);
  if (event.key === "Backspace" && !$("back").disabled) $("back").click();
});
remember(/^[0-9a-f]{16}$/.test(remembered() || "") ? remembered() : newNumber());
start();
</script>
</body>
</html>
"""
