"use strict";
// Starts what is on this page, with the data that is in it.

(() => {
  const data = JSON.parse(document.getElementById("data").textContent), texts = data.texts, trades = data.trades;
  const sums = (steps, unit = 1) => { let sum = 0; return Float64Array.from(steps, (step) => (sum += step) / unit); };
  const scaled = (values, unit) => Float64Array.from(values, (value) => value / unit);
  const tools = (name) => document.getElementById(name + "-tools");
  const place = (name) => document.getElementById(name);
  const short = (value) => (Math.abs(value) >= 1e6 ? (value / 1e6).toFixed(2) + "M" : Math.round(value).toLocaleString("en-US")).replace("-", "−");
  const amount = (value) => money(value) + " " + data.currency;

  function worth(from, fill) {
    return { weight: fill ? 3 : 1, format: short, series: [
      { name: texts.balance, colour: "balance", y: sums(from.balance, 100), thin: true, step: true },
      { name: texts.equity, colour: "equity", y: sums(from.equity, 100) },
    ] };
  }
  function curve() {
    const time = sums(data.curve.time), upper = worth(data.curve, true);
    const lower = { weight: 1, zero: true, format: (value) => value.toFixed(1).replace("-", "−") + " %", series: [
      { name: texts.drawdown_pane, colour: "loss", fill: true, thin: true, y: Float64Array.from(data.curve.drawdown, (value) => -value) },
    ] };
    const describe = (i) => [moment(time[i]), `${texts.equity} ${amount(upper.series[1].y[i])}`, `${texts.balance} ${amount(upper.series[0].y[i])}`,
      `${texts.drawdown_pane} ${data.curve.drawdown[i].toFixed(2)} %`].join("\n");
    makeChart(place("curve"), tools("curve"), { x: time, time: (i) => time[i], panes: [upper, lower], describe, label: texts.chart_label });
  }

  function prices(name, chosen) {
    const from = chosen.candles, unit = 10 ** from.digits, time = sums(from.time), n = time.length;
    const close = sums(from.close, unit), open = scaled(from.open, unit).map((value, i) => value + close[i]);
    const high = scaled(from.high, unit).map((value, i) => value + Math.max(open[i], close[i]));
    const low = scaled(from.low, unit).map((value, i) => Math.min(open[i], close[i]) - value);
    const format = (value) => value.toFixed(from.digits);
    const marks = { ...chosen.marks, net: trades.net, side: trades.side, priceOpen: trades.price_open, priceClose: trades.price_close };
    const upper = { weight: 3, format, marks, series: [{ open, high, low, close }] }, lower = worth(from, false);
    const events = new Map();
    const note = (at, words) => { if (at >= 0) events.set(at, [...(events.get(at) || []), words]); };
    for (let i = 0; i < trades.net.length; i++) {
      const side = texts[trades.side[i] > 0 ? "buy" : "sell"], lots = trades.volume[i];
      if (trades.price_open[i] !== null) note(marks.opened[i], `${texts.entry}: ${side} ${lots} @ ${format(trades.price_open[i])}`);
      note(marks.closed[i], `${texts.exit}: ${lots} @ ${format(trades.price_close[i])}, ${amount(trades.net[i])}`);
    }
    const describe = (i) => {
      const found = events.get(i) || [], more = found.length > 4 ? [texts.more.replace("{count}", found.length - 4)] : [];
      return [moment(time[i]), `${texts.open} ${format(open[i])}  ${texts.high} ${format(high[i])}`,
        `${texts.low} ${format(low[i])}  ${texts.close} ${format(close[i])}`,
        `${texts.equity} ${amount(lower.series[1].y[i])}`, ...found.slice(0, 4), ...more].join("\n");
    };
    const x = Float64Array.from({ length: n }, (_, i) => i);
    const chart = makeChart(place(name), tools(name), { x, indexed: true, time: (i) => time[i], panes: [upper, lower], describe, label: `${chosen.symbol}. ${texts.chart_label}` });
    if (n > 400) chart.look(n - 240, n);
    return (i) => {
      if (marks.closed[i] < 0) return;
      const start = marks.opened[i] < 0 ? marks.closed[i] : marks.opened[i], room = Math.max(30, (marks.closed[i] - start) * 0.6);
      chart.look(start - room, marks.closed[i] + room);
      place(name).scrollIntoView({ block: "center" });
    };
  }

  // A chart of each symbol, made when it is first chosen; what is returned shows a trade in its symbol's chart.
  function symbols() {
    const names = data.charts.map((_, n) => (n ? `chart-${n}` : "chart")), picks = [], select = place("symbol");
    const choose = (chosen) => {
      names.forEach((name, n) => { place(name).hidden = tools(name).hidden = n !== chosen; });
      if (select) select.value = String(chosen);
      return (picks[chosen] ||= prices(names[chosen], data.charts[chosen]));
    };
    if (select) select.addEventListener("change", () => choose(Number(select.value)));
    choose(0);
    return (i) => {
      const chosen = data.charts.findIndex((one) => one.symbol === trades.symbols[trades.symbol[i]]);
      if (chosen >= 0) choose(chosen)(i);
    };
  }

  function line() {
    const time = sums(data.line.time), pane = worth(data.line, true);
    const describe = (i) => [moment(time[i]), `${texts.equity} ${amount(pane.series[1].y[i])}`].join("\n");
    makeChart(place("chart"), tools("chart"), { x: time, time: (i) => time[i], panes: [pane], describe, label: texts.chart_label });
  }

  if (data.curve) curve();
  if (data.line) line();
  makeTable(document.getElementById("trades"), trades, texts, data.charts ? symbols() : null);
})();
