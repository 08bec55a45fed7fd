"use strict";
// Draws the matrix: one canvas for all results, so that a hundred thousand of them are there at once.
const data = JSON.parse(document.getElementById("data").textContent);
const OUTCOMES = ["passed", "skipped", "failed", "error", "not run"];
const NOT_RUN = 4, ROW_HEIGHT = 14, WIDEST_CELL = 24;
// How bad an outcome is, by its code: what shows of servers that share a pixel is the worst.
const BADNESS = [0, 1, 3, 4, 2];
const element = (id) => document.getElementById(id);

// The result of each check, for each distinct row: -1 where the row has no such check.
const rows = data.rows.map((numbers) => {
  const row = new Int32Array(data.checks.length).fill(-1);
  for (const number of numbers) row[data.results[number][0]] = number;
  return row;
});
const codeOf = (number) => (number < 0 ? NOT_RUN : data.results[number][1]);
const hosts = data.hosts.map(([name, address, image, row, why]) => {
  const bad = rows[row].reduce((sum, number) => sum + (codeOf(number) === 2 || codeOf(number) === 3), 0);
  return { name, address, image, row: rows[row], why, bad: why ? Infinity : bad, text: `${name} ${address} ${image} ${why}`.toLowerCase() };
});
hosts.sort((one, other) => (one.bad === other.bad ? 0 : other.bad - one.bad));
const isOdd = data.checks.map((_, check) => {
  const first = hosts.find((host) => !host.why);
  return hosts.some((host) => !host.why && (codeOf(host.row[check]) !== codeOf(first.row[check]) || [2, 3].includes(codeOf(host.row[check]))));
});
const messages = data.results.map((result) => result[2].toLowerCase());

const canvas = element("grid");
const shown = { hosts, checks: data.checks.map((_, check) => check), cell: 1 };

function choose() {
  const words = element("filter").value.trim().toLowerCase();
  const onlyOdd = element("odd").checked;
  let checks = data.checks.map((_, check) => check).filter((check) => !onlyOdd || isOdd[check]);
  let chosen = onlyOdd ? hosts.filter((host) => host.bad > 0) : hosts;
  if (words) {
    const named = checks.filter((check) => data.checks[check].toLowerCase().includes(words));
    const byName = chosen.filter((host) => host.text.includes(words));
    const saying = new Set(messages.flatMap((message, number) => (message.includes(words) ? [number] : [])));
    if (byName.length) chosen = byName;
    else if (named.length) checks = named;
    else {
      chosen = chosen.filter((host) => checks.some((check) => saying.has(host.row[check])));
      checks = checks.filter((check) => chosen.some((host) => saying.has(host.row[check])));
    }
  }
  shown.hosts = chosen;
  shown.checks = checks;
  draw();
}

function draw() {
  const style = getComputedStyle(document.documentElement);
  const colours = ["--passed", "--skipped", "--failed", "--error", "--none"].map((name) => style.getPropertyValue(name));
  const space = element("field").clientWidth || 800;
  const across = shown.hosts.length;
  // A column is one server, or as many as must share a pixel: then the worst of them shows.
  const perColumn = Math.max(1, Math.ceil(across / space));
  const columns = Math.ceil(across / perColumn);
  shown.perColumn = perColumn;
  shown.cell = Math.min(WIDEST_CELL, space / Math.max(columns, 1));
  const width = Math.max(1, Math.floor(columns * shown.cell));
  const height = Math.max(1, shown.checks.length * ROW_HEIGHT);
  canvas.width = width;
  canvas.height = height;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const pen = canvas.getContext("2d");
  pen.fillStyle = colours[0];
  pen.fillRect(0, 0, width, height);
  const gap = shown.cell >= 6 ? 1 : 0;
  shown.checks.forEach((check, down) => {
    const top = down * ROW_HEIGHT;
    for (let column = 0; column < columns; column += 1) {
      let worst = -1;
      for (let at = column * perColumn; at < Math.min(across, (column + 1) * perColumn); at += 1) {
        const code = codeOf(shown.hosts[at].row[check]);
        if (worst < 0 || BADNESS[code] > BADNESS[worst]) worst = code;
      }
      if (worst > 0) {
        pen.fillStyle = colours[worst];
        pen.fillRect(Math.floor(column * shown.cell), top, Math.ceil(shown.cell), ROW_HEIGHT);
      }
    }
    pen.clearRect(0, top + ROW_HEIGHT - 1, width, 1);
  });
  if (gap) for (let column = 1; column < columns; column += 1) pen.clearRect(Math.floor(column * shown.cell) - 1, 0, 1, height);
  const labels = document.createDocumentFragment();
  for (const check of shown.checks) {
    const label = document.createElement("div");
    label.textContent = label.title = data.checks[check];
    labels.append(label);
  }
  element("labels").replaceChildren(labels);
  element("shown").textContent = `${across.toLocaleString("en")} of ${hosts.length.toLocaleString("en")} servers, ` +
    `${shown.checks.length.toLocaleString("en")} of ${data.checks.length.toLocaleString("en")} checks`;
}

function pointAt(event) {
  const area = canvas.getBoundingClientRect();
  const down = Math.floor((event.clientY - area.top) / ROW_HEIGHT);
  const column = Math.floor((event.clientX - area.left) / shown.cell);
  const some = shown.hosts.slice(column * shown.perColumn, (column + 1) * shown.perColumn);
  const check = shown.checks[down];
  if (!some.length || check === undefined) return;
  const worst = some.reduce((one, other) => (BADNESS[codeOf(other.row[check])] > BADNESS[codeOf(one.row[check])] ? other : one));
  const number = worst.row[check];
  const more = some.length > 1 ? ` and ${some.length - 1} beside it` : "";
  const said = number < 0 ? worst.why : data.results[number][2];
  element("readout").textContent = `${data.checks[check]}: ${OUTCOMES[codeOf(number)]} on ${worst.name} (${worst.address})${more}` + (said ? `\n${said}` : "");
}

function listCosts() {
  const costs = new Map();
  for (const [check, , , milliseconds] of data.results) {
    const [runs, total] = costs.get(check) ?? [0, 0];
    costs.set(check, [runs + 1, total + milliseconds]);
  }
  const dearest = [...costs].sort(([, one], [, other]) => other[1] - one[1]).slice(0, 20);
  const body = document.querySelector("#costs tbody");
  for (const [check, [runs, total]] of dearest) {
    const row = body.insertRow();
    for (const text of [data.checks[check], runs, (total / runs).toFixed(1)]) row.insertCell().textContent = text;
  }
}

element("filter").addEventListener("input", choose);
element("odd").addEventListener("change", choose);
canvas.addEventListener("pointermove", pointAt);
canvas.addEventListener("click", pointAt);
addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
choose();
listCosts();
