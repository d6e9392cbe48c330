"""Mistakes that a type checker must see; each ignore says which, and an ignore that is not needed is an error."""

import mas

client = mas.Client()
number: int = client.send_order({"symbol": "EURUSD"})  # type: ignore[assignment]
client.send_order("EURUSD")  # type: ignore[arg-type]
client.sendorder({})  # type: ignore[attr-defined]
