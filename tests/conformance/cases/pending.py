"""Pending orders: triggers, price sides, gaps. E-020 to E-039."""
