"use strict";
// A chart of panes that share one horizontal axis: candles or lines, drawn on a canvas, to be moved and zoomed.
// Positions on the axis are the numbers in spec.x, which ascend. spec.time(i) is in seconds since 1970.

function makeChart(host, tools, spec) {
  const AXIS = 22, GAP = 10, LEAST = spec.indexed ? 12 : (spec.x.at(-1) - spec.x[0]) / 500 || 1;
  const base = document.createElement("canvas"), over = document.createElement("canvas"), tip = document.createElement("div");
  const count = spec.x.length, pad = spec.indexed ? 0.5 : 0;
  const whole = [spec.x[0] - pad, Math.max(spec.x[count - 1] + 4 * pad, spec.x[0] + 1)];
  const pointers = new Map();
  let view = whole.slice(), width = 0, height = 0, scale = 80, colours = {}, waiting = false, moved = null;

  tip.className = "tip";
  tip.hidden = true;
  host.append(base, over, tip);
  host.tabIndex = 0;
  host.setAttribute("role", "img");
  host.setAttribute("aria-label", spec.label);

  const px = (x) => ((x - view[0]) / (view[1] - view[0])) * (width - scale);
  const unpx = (p) => view[0] + (p / (width - scale)) * (view[1] - view[0]);

  function firstAtLeast(x) {
    let low = 0, high = count;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (spec.x[middle] < x) low = middle + 1; else high = middle;
    }
    return low;
  }
  function nearest(x) {
    const at = Math.min(count - 1, firstAtLeast(x));
    return at > 0 && x - spec.x[at - 1] < spec.x[at] - x ? at - 1 : at;
  }

  // ---- drawing

  function resize() {
    const ratio = window.devicePixelRatio || 1, box = host.getBoundingClientRect();
    width = box.width;
    height = box.height;
    scale = width < 560 ? 62 : 82;
    for (const canvas of [base, over]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.getContext("2d").setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    later();
  }
  function theme() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["text", "muted", "rule", "panel", "gain", "loss", "equity", "balance", "up", "down", "accent"])
      colours[name] = style.getPropertyValue("--" + name).trim();
    later();
  }
  function later() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  }

  function draw() {
    if (!width) return;
    const g = base.getContext("2d");
    g.clearRect(0, 0, width, height);
    over.getContext("2d").clearRect(0, 0, width, height);
    g.font = "11px system-ui, sans-serif";
    const from = Math.max(0, firstAtLeast(view[0]) - 1), to = Math.min(count - 1, firstAtLeast(view[1]));
    const weights = spec.panes.reduce((sum, pane) => sum + pane.weight, 0);
    const room = height - AXIS - GAP * (spec.panes.length - 1);
    let top = 0;
    for (const pane of spec.panes) {
      const tall = (room * pane.weight) / weights;
      drawPane(g, pane, top, tall, from, to);
      top += tall + GAP;
    }
    drawTimes(g, from, to);
  }

  function limits(pane, from, to) {
    let low = Infinity, high = -Infinity;
    for (const series of pane.series)
      for (let i = from; i <= to; i++) {
        const least = series.low ? series.low[i] : series.y[i], most = series.high ? series.high[i] : series.y[i];
        if (least < low) low = least;
        if (most > high) high = most;
      }
    if (pane.zero) { low = Math.min(low, 0); high = Math.max(high, 0); }
    if (pane.zero && high - low < 1e-12) return [-1, 0];
    if (high - low < 1e-12) { const room = Math.abs(high) * 0.001 || 1; low -= room; high += room; }
    const room = (high - low) * 0.07;
    return [pane.zero && low === 0 ? 0 : low - room, pane.zero && high === 0 ? 0 : high + room];
  }

  function drawPane(g, pane, top, tall, from, to) {
    const [low, high] = limits(pane, from, to), legend = pane.series.some((one) => one.name) ? 18 : 0;
    const start = top + (pane.zero ? 0 : legend), room = tall - legend; // no line runs through the names of the lines
    const y = (value) => start + ((high - value) / (high - low)) * room;
    pane.from = top;
    pane.to = top + tall;
    pane.unpx = (p) => high - ((p - start) / room) * (high - low);
    g.strokeStyle = colours.rule;
    g.lineWidth = 1;
    g.textBaseline = "middle";
    g.textAlign = "left";
    for (const value of ticks(low, high, Math.max(4, Math.floor(tall / 46)))) {
      const at = Math.round(y(value)) + 0.5;
      g.beginPath();
      g.moveTo(0, at);
      g.lineTo(width - scale, at);
      g.stroke();
      g.fillStyle = colours.muted;
      if (at > top + 5 && at < top + tall - 4) g.fillText(pane.format(value), width - scale + 7, at);
    }
    g.save();
    g.beginPath();
    g.rect(0, top, width - scale, tall);
    g.clip();
    for (const series of pane.series) (series.open ? drawCandles : drawLine)(g, series, y, from, to);
    if (pane.marks) drawMarks(g, pane.marks, y);
    g.restore();
    drawLegend(g, pane, pane.zero ? top + tall - 20 : top - 2);
  }

  function drawLegend(g, pane, top) {
    let at = 8;
    for (const series of pane.series.filter((one) => one.name)) {
      const wide = g.measureText(series.name).width;
      g.fillStyle = colours[series.colour];
      g.fillRect(at, top + 10, 10, 3);
      g.fillStyle = colours.text;
      g.textAlign = "left";
      g.fillText(series.name, at + 14, top + 12);
      at += wide + 30;
    }
  }

  // Many points in one pixel become a line from the lowest to the highest of them.
  function drawLine(g, series, y, from, to) {
    const path = new Path2D();
    g.fillStyle = colours[series.colour];
    let column = null, low = 0, high = 0, last = 0;
    const flush = () => { if (low !== high) { path.lineTo(column, low); path.lineTo(column, high); path.lineTo(column, last); } };
    for (let i = from; i <= to; i++) {
      const across = Math.round(px(spec.x[i]) * 2) / 2, down = y(series.y[i]);
      if (across === column) {
        low = Math.max(low, down);
        high = Math.min(high, down);
      } else {
        if (column === null) path.moveTo(across, down); else { flush(); if (series.step) path.lineTo(across, last); path.lineTo(across, down); }
        column = across;
        low = high = down;
      }
      last = down;
    }
    if (column !== null) flush();
    if (from === to) g.fillRect(px(spec.x[from]) - 2, y(series.y[from]) - 2, 4, 4);
    g.strokeStyle = colours[series.colour];
    g.lineWidth = series.thin ? 1.2 : 1.7;
    g.lineJoin = "round";
    g.stroke(path);
    if (!series.fill) return;
    path.lineTo(px(spec.x[to]), y(0));
    path.lineTo(px(spec.x[from]), y(0));
    g.globalAlpha = 0.18;
    g.fillStyle = colours[series.colour];
    g.fill(path);
    g.globalAlpha = 1;
  }

  function drawCandles(g, series, y, from, to) {
    const wide = (width - scale) / (view[1] - view[0]);
    if (wide < 3) return drawColumns(g, series, y, from, to);
    const body = Math.max(1, Math.floor(wide * 0.7));
    for (let i = from; i <= to; i++) {
      const middle = Math.round(px(spec.x[i])), rising = series.close[i] >= series.open[i];
      const upper = y(Math.max(series.open[i], series.close[i])), lower = y(Math.min(series.open[i], series.close[i]));
      g.fillStyle = rising ? colours.up : colours.down;
      g.fillRect(middle, y(series.high[i]), 1, y(series.low[i]) - y(series.high[i]));
      g.fillRect(middle - (body >> 1), upper, body, Math.max(1, lower - upper));
    }
  }
  function drawColumns(g, series, y, from, to) {
    let i = from;
    while (i <= to) {
      const column = Math.floor(px(spec.x[i])), first = series.open[i];
      let low = series.low[i], high = series.high[i], last = series.close[i];
      for (i++; i <= to && Math.floor(px(spec.x[i])) === column; i++) {
        low = Math.min(low, series.low[i]);
        high = Math.max(high, series.high[i]);
        last = series.close[i];
      }
      g.fillStyle = last >= first ? colours.up : colours.down;
      g.fillRect(column, y(high), 1, Math.max(1, y(low) - y(high)));
    }
  }

  // An entry is a triangle in the direction of the trade, an exit a ring in the colour of its result.
  function drawMarks(g, marks, y) {
    const shown = [];
    for (let i = 0; i < marks.closed.length; i++) {
      const start = marks.opened[i] < 0 ? marks.closed[i] : marks.opened[i];
      if (marks.closed[i] >= view[0] - 1 && marks.closed[i] >= 0 && start <= view[1] + 1) shown.push(i);
    }
    if (shown.length > (width - scale) * 2) return; // from that far they would only hide the prices
    const crowded = shown.length > (width - scale) / 4;
    for (const i of shown) {
      const colour = marks.net[i] < 0 ? colours.loss : colours.gain;
      const x2 = px(marks.closed[i]), y2 = y(marks.priceClose[i]);
      if (marks.opened[i] >= 0) {
        const x1 = px(marks.opened[i]), y1 = y(marks.priceOpen[i]);
        g.globalAlpha = crowded ? 0.35 : 0.9;
        g.strokeStyle = colour;
        g.lineWidth = 1.2;
        g.setLineDash(crowded ? [] : [4, 3]);
        g.beginPath();
        g.moveTo(x1, y1);
        g.lineTo(x2, y2);
        g.stroke();
        g.setLineDash([]);
        g.globalAlpha = 1;
        g.fillStyle = colours.accent;
        if (crowded) g.fillRect(x1 - 1, y1 - 1, 2, 2); else triangle(g, x1, y1, marks.side[i]);
      }
      g.fillStyle = g.strokeStyle = colour;
      if (crowded) { g.fillRect(x2 - 1, y2 - 1, 2, 2); continue; }
      g.lineWidth = 2;
      g.beginPath();
      g.arc(x2, y2, 4, 0, 7);
      g.stroke();
    }
  }
  function triangle(g, x, y, side) {
    g.beginPath();
    g.moveTo(x, y + side * 2);
    g.lineTo(x - 5, y + side * 11);
    g.lineTo(x + 5, y + side * 11);
    g.closePath();
    g.fill();
    g.strokeStyle = colours.panel;
    g.lineWidth = 1;
    g.stroke();
  }

  function drawTimes(g, from, to) {
    const first = spec.time(from), last = spec.time(to), wide = 78;
    const period = PERIODS.find(([seconds]) => ((last - first) / seconds) * wide < width - scale) || PERIODS.at(-1);
    g.fillStyle = colours.muted;
    g.textBaseline = "alphabetic";
    g.textAlign = "center";
    let free = 24;
    for (let t = startOf(first, period); t <= last; t = startOf(t + period[0] * 1.5, period)) {
      const across = px(spec.x[firstAt(t)]);
      if (across < free || across > width - scale - 24) continue;
      g.fillText(timeLabel(t, period), across, height - 5);
      free = across + wide * 0.85;
    }
  }
  function firstAt(seconds) {
    let low = 0, high = count - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (spec.time(middle) < seconds) low = middle + 1; else high = middle;
    }
    return low;
  }

  // ---- reading a value

  function show(p, q) {
    const g = over.getContext("2d");
    g.clearRect(0, 0, width, height);
    if (p < 0 || p > width - scale || q > height - AXIS) { tip.hidden = true; return; }
    const i = nearest(unpx(p)), at = Math.round(px(spec.x[i])) + 0.5;
    g.strokeStyle = colours.muted;
    g.setLineDash([3, 3]);
    g.beginPath();
    g.moveTo(at, 0);
    g.lineTo(at, height - AXIS);
    const pane = spec.panes.find((one) => q >= one.from && q <= one.to);
    if (pane) { g.moveTo(0, Math.round(q) + 0.5); g.lineTo(width - scale, Math.round(q) + 0.5); }
    g.stroke();
    g.setLineDash([]);
    if (pane) tag(g, pane.format(pane.unpx(q)), q);
    tip.textContent = spec.describe(i);
    tip.hidden = false;
    const left = at < (width - scale) / 2 ? at + 14 : at - 14 - tip.offsetWidth;
    tip.style.transform = `translate(${Math.max(0, Math.min(left, width - tip.offsetWidth))}px, 26px)`;
  }
  function tag(g, label, q) {
    g.fillStyle = colours.muted;
    g.fillRect(width - scale + 2, q - 9, scale - 2, 18);
    g.fillStyle = colours.panel;
    g.font = "11px system-ui, sans-serif";
    g.textBaseline = "middle";
    g.fillText(label, width - scale + 7, q + 0.5);
  }

  // ---- moving and zooming

  function look(from, to) {
    const span = Math.min(whole[1] - whole[0], Math.max(LEAST, to - from)), middle = (from + to) / 2;
    let start = to - from < LEAST ? middle - span / 2 : from;
    start = Math.max(whole[0], Math.min(start, whole[1] - span));
    view = [start, start + span];
    tip.hidden = true;
    later();
  }
  function zoom(factor, p = (width - scale) / 2) {
    const x = unpx(p);
    look(x - (x - view[0]) * factor, x + (view[1] - x) * factor);
  }
  function place(event) {
    const box = host.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }
  host.addEventListener("pointerdown", (event) => {
    if (event.pointerType !== "touch") host.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, place(event)[0]);
    moved = { view: view.slice(), places: [...pointers.values()] };
  });
  host.addEventListener("pointermove", (event) => {
    const [p, q] = place(event);
    if (!pointers.has(event.pointerId)) return show(p, q);
    pointers.set(event.pointerId, p);
    const now = [...pointers.values()], was = moved.places, unit = (moved.view[1] - moved.view[0]) / (width - scale);
    if (now.length === 2 && was.length === 2) {
      const factor = Math.min(20, Math.abs(was[1] - was[0]) / Math.max(8, Math.abs(now[1] - now[0])));
      const held = moved.view[0] + ((was[0] + was[1]) / 2) * unit, centre = (now[0] + now[1]) / 2;
      look(held - centre * unit * factor, held + (width - scale - centre) * unit * factor);
    } else if (Math.abs(now[0] - was[0]) > 3) {
      const shift = (now[0] - was[0]) * unit;
      look(moved.view[0] - shift, moved.view[1] - shift);
    } else show(p, q);
  });
  const release = (event) => {
    pointers.delete(event.pointerId);
    moved = { view: view.slice(), places: [...pointers.values()] };
  };
  for (const name of ["pointerup", "pointercancel"]) host.addEventListener(name, release);
  host.addEventListener("pointerleave", (event) => {
    if (event.pointerType === "touch") release(event);
    tip.hidden = true;
    over.getContext("2d").clearRect(0, 0, width, height);
  });
  host.addEventListener("wheel", (event) => {
    if (!spec.indexed && !event.ctrlKey) return;
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const shift = (event.deltaX / width) * (view[1] - view[0]);
      look(view[0] + shift, view[1] + shift);
    } else zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, place(event)[0]);
  }, { passive: false });
  host.addEventListener("keydown", (event) => {
    const shift = (view[1] - view[0]) / 6;
    const acts = {
      ArrowLeft: () => look(view[0] - shift, view[1] - shift), ArrowRight: () => look(view[0] + shift, view[1] + shift),
      "+": () => zoom(0.6), "-": () => zoom(1.7), Home: () => look(...whole),
    };
    if (!acts[event.key]) return;
    event.preventDefault();
    acts[event.key]();
  });
  for (const button of tools.querySelectorAll("button"))
    button.addEventListener("click", () => ({ in: () => zoom(0.5), out: () => zoom(2), all: () => look(...whole) })[button.dataset.zoom]());

  new ResizeObserver(resize).observe(host);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme);
  theme();
  return { look };
}

function ticks(low, high, wanted) {
  const rough = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= rough), found = [];
  for (let n = Math.ceil(low / step); n * step <= high; n++) found.push(n * step);
  return found;
}

// Seconds, and how many months that is.
const DAY = 86400, MONTH = 30 * DAY;
const PERIODS = [
  ...[300, 900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, DAY, 2 * DAY, 5 * DAY, 10 * DAY].map((seconds) => [seconds, 0]),
  ...[1, 2, 3, 6, 12, 24, 60, 120].map((months) => [months * MONTH, months]),
];

// The last beginning of a period up to a time.
function startOf(seconds, [length, months]) {
  if (!months) return Math.floor(seconds / length) * length;
  const date = new Date(seconds * 1000), all = date.getUTCFullYear() * 12 + date.getUTCMonth();
  const month = Math.floor(all / months) * months;
  return Date.UTC(Math.floor(month / 12), month % 12, 1) / 1000;
}

function timeLabel(seconds, [length, months]) {
  const iso = new Date(seconds * 1000).toISOString();
  if (months >= 12) return iso.slice(0, 4);
  if (months) return iso.slice(0, 7);
  return length >= DAY || seconds % DAY === 0 ? iso.slice(5, 10) : iso.slice(11, 16);
}
