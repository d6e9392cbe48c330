"""Reports of an account's trading: from records to trades, curves, figures and pages. Pure."""
