"use strict";
// The table of trades: sorted, filtered and shown page by page, so that thousands of them cost nothing.

function makeTable(section, trades, texts, onPick) {
  const narrow = matchMedia("(max-width: 560px)").matches, SIZE = narrow ? 20 : 50;
  const table = section.querySelector("table"), head = table.tHead, body = table.tBodies[0];
  const pager = section.querySelector(".pager"), count = trades.net.length;
  const price = (name) => (i) => (trades[name][i] === null ? "–" : trades[name][i].toFixed(trades.digits[trades.symbol[i]]));
  const time = (name) => (i) => (trades[name][i] === null ? "–" : moment(trades[name][i]));
  const amount = (name) => (i) => money(trades[name][i]);
  const columns = [
    ["position", (i) => String(trades.position[i])], ["symbol", (i) => trades.symbols[trades.symbol[i]], "words"],
    ["side", (i) => texts[trades.side[i] > 0 ? "buy" : "sell"], "words"], ["volume", (i) => String(trades.volume[i])],
    ["opened", time("opened")], ["price_open", price("price_open")], ["closed", time("closed")],
    ["price_close", price("price_close")], ["profit", amount("profit")], ["costs", amount("costs")], ["swap", amount("swap")],
    ["net", amount("net")], ["reason", (i) => trades.reasons[trades.reason[i]], "words"],
  ];
  if (narrow) { // what matters most comes first, the rest is to the right
    const order = ["closed", "side", "volume", "net", "reason", "opened", "price_open", "price_close"];
    const place = ([name]) => (order.includes(name) ? order.indexOf(name) : order.length);
    columns.sort((a, b) => place(a) - place(b));
  }
  let sorted = "closed", down = false, wanted = "all", page = 0, rows = [];

  function select() {
    const keep = { all: () => true, wins: (i) => trades.net[i] > 0, losses: (i) => trades.net[i] < 0 }[wanted];
    rows = [...Array(count).keys()].filter(keep);
    const values = trades[sorted], sign = down ? -1 : 1;
    rows.sort((a, b) => sign * (values[a] - values[b]) || a - b);
    page = 0;
    show();
  }
  function show() {
    body.replaceChildren(...rows.slice(page * SIZE, (page + 1) * SIZE).map(line));
    if (!rows.length) {
      const cell = body.insertRow().insertCell();
      cell.colSpan = columns.length;
      cell.className = "empty";
      cell.textContent = texts.no_trades;
    }
    for (const cell of head.rows[0].cells)
      cell.setAttribute("aria-sort", cell.dataset.name !== sorted ? "none" : down ? "descending" : "ascending");
    const words = { first: Math.min(rows.length, page * SIZE + 1), last: Math.min(rows.length, (page + 1) * SIZE), count: rows.length };
    label.textContent = texts.page_of.replace(/\{(\w+)\}/g, (_, name) => words[name].toLocaleString("en-US"));
    back.disabled = page === 0;
    forth.disabled = (page + 1) * SIZE >= rows.length;
  }
  function line(i) {
    const row = document.createElement("tr");
    for (const [name, value, kind] of columns) {
      const cell = row.insertCell();
      cell.textContent = value(i);
      if (kind) cell.className = kind;
      if (name === "side") cell.classList.add(trades.side[i] > 0 ? "buy" : "sell");
      if (name === "net" || name === "profit") cell.className = trades[name][i] > 0 ? "gain" : trades[name][i] < 0 ? "loss" : "";
    }
    if (onPick) {
      row.tabIndex = 0;
      row.addEventListener("click", () => onPick(i));
      row.addEventListener("keydown", (event) => { if (event.key === "Enter") onPick(i); });
    }
    return row;
  }
  function step(name, sign, by) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = sign;
    button.setAttribute("aria-label", texts[name]);
    button.addEventListener("click", () => { page += by; show(); });
    return button;
  }

  const back = step("previous", "‹", -1), forth = step("next", "›", 1), label = document.createElement("span");
  pager.append(label, back, forth);
  table.classList.toggle("clickable", Boolean(onPick));
  const titles = head.insertRow();
  for (const [name, , kind] of columns) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.dataset.name = name;
    cell.tabIndex = 0;
    cell.textContent = texts["col_" + name];
    if (kind) cell.className = kind;
    const sort = () => { down = sorted === name ? !down : false; sorted = name; select(); };
    cell.addEventListener("click", sort);
    cell.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
    titles.append(cell);
  }
  for (const button of section.querySelectorAll("[data-show]"))
    button.addEventListener("click", () => {
      wanted = button.dataset.show;
      for (const other of section.querySelectorAll("[data-show]")) other.setAttribute("aria-pressed", String(other === button));
      select();
    });
  select();
}

function money(value) {
  return value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 }).replace("-", "−");
}
function moment(seconds) {
  return new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
}
