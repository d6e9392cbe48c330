"""The tests: unit, conformance, integration, acceptance, typing, packaging, and what they share."""
